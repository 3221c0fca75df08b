import { type Digest, digestOf, sizeBytesOf } from "@homcc/cas/digest";
import { encodeManifest } from "@homcc/compiler/toolchain-manifest";
import type { Toolchain } from "@homcc/compiler/toolchain";
import { HomccError } from "@homcc/observability/error";
import type { ClientMessage, RefusedMessage, ServerMessage } from "@homcc/protocol/messages";
import { SlotQueue } from "@homcc/scheduler/slots";
import type { ClientChannel } from "@homcc/transport/channel";
import { type ContentAtHome, Proofs } from "../possession.ts";
import { changed, pieceBytes, piecesOfFile, readPiece } from "./file-pieces.ts";

/** So many blobs are on their way at once: one that waits for its answer does not leave the link idle. */
const blobsAtOnce = 4;

/** While one file is hashed here or put together there, another one's pieces are on their way. */
const largeFilesAtOnce = 2;

/** Asked again after each upload; a server whose store forgets what it was sent meanwhile never has all. */
const maxRounds = 3;

export interface UploadWatch {
  /** Waits for this machine's turn to send files. */
  readonly turn: (signal: AbortSignal) => Promise<Disposable>;
  /** The server lacks files of so many bytes, before compression. */
  readonly planned: (sizeBytes: number) => void;
  /** So many of them had arrived before. */
  readonly present: (sizeBytes: number) => void;
  /** So many more have arrived. */
  readonly stored: (sizeBytes: number) => void;
}

/** The server does not take the toolchain. */
export class ToolchainRefused extends Error {
  readonly refused: RefusedMessage;

  constructor(refused: RefusedMessage) {
    super(refused.message);
    this.refused = refused;
  }
}

type Question = Extract<ClientMessage, { kind: "toolchain" | "pieces" }>;
type Answer = Extract<ServerMessage, { kind: "missing" | "stored" }>;

/**
 * Gives one server one toolchain, over one connection, below everything else on it. What arrived before stays there: begin anew after any
 * failure. Rejects with `ToolchainRefused`, with ERR_HOMCC_INPUT_CHANGED when a file is another by now, and with the reason of the
 * channel or of `signal`.
 */
export class ToolchainUpload {
  readonly #channel: ClientChannel;
  readonly #toolchain: Toolchain;
  readonly #watch: UploadWatch;
  readonly #signal: AbortSignal;
  readonly #manifest: Buffer;
  readonly #paths = new Map<Digest, string>();
  readonly #blobs = new SlotQueue(blobsAtOnce);

  constructor(channel: ClientChannel, toolchain: Toolchain, watch: UploadWatch, signal: AbortSignal) {
    this.#channel = channel;
    this.#toolchain = toolchain;
    this.#watch = watch;
    this.#signal = AbortSignal.any([signal, channel.signal]);
    this.#manifest = Buffer.from(encodeManifest(toolchain.entries));
    for (const entry of toolchain.entries)
      if (entry.kind === "file") this.#paths.set(entry.digest, entry.path);
  }

