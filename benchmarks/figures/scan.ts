import assert from "node:assert/strict";
import { copyFile, writeFile, readFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Compilation } from "@homcc/compiler/compilation";
import { FileDigests } from "@homcc/inputs/file-digests";
import { FolderWatches } from "@homcc/inputs/folder-watches";
import { notFound } from "@homcc/inputs/include-finder";
import { ScanningIncludeFinder } from "@homcc/inputs/scanning-include-finder";
import { systemPath } from "../../test/support/workplace.ts";
import type { Farm } from "../build/contender.ts";
import { summary } from "../micro/rounds.ts";

const rounds = 300;

/**
 * Milliseconds for the median of scans of one file of the project, edited each time, whose headers are known: none is
 * read, and those of the system are not looked at while their folders, as the agent watches them, stay as they are.
 */
export async function scanMs({ project, folder }: Farm): Promise<number> {
  const [original = ""] = project.sources;
  const source = join(folder, "scanned", "scanned.cpp");
  await mkdir(join(source, ".."));
  await copyFile(original, source);
  const text = await readFile(source, "utf8");
  const args = project.compiler.slice(1);
  const compilation: Compilation = {
    argv: [...project.compiler, "-c", source],
    source,
    language: "c++",
    outputs: ["scanned.o"],
    mainOutput: "scanned.o",
    discoveryArguments: args,
    includeDirectories: [],
    forcedIncludes: [],
    extraInputs: [],
    replay: false,
    mappedVeto: undefined,
  };
  const fallback = { find: () => Promise.resolve(notFound("inputs-unknown", "not scanned")) };
  const finder = new ScanningIncludeFinder(fallback, {
    digests: new FileDigests(),
    verifyEvery: Infinity,
    watches: new FolderWatches({ cookieFolder: folder }),
  });
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await writeFile(source, `${text}// ${round}\n`);
    const startMs = performance.now();
    const found = await finder.find(compilation, {
      cwd: project.root,
      environment: { PATH: systemPath },
      compilerPath: "/usr/bin/g++",
      family: "gcc",
      signal: new AbortController().signal,
    });
    times.push(performance.now() - startMs);
    assert.ok(found.kind === "found", [...finder.counters.reasons.keys()].join("\n"));
  }
  return summary("", "ms", times).median;
}
