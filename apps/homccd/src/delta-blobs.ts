import type { BlobStore } from "@homcc/cas/blob-store";
import { type Digest, sizeBytesOf } from "@homcc/cas/digest";
import { HomccError } from "@homcc/observability/error";
import { decodeDelta } from "@homcc/protocol/delta";
import { maxBlobDeltaBytes } from "@homcc/protocol/limits";
import { SlotQueue } from "@homcc/scheduler/slots";
import type { DeltaReading } from "./blob-upload.ts";
import type { Possession } from "./possession.ts";

/** Each holds the delta, the base and the bytes in memory: 24 MiB for one client. */
const maxAtOnce = 8;

/** zstd's own, for bytes that have nothing in common with the base. */
const overheadBytes = 4096;

/** The blob that another one was told by is not in the store, or not the client's: it has to be sent whole. */
export class BaseMissing extends Error {
  constructor(base: Digest) {
    super(`${base} is not here`);
  }
}

/** Blobs of one client that come as what makes them differ from others. */
export class DeltaBlobs {
  readonly #store: Pick<BlobStore, "read">;
  readonly #possession: Pick<Possession, "isProven">;
  readonly #slots = new SlotQueue(maxAtOnce);

  /** `possession`: what the client may name as a base. */
  constructor(store: Pick<BlobStore, "read">, possession: Pick<Possession, "isProven">) {
    this.#store = store;
    this.#possession = possession;
  }

  /** How `digest` is made of `base`. Reading rejects with `BaseMissing`; that the bytes are right is for others to see. */
  reading(digest: Digest, base: Digest): DeltaReading {
    const maxBytes = Math.min(sizeBytesOf(digest), maxBlobDeltaBytes) + overheadBytes;
    return { maxBytes, read: (delta) => this.#read(delta, digest, base) };
  }

  async *#read(
    delta: AsyncIterable<Uint8Array>,
    digest: Digest,
    base: Digest,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    if (Math.max(sizeBytesOf(digest), sizeBytesOf(base)) > maxBlobDeltaBytes) {
      throw new HomccError("ERR_HOMCC_PROTOCOL", `a blob above ${maxBlobDeltaBytes} bytes is sent whole`);
    }
    using _slot = await this.#slots.acquire();
    const chunks: Uint8Array[] = [];
    for await (const chunk of delta) chunks.push(chunk);
    const baseBytes = this.#possession.isProven(base) ? await this.#store.read(base) : undefined;
    if (baseBytes === undefined) throw new BaseMissing(base);
    try {
      yield await decodeDelta(Buffer.concat(chunks), baseBytes, sizeBytesOf(digest));
    } catch (cause) {
      throw new HomccError("ERR_HOMCC_DIGEST_MISMATCH", `what came makes no ${digest} of ${base}`, { cause });
    }
  }
}
