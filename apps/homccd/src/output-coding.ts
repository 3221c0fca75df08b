import type { ActionResult } from "@homcc/cas/action";
import type { BlobStore } from "@homcc/cas/blob-store";
import { type Digest, digestOfLarge, sizeBytesOf } from "@homcc/cas/digest";
import { release } from "@homcc/cas/release";
import { hasCode } from "@homcc/observability/error";
import { encodeDelta, isDeltaSized } from "@homcc/protocol/delta";
import type { Packed } from "@homcc/protocol/compression";
import type { JobMessage, ResultMessage } from "@homcc/protocol/messages";
import { SlotQueue } from "@homcc/scheduler/slots";
import { OutputFiles, OutputMemory, type WrittenOutput } from "./output-files.ts";
import { readPacked } from "./packed-output.ts";
import type { Possession } from "./possession.ts";
import type { SentOutputs } from "./sent-outputs.ts";

/** Results that are coded at once: each holds an output, its base and what comes of them, 16 MiB each at most. */
const maxAtOnce = 4;

/** How a result's outputs are announced, and what follows for each that has bytes. */
export interface CodedOutputs {
  readonly messages: ResultMessage["outputs"];
  readonly contents: readonly OutputContent[];
}

/** A file, what is in memory, or what goes on the wire as it is. */
type OutputContent = { readonly file: string } | Uint8Array | readonly Packed[];

interface CodedOutput {
  readonly message: ResultMessage["outputs"][number];
  readonly content?: OutputContent;
}

/** What the coding depends on besides the outputs. */
export interface CodingOptions {
  readonly possession: Pick<Possession, "isProven" | "note">;
  readonly sent: SentOutputs;
  readonly takesPacked: boolean;
  /** As of `encodeDelta`. */
  readonly isHurried: boolean;
  readonly files?: OutputFiles;
}

/** A result as every client understands it. */
export function plainOutputs(outputs: ActionResult["outputs"]): CodedOutputs {
  return {
    messages: outputs.map((output) => (output.kind === "written" ? toWritten(output) : output)),
    contents: outputs.flatMap((output) => (output.kind === "written" ? [{ file: output.file }] : [])),
  };
}

/**
 * Says outputs by how they differ from what the client has, and keeps them as blobs, so that the next ones can be said by
 * them. Whatever goes wrong with that (the base was evicted, the store is full) costs bytes, never the result.
 */
export class OutputCoding {
  readonly #store: BlobStore;
  readonly #slots = new SlotQueue(maxAtOnce);
  readonly #memory = new OutputMemory();

  constructor(store: BlobStore) {
    this.#store = store;
  }

  /** For what one job reads of its result; to be disposed of when that is sent. */
  open(): OutputFiles {
    return new OutputFiles(this.#memory);
  }

  /** A base that is not proven is not used; the client is told the digests of what is coded, and gets the contents. */
  async code(
    outputs: ActionResult["outputs"],
    declared: JobMessage["outputs"],
    options: CodingOptions,
  ): Promise<CodedOutputs> {
    const { possession, sent, files = this.open() } = options;
    const messages: ResultMessage["outputs"][number][] = [];
    const contents: CodedOutputs["contents"][number][] = [];
    for (const output of outputs) {
      if (output.kind === "removed") {
        messages.push(output);
        continue;
      }
      const index = declared.findIndex(({ path }) => path === output.path);
      const named = declared[index]?.base;
      const base = named !== undefined && possession.isProven(named) ? named : undefined;
      const coded = await this.#codeOne(output, index, base, { ...options, files });
      messages.push(coded.message);
      if ("digest" in coded.message && coded.message.digest !== undefined) {
        possession.note(coded.message.digest);
        sent.note(coded.message.digest, output.path);
      }
      if (coded.content !== undefined) contents.push(coded.content);
    }
    return { messages, contents };
  }

  async #codeOne(
    output: WrittenOutput,
    index: number,
    base: Digest | undefined,
    { sent, takesPacked, isHurried, files }: Required<CodingOptions>,
  ): Promise<CodedOutput> {
    const { file, mode } = output;
    if (!isDeltaSized(output.sizeBytes, 1)) return { message: toWritten(output), content: { file } };
    const unchanged = { message: { kind: "unchanged", output: index, mode } } as const;
    // Of an earlier job: it lies in the store.
    if (output.digest !== undefined && output.digest === base) return unchanged;
    // Another file as the base saves no more bytes than were saved by packing it thoroughly.
    if (takesPacked && (base === undefined || sent.isOfAnother(output.path, base))) {
      const packed = await this.#packed(output, files);
      if (packed !== undefined) return packed;
    }
    using _slot = await this.#slots.acquire();
    return await files.use(output, async (bytes) => {
      const digest = output.digest ?? (await digestOfLarge(bytes));
      // Also a use of it, which keeps it from eviction.
      const keeping = this.#keep(digest, bytes, output.digest === undefined);
      const coding =
        base === undefined || digest === base ? undefined : this.#deltaFrom(base, bytes, isHurried);
      const [delta] = await Promise.all([coding, keeping]);
      if (digest === base) return unchanged;
      if (delta === undefined || delta.byteLength >= output.sizeBytes)
        return { message: { ...toWritten(output), digest }, content: await files.contentOf(output) };
      const deltaBytes = delta.byteLength;
      return { message: { kind: "delta", output: index, mode, digest, deltaBytes }, content: delta };
    });
  }

  /** `undefined` also when too many results wait in memory for their clients. */
  async #packed(output: WrittenOutput, files: OutputFiles): Promise<CodedOutput | undefined> {
    const { digest, packed } = output;
    if (digest === undefined || packed === undefined || !files.reserve(sizeBytesOf(packed))) return undefined;
    const content = await readPacked(this.#store, packed);
    return content === undefined ? undefined : { message: { ...toWritten(output), digest }, content };
  }

  async #deltaFrom(base: Digest, bytes: Uint8Array, isHurried: boolean): Promise<Uint8Array | undefined> {
    if (!isDeltaSized(bytes.byteLength, sizeBytesOf(base))) return undefined;
    const baseBytes = await this.#store.read(base);
    if (baseBytes === undefined) return undefined;
    const delta = await encodeDelta(bytes, baseBytes, isHurried);
    release(baseBytes);
    return delta;
  }

  /** `isHashed`: just now; what lay in the store and is gone may have been damaged. */
  async #keep(digest: Digest, bytes: Uint8Array, isHashed: boolean): Promise<void> {
    try {
      if ((await this.#store.findMissing([digest])).length === 0) return;
      await (isHashed ? this.#store.putHashed(digest, bytes) : this.#store.put(digest, [bytes]));
    } catch (error) {
      if (!hasCode(error, "ERR_HOMCC_STORE_FULL")) throw error;
    }
  }
}

function toWritten({
  path,
  sizeBytes,
  mode,
}: WrittenOutput): Extract<ResultMessage["outputs"][number], { kind: "written" }> {
  return { kind: "written", path, sizeBytes, mode };
}
