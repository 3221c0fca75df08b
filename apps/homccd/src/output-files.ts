import type { OutputChange } from "@homcc/cas/action";
import { readKnown } from "@homcc/cas/read-known";
import { release } from "@homcc/cas/release";

export type WrittenOutput = Extract<OutputChange, { readonly kind: "written" }>;

/** Bytes of outputs in memory at once, of all clients: a thin link keeps each for as long as it takes to send it. */
export class OutputMemory {
  readonly maxBytes: number;
  usedBytes = 0;

  constructor(maxBytes: number = 32 << 20) {
    this.maxBytes = maxBytes;
  }
}

/**
 * The outputs of one result, for all who look into them before it is sent: each is read once, as long as there is memory
 * for it, and else by each of them anew. Opening, reading and closing a file takes three turns of the thread pool.
 */
export class OutputFiles implements Disposable {
  readonly #memory: OutputMemory;
  readonly #held = new Map<string, Promise<Uint8Array>>();
  #heldBytes = 0;

  constructor(memory: OutputMemory) {
    this.#memory = memory;
  }

  /** Gives `task` the bytes, which it must not keep. */
  async use<Result>(
    output: WrittenOutput,
    task: (bytes: Uint8Array) => Result | Promise<Result>,
  ): Promise<Result> {
    const held = this.#held.get(output.file) ?? this.#hold(output);
    if (held !== undefined) return await task(await held);
    const bytes = await readKnown(output.file, output.sizeBytes);
    try {
      return await task(bytes);
    } finally {
      release(bytes);
    }
  }

  /** What is to be sent for an output that somebody has looked into. */
  async contentOf({ file }: WrittenOutput): Promise<Uint8Array | { readonly file: string }> {
    return (await this.#held.get(file)) ?? { file };
  }

  /** Takes memory for bytes that the caller reads himself, until this is disposed of. False when there is not enough. */
  reserve(bytes: number): boolean {
    if (this.#memory.usedBytes + bytes > this.#memory.maxBytes) return false;
    this.#memory.usedBytes += bytes;
    this.#heldBytes += bytes;
    return true;
  }

  /** Nobody refers to the bytes any more: their memory is given back at once, not when it is collected. */
  async release(): Promise<void> {
    for (const held of this.#held.values()) release(await held);
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#memory.usedBytes -= this.#heldBytes;
    this.#heldBytes = 0;
    this.#held.clear();
  }

  #hold({ file, sizeBytes }: WrittenOutput): Promise<Uint8Array> | undefined {
    if (!this.reserve(sizeBytes)) return undefined;
    const held = readKnown(file, sizeBytes);
    this.#held.set(file, held);
    return held;
  }
}
