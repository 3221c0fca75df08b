import type { Random } from "./random.ts";

/** What mutations insert into JSON. */
export const jsonWords: readonly string[] = [
  "null",
  "true",
  "-1",
  "1e999",
  "0.5",
  "9007199254740993",
  "[]",
  "{}",
  "[[[[[[[[[[[[[[[[[[",
  '"__proto__":{"x":1},',
  '"constructor":',
  '"kind":"job",',
  String.raw`"\ud800"`,
  String.raw`"\u0000"`,
  '"/../../etc"',
  '"/a//b"',
  `"${"a".repeat(300)}"`,
];

const replacements: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1,
  2 ** 31,
  2 ** 53,
  0.5,
  "",
  "/",
  "/..",
  "/a/../b",
  "relative",
  "x".repeat(5000),
  "\0",
  "\u{d800}",
  [],
  {},
  "constructor",
];

/** The JSON text of `value` with some members changed, left out or repeated. */
export function mutatedJson(value: unknown, random: Random): string {
  return JSON.stringify(mutated(value, random, random.chance(0.3) ? 0 : 0.06));
}

function mutated(value: unknown, random: Random, share: number): unknown {
  if (random.chance(share)) return random.pick(replacements);
  if (Array.isArray(value)) {
    const members: unknown[] = value.map((member: unknown) => mutated(member, random, share));
    if (members.length > 0 && random.chance(share)) members.push(random.pick(members));
    return members;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(() => !random.chance(share / 2))
      .map(([name, member]) => [name, mutated(member, random, share)]),
  );
}