  async run(): Promise<void> {
    const { digest, driver, family, version } = this.#toolchain;
    const toolchain = { digest, driver, family, version };
    for (let round = 0; round < maxRounds; round++) {
      let answer = await this.#ask({ kind: "toolchain", toolchain });
      if (answer.kind === "missing" && answer.digests.includes(digest)) {
        // Nobody is to wait behind others for what is asked first, and then perhaps is all.
        await this.#sendBlob(digest, this.#manifest);
        answer = await this.#ask({ kind: "toolchain", toolchain });
      }
      if (answer.kind === "stored") return;
      this.#watch.planned(
        [...new Set(answer.digests)].reduce((sum, missing) => sum + sizeBytesOf(missing), 0),
      );
      using _turn = await this.#watch.turn(this.#signal);
      await this.#sendFiles([...new Set(answer.digests)]);
    }
    throw new HomccError("ERR_HOMCC_STORE_FULL", "the server does not keep what it is sent", {
      hint: "option max_dependency_cache_size of homccd",
    });
  }

  async #sendFiles(digests: readonly Digest[]): Promise<void> {
    const small = digests.filter((digest) => sizeBytesOf(digest) <= pieceBytes);
    await inParallel(blobsAtOnce, small, async (digest) => {
      await this.#sendBlob(digest, await readPiece(this.#pathOf(digest), 0));
      this.#watch.stored(sizeBytesOf(digest));
    });
    const large = digests.filter((digest) => sizeBytesOf(digest) > pieceBytes);
    await inParallel(largeFilesAtOnce, large, (digest) => this.#sendLarge(digest));
  }

  async #sendLarge(digest: Digest): Promise<void> {
    const path = this.#pathOf(digest);
    const pieces = await piecesOfFile(path, digest);
    const question = { kind: "pieces", digest, pieces: pieces.map((piece) => piece.digest) } as const;
    const answer = await this.#ask(question);
    const missing = new Set(answer.kind === "missing" ? answer.digests : []);
    const presentBytes =
      sizeBytesOf(digest) - [...missing].reduce((sum, piece) => sum + sizeBytesOf(piece), 0);
    this.#watch.present(presentBytes);
    await inParallel(
      blobsAtOnce,
      pieces.filter((piece) => missing.delete(piece.digest)),
      async (piece) => {
        using _slot = await this.#blobs.acquire(this.#signal);
        await this.#sendBlob(piece.digest, await readPiece(path, piece.offsetBytes));
        this.#watch.stored(sizeBytesOf(piece.digest));
      },
    );
    if (answer.kind === "stored") return;
    // Should a piece have gone meanwhile, the toolchain's next round finds the file missing.
    await this.#ask(question);
  }

  #pathOf(digest: Digest): string {
    const path = this.#paths.get(digest);
    if (path !== undefined) return path;
    throw new HomccError(
      "ERR_HOMCC_PROTOCOL",
      `the server asks for ${digest}, which no file of the toolchain has`,
    );
  }

  async #ask(question: Question): Promise<Answer> {
    this.#signal.throwIfAborted();
    const answered = Promise.withResolvers<Answer>();
    const proofs = new Proofs((digest) => this.#contentOf(digest, question), this.#signal);
    const stream = this.#channel.openStream({
      onMessage: (message) => {
        if (message.kind === "prove") {
          void proofs.answer(message).then((proof) => this.#channel.send(stream, proof), answered.reject);
        } else if (message.kind === "refused") answered.reject(new ToolchainRefused(message));
        else if (message.kind === "missing" || message.kind === "stored") answered.resolve(message);
      },
      onEnd: () => answered.reject(new HomccError("ERR_HOMCC_PROTOCOL", "no answer about a toolchain")),
      onClose: answered.reject,
    });
    this.#channel.send(stream, question);
    return await this.#unlessAborted(answered.promise, stream);
  }

  /** Also a piece: its file holds it somewhere. */
  #contentOf(digest: Digest, question: Question): ContentAtHome | undefined {
    if (digest === this.#toolchain.digest) return { bytes: this.#manifest };
    const path = this.#paths.get(digest);
    if (path !== undefined) return { path };
    if (question.kind === "toolchain") return undefined;
    const whole = this.#paths.get(question.digest);
    const index = question.pieces.indexOf(digest);
    if (whole === undefined || index < 0) return undefined;
    return { read: () => readPiece(whole, index * pieceBytes) };
  }

  async #sendBlob(digest: Digest, bytes: Uint8Array): Promise<void> {
    this.#signal.throwIfAborted();
    if (digestOf(bytes) !== digest) throw changed(this.#paths.get(digest) ?? "a file of the toolchain");
    const answered = Promise.withResolvers<void>();
    const stream = this.#channel.openStream({
      onMessage: (message) => {
        if (message.kind === "stored") answered.resolve();
        else if (message.kind === "rejected") answered.reject(rejection(message));
      },
      onEnd: () => answered.reject(new HomccError("ERR_HOMCC_PROTOCOL", "no answer about a blob")),
      onClose: answered.reject,
    });
    this.#channel.send(stream, { kind: "blob", digest });
    this.#channel
      .sendData(stream, [bytes], { priority: "background", end: true })
      .catch((error: unknown) => answered.reject(error));
    await this.#unlessAborted(answered.promise, stream);
  }

  async #unlessAborted<Result>(answer: Promise<Result>, stream: number): Promise<Result> {
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(this.#signal.reason);
    this.#signal.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([answer, aborted.promise]);
    } finally {
      this.#signal.removeEventListener("abort", abort);
      this.#channel.closeStream(stream);
    }
  }
}

/** Ends with the first failure, once nothing is under way any more. */
async function inParallel<Item>(
  limit: number,
  items: readonly Item[],
  send: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  let hasFailed = false;
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (hasFailed) return;
      await send(item).catch((error: unknown) => {
        hasFailed = true;
        throw error;
      });
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: limit }, worker));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

function rejection({ reason, message }: Extract<ServerMessage, { kind: "rejected" }>): HomccError {
  return new HomccError(reason === "server-full" ? "ERR_HOMCC_STORE_FULL" : "ERR_HOMCC_REFUSED", message);
}
