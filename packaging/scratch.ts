import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

export const repository = join(import.meta.dirname, "..");
export const targetFolder = join(repository, "target");

const execute = promisify(execFile);

/** Runs a program to its end and gives what it printed. Rejects, with what it said, when it fails. */
export async function run(
  program: string,
  words: readonly string[],
  options: { readonly cwd?: string; readonly environment?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const { stdout } = await execute(program, words, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.environment },
    maxBuffer: 2 ** 26,
  });
  return stdout;
}

/** A folder beside the results, so that they take their place by a rename, gone when `use` has ended. */
export async function inScratchFolder<T>(output: string, use: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(output, { recursive: true });
  const folder = await mkdtemp(join(output, ".making-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
