import type { Random } from "./random.ts";

/** Lengths and counts at the edges of what their fields hold. */
const edges = [0, 1, 2, 7, 8, 16, 31, 32, 64, 127, 128, 255, 256, 4095, 4096, 65_535, 65_536, 0x7fff_ffff];
const wideEdges = [...edges, 0x8000_0000, 0xffff_ffff, 1 << 20, (1 << 20) + 1, 8 << 20, 16 << 20];

export interface MutationSettings {
  readonly dictionary: readonly string[];
  readonly maxBytes: number;
  /** Another input, to take a part of. */
  readonly other: () => Uint8Array;
}

/** `input` with one to five changes. */
export function mutate(input: Uint8Array, random: Random, settings: MutationSettings): Buffer {
  let bytes = Buffer.from(input);
  for (let changes = random.from(1, random.chance(0.2) ? 5 : 2); changes > 0; changes--)
    bytes = random.pick(mutations)(bytes, random, settings);
  return bytes.subarray(0, settings.maxBytes);
}

type Mutation = (
  bytes: Buffer<ArrayBuffer>,
  random: Random,
  settings: MutationSettings,
) => Buffer<ArrayBuffer>;

const mutations: readonly Mutation[] = [
  function flipBit(bytes, random) {
    const at = random.below(bytes.length);
    if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    return bytes;
  },
  function setByte(bytes, random) {
    const at = random.below(bytes.length);
    if (at < bytes.length) bytes[at] = random.chance(0.5) ? random.below(256) : random.pick(edges) & 255;
    return bytes;
  },
  function setWord(bytes, random) {
    if (bytes.length < 4) return bytes;
    const at = random.chance(0.5) ? random.below(bytes.length >> 2) << 2 : random.below(bytes.length - 3);
    bytes.writeUInt32LE(random.pick(wideEdges), Math.min(at, bytes.length - 4));
    return bytes;
  },
  function insertNoise(bytes, random) {
    return replaced(bytes, random.below(bytes.length + 1), 0, random.bytes(random.from(1, 8)));
  },
  function remove(bytes, random) {
    const at = random.below(bytes.length);
    return replaced(bytes, at, random.from(1, random.chance(0.3) ? bytes.length : 8), Buffer.alloc(0));
  },
  function cut(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length + 1));
  },
  function repeat(bytes, random) {
    const from = random.below(bytes.length);
    const part = bytes.subarray(from, from + random.from(1, random.chance(0.3) ? 256 : 16));
    const times = random.chance(0.1) ? 40 : 1;
    return replaced(bytes, from, 0, Buffer.concat(Array.from({ length: times }, () => part)));
  },
  function takeOther(bytes, random, { other }) {
    const donor = other();
    const from = random.below(donor.length);
    const part = donor.subarray(from, from + random.from(1, 256));
    return replaced(bytes, random.below(bytes.length + 1), random.chance(0.5) ? part.length : 0, part);
  },
  function crossOver(bytes, random, { other }) {
    const donor = other();
    return Buffer.concat([
      bytes.subarray(0, random.below(bytes.length + 1)),
      donor.subarray(random.below(donor.length + 1)),
    ]);
  },
  function insertWord(bytes, random, { dictionary }) {
    if (dictionary.length === 0) return bytes;
    const word = Buffer.from(random.pick(dictionary));
    return replaced(bytes, random.below(bytes.length + 1), random.chance(0.3) ? word.length : 0, word);
  },
  function moveLine(bytes, random) {
    const lines = bytes.toString("latin1").split("\n");
    const [line] = lines.splice(random.below(lines.length), 1);
    const times = random.below(3);
    lines.splice(random.below(lines.length + 1), 0, ...Array.from({ length: times }, () => line ?? ""));
    return Buffer.from(lines.join("\n"), "latin1");
  },
];

function replaced(bytes: Buffer, at: number, removed: number, inserted: Uint8Array): Buffer<ArrayBuffer> {
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)]);
}
