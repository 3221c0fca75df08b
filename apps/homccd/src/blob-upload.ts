import type { BlobStore } from "@homcc/cas/blob-store";
import { type Digest, sizeBytesOf } from "@homcc/cas/digest";
import { HomccError } from "@homcc/observability/error";

type Step =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly taken: () => void }
  | { readonly kind: "end" };

/** How the bytes of a blob are made of what a client sends for it. */
export interface DeltaReading {
  /** What a client may send. */
  readonly maxBytes: number;
  read(delta: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

export interface UploadOptions {
  /** For whom it counts. */
  readonly client?: string | undefined;
  /** What comes are not the bytes but how they differ from others. */
  readonly delta?: DeltaReading | undefined;
}

/** Hands the data frames of one upload to the store as they come, one at a time, so that memory stays bounded. */
export class BlobUpload {
  readonly digest: Digest;
  /** Resolves when the blob is in the store; rejects when its bytes are wrong, the store is full, or the client left. */
  readonly stored: Promise<void>;
  readonly #maxBytes: number;
  #receivedBytes = 0;
  #waiting: Step | undefined;
  #wake = Promise.withResolvers<void>();
  #aborted: Error | undefined;

  constructor(digest: Digest, store: BlobStore, { client, delta }: UploadOptions = {}) {
    this.digest = digest;
    this.#maxBytes = delta?.maxBytes ?? sizeBytesOf(digest);
    this.stored = this.#store(store, client, delta);
  }

  /** Resolves when the bytes were taken: until then the connection delivers no more of this upload. */
  push(bytes: Uint8Array): Promise<void> {
    this.#receivedBytes += bytes.byteLength;
    if (this.#receivedBytes > this.#maxBytes) {
      this.abort(new HomccError("ERR_HOMCC_DIGEST_MISMATCH", `more bytes than ${this.digest} has`));
    }
    if (this.#aborted !== undefined) return Promise.resolve();
    return new Promise((taken) => this.#offer({ kind: "bytes", bytes, taken }));
  }

  end(): void {
    this.#offer({ kind: "end" });
  }

  abort(reason: Error): void {
    this.#aborted ??= reason;
    if (this.#waiting?.kind === "bytes") this.#waiting.taken();
    this.#wake.resolve();
  }

  async #store(store: BlobStore, client: string | undefined, delta: DeltaReading | undefined): Promise<void> {
    try {
      const bytes = delta === undefined ? this.#chunks() : delta.read(this.#chunks());
      await store.put(this.digest, bytes, client);
    } catch (error) {
      // Nobody reads the rest: let the connection deliver and forget it.
      this.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
    this.abort(new Error("the blob is complete"));
  }

  #offer(step: Step): void {
    this.#waiting = step;
    this.#wake.resolve();
  }

  async *#chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      await this.#wake.promise;
      if (this.#aborted !== undefined) throw this.#aborted;
      const step = this.#waiting;
      this.#waiting = undefined;
      this.#wake = Promise.withResolvers();
      if (step === undefined) continue;
      if (step.kind === "end") return;
      try {
        yield step.bytes;
      } finally {
        // Also when the store gives up on these bytes: a push that never ends would stop the connection's reading.
        step.taken();
      }
    }
  }
}
