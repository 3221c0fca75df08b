import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Farm } from "./contender.ts";

/** Builds the compiler that replays the recording, as `folder`/g++, for servers that start one by its name. */
export async function buildReplayCompiler({ recording, project }: Farm, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const program = join(folder, "g++");
  const definitions = [`-DRECORDING="${recording}"`, `-DROOT="${project.root}"`];
  const source = join(import.meta.dirname, "replay-compiler.c");
  await promisify(execFile)("cc", [
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    ...definitions,
    source,
    "-o",
    program,
  ]);
  return program;
}
