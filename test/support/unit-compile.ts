import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { homccProgram } from "./repository.ts";
import type { Server } from "./server.ts";
import type { Workplace } from "./workplace.ts";

/** The command that compiles `NAME.cpp` of the project through homcc. */
export const unitCompile = (name: string): string[] => [homccProgram, ...plainCompile(name, `${name}.o`)];

const plainCompile = (name: string, object: string): string[] => [
  "g++",
  "-O2",
  "-g",
  "-c",
  `${name}.cpp`,
  "-o",
  object,
];

/** How often the server, which logs at DEBUG, began to compile `source`. */
export function compilersStarted(server: Server, source: string): number {
  return server.log().split(`${source}: the compiler starts`).length - 1;
}

/** `NAME.o` is what the plain compiler makes. */
export async function assertSameUnit(workplace: Workplace, name: string): Promise<void> {
  const plain = await workplace.run(plainCompile(name, "plain.o"));
  assert.equal(plain.status, 0, plain.stderr);
  const [ours, theirs] = await Promise.all(
    [`${name}.o`, "plain.o"].map((file) => readFile(join(workplace.project, file))),
  );
  assert.ok(ours?.equals(theirs ?? Buffer.alloc(0)), `${name}.o differs`);
}
