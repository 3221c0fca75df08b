import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Farm } from "./contender.ts";

export const replayCompilerSource: string = join(import.meta.dirname, "replay-compiler.c");

/** A server that shuts its compilers in is started with the recording's folder as this descriptor. */
export const recordingDescriptor = 9;

/** Builds the compiler that replays the recording, as `folder`/g++, for servers that start one by its name. */
export async function buildReplayCompiler(
  { recording, project }: Farm,
  folder: string,
  options: readonly string[] = [],
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const program = join(folder, "g++");
  const definitions = [
    `-DRECORDING="${recording}"`,
    `-DRECORDING_FD=${recordingDescriptor}`,
    `-DROOT="${project.root}"`,
  ];
  const words = ["-O2", "-Wall", "-Wextra", "-Werror", ...options, ...definitions, replayCompilerSource];
  await promisify(execFile)("cc", [...words, "-o", program]);
  return program;
}
