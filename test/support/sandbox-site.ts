import assert from "node:assert/strict";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CommandResult } from "./command.ts";
import { type Files, writeFiles } from "./files.ts";
import { homccProgram } from "./repository.ts";
import type { Workplace } from "./workplace.ts";

export const sandboxProject: Files = {
  "src/a.c": '#include "h.h"\n#include <limits.h>\nint value(int x) { return x + VALUE + INT_MAX % 7; }\n',
  "src/a.cpp":
    '#include "h.h"\n#include <string>\n#include <vector>\nstd::vector<std::string> f(int n) { return std::vector<std::string>(n, __FILE__ __VERSION__); }\n',
  "include/h.h": "#pragma once\n#define VALUE 3\n#if __has_include(<absent.h>)\n#error\n#endif\n",
  "bad.cpp": "int main() { return missing; }\n",
};

/** Commands whose results are compared; `$PWD` is the project's folder. */
export const sandboxCommands: readonly string[] = [
  "g++ -Iinclude -c src/a.cpp -o a.o",
  "g++ -I$PWD/include -O2 -g -MD -c $PWD/src/a.cpp -o $PWD/a.o",
  "gcc -Iinclude -g -MMD -MP -c src/a.c",
  "gcc -Iinclude -Wall -Wextra -S src/a.c -o a.s",
  "g++ -c bad.cpp",
];

/** Those whose results show a folder where paths can only be mapped. */
export const namespaceCommands: readonly string[] = [
  "g++ -Iinclude -g -gsplit-dwarf -c $PWD/src/a.cpp -o $PWD/out.o",
  "g++ -Iinclude --coverage -frandom-seed=1 -c src/a.cpp -o a.o",
];

interface Effect {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly files: Readonly<Record<string, Buffer>>;
}

/**
 * Runs each command through homcc, which must not compile at home, and through `inside`, which runs a shell command in
 * the sandbox itself; status, messages and every file must be equal.
 */
export async function compareWithSandbox(
  commands: readonly string[],
  workplace: Workplace,
  variables: Readonly<Record<string, string>>,
  inside: (script: string) => Promise<CommandResult>,
): Promise<void> {
  const environment = workplace.environment(variables);
  for (const command of commands) {
    const expected = await effectOf(workplace, () =>
      inside(`cd ${workplace.project} && ${command.replaceAll("$PWD", workplace.project)}`),
    );
    const found = await effectOf(workplace, () =>
      workplace.run(["/bin/sh", "-c", `${homccProgram} ${command}`], { environment }),
    );
    const words = { ...found, stderr: withoutOwnWords(found.stderr) };
    assert.deepEqual(words, expected, command);
  }
}

async function effectOf(workplace: Workplace, run: () => Promise<CommandResult>): Promise<Effect> {
  await rm(workplace.project, { recursive: true, force: true });
  await writeFiles(workplace.project, sandboxProject);
  const { status, stdout, stderr } = await run();
  const names = await readdir(workplace.project, { recursive: true, withFileTypes: true });
  const files: Record<string, Buffer> = {};
  for (const entry of names) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files[path.slice(workplace.project.length + 1)] = await readFile(path);
  }
  return { status, stdout, stderr, files };
}

/** The one warning that the sandbox has another compiler comes before the compiler's words. */
function withoutOwnWords(stderr: string): string {
  return stderr.replaceAll(/^\[HOMCC-WARNING\].*\n/gm, "");
}
