import { lstatSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { noise, randomNumbers } from "./noise.ts";

type Damage = (path: string, at: number, sizeBytes: number) => void;

/** What a power cut leaves of a file that was not synced, and what a disk makes of one. `at` is below the size. */
const damages: ReadonlyMap<string, Damage> = new Map<string, Damage>([
  ["cut off", (path, at) => truncateSync(path, at)],
  ["without bytes", (path) => truncateSync(path, 0)],
  ["zeros from a place on", (path, at, size) => overwrite(path, at, Buffer.alloc(size - at))],
  ["a block of zeros", (path, at, size) => overwrite(path, at, Buffer.alloc(Math.min(512, size - at)))],
  [
    "a flipped bit",
    (path, at) => overwrite(path, at, Buffer.from([(readFileSync(path)[at] ?? 0) ^ (1 << (at & 7))])),
  ],
  ["a block of something else", (path, at, size) => overwrite(path, at, noise(Math.min(512, size - at)))],
  [
    "a torn line at the end",
    (path, at) => writeFileSync(path, readFileSync(path).subarray(0, at), { flag: "a" }),
  ],
]);

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const whole = readFileSync(path);
  whole.set(bytes, at);
  writeFileSync(path, whole, { flag: "r+" });
}

/** Damages `count` files below `folder`, each in another way; says what it did. The same for the same files and seed. */
export function damageFiles(
  folder: string,
  count: number,
  seed: string,
  isMeant: (path: string) => boolean = () => true,
): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => isMeant(path) && lstatSync(path).isFile() && lstatSync(path).size > 0)
    .sort();
  if (files.length === 0) return [];
  const kinds = [...damages];
  const random = randomNumbers(3 * count, 1, seed);
  return Array.from({ length: count }, (_, index) => {
    const [whichFile = 0, whichKind = 0, where = 0] = random.slice(3 * index);
    const path = files[Math.floor(whichFile * files.length)] ?? "";
    const [name, damage] = kinds[Math.floor(whichKind * kinds.length)] ?? ["", () => {}];
    const { size } = lstatSync(path);
    if (size === 0) return `${path}: empty`; // An earlier one has emptied it.
    damage(path, Math.floor(where * size), size);
    return `${path}: ${name}`;
  });
}
