/** Longer inputs are not handed over whole. */
const roomBytes = 1 << 20;
const headerBytes = 8;

/**
 * The input that is being tried, where another thread sees it: of one that never comes to an end, or takes all memory,
 * nobody else can tell.
 */
export class RunningInput {
  readonly buffer: SharedArrayBuffer;
  readonly #header: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(headerBytes + roomBytes)) {
    this.buffer = buffer;
    this.#header = new Int32Array(buffer, 0, 2);
    this.#bytes = new Uint8Array(buffer, headerBytes);
  }

  set(input: Uint8Array): void {
    const part = input.subarray(0, roomBytes);
    this.#bytes.set(part);
    Atomics.store(this.#header, 1, part.length);
    Atomics.add(this.#header, 0, 1);
  }

  /** Inputs so far. */
  get count(): number {
    return Atomics.load(this.#header, 0);
  }

  get(): Buffer {
    return Buffer.from(this.#bytes.slice(0, Atomics.load(this.#header, 1)));
  }
}
