/** Headers that nobody wrote for a test: each is included alone, and the compiler's own list is the same. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import type { Language } from "@homcc/compiler/compilation";
import { compilers, type InstalledCompiler, Project } from "./discovery.fixture.ts";
import type { FoundInputs } from "./include-finder.ts";
import { CompilerIncludeFinder } from "./compiler-include-finder.ts";
import { FileDigests } from "./file-digests.ts";
import { NamesByDigest } from "./names-by-digest.ts";
import { compareWithCompiler, createScanner, scan } from "./scanning.fixture.ts";
import type { ScanningIncludeFinder } from "./scanning-include-finder.ts";

const standards = ["-std=c++20", "-std=c++17", "-std=gnu++11", "-std=c++98"] as const;
/** Of the machine's C headers every so many-th: each costs two compilers 60 ms. */
const sampleEvery = 15;

function names(folder: string, recursive: boolean): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true, recursive });
    const files = entries.filter((entry) => entry.isFile());
    return files.map(({ parentPath, name }) => `${parentPath}/${name}`.slice(folder.length + 1)).sort();
  } catch {
    return [];
  }
}

/** The headers of the newest C++ library. */
const [library] = names("/usr/include/c++", true)
  .filter((name) => /^\d+\/vector$/.test(name))
  .sort((one, other) => Number.parseInt(other, 10) - Number.parseInt(one, 10));
const libraryHeaders =
  library === undefined ? [] : names(`/usr/include/c++/${Number.parseInt(library, 10)}`, false);
const cHeaders = names("/usr/include", true).filter(
  (name) => name.endsWith(".h") && !name.startsWith("c++/"),
);

async function compareAll(
  headers: readonly string[],
  project: Project,
  scanner: ScanningIncludeFinder,
  compiler: InstalledCompiler,
  args: (index: number) => readonly string[],
  language: Language,
): Promise<{ compared: number; missing: number }> {
  let compared = 0;
  let missing = 0;
  for (const [index, header] of headers.entries()) {
    const text = `#include <${header}>\n`;
    const source = project.write("a.cpp", text);
    const compilation = project.compilation(source, args(index), { language });
    const found = await scan(scanner, project, compiler, compilation);
    // Headers of something that is not installed completely, and those of another compiler.
    if (typeof found === "string") {
      assert.match(found, /^(missing-include|condition)/, header);
      missing += 1;
      continue;
    }
    await compareWithCompiler(scanner, project, compiler, compilation, "any");
    compared += 1;
  }
  return { compared, missing };
}

for (const compiler of compilers) {
  test(`each header of the C++ library (${compiler.name})`, async (t) => {
    if (compiler.path === undefined || libraryHeaders.length === 0) return t.skip(`needs ${compiler.name}`);
    const scanner = createScanner();
    const { compared } = await compareAll(
      libraryHeaders,
      new Project(t),
      scanner,
      compiler,
      (index) => [standards[index % standards.length] ?? ""],
      "c++",
    );
    t.diagnostic(`${compared} headers`);
    assert.equal(compared, libraryHeaders.length);
    return undefined;
  });

  test(`headers of the machine (${compiler.name})`, async (t) => {
    if (compiler.path === undefined || cHeaders.length === 0) return t.skip(`needs ${compiler.name}`);
    const scanner = createScanner();
    const sample = cHeaders.filter((_, index) => index % sampleEvery === 0).slice(0, 120);
    const { compared, missing } = await compareAll(
      sample,
      new Project(t),
      scanner,
      compiler,
      () => ["-xc"],
      "c",
    );
    t.diagnostic(`${compared} headers, ${missing} that no compiler takes`);
    assert.ok(compared > 2 * missing);
    return undefined;
  });

  test(`what is scanned is part of what the other finder makes of the compiler's list (${compiler.name})`, async (t) => {
    if (compiler.path === undefined) return t.skip(`needs ${compiler.name}`);
    const project = new Project(t);
    project.write("a.cpp", '#include <regex>\n#include <thread>\n#include "sub/x.h"\n#include <y.h>\n');
    project.write("real/x.h", '#if __has_include("z.h")\n#endif\n');
    project.link("sub", "real");
    project.write("two/y.h");
    project.makeFolder("one");
    const compilation = project.compilation("a.cpp", ["-Ione", "-Itwo", "-Inone", "-std=c++17"]);
    const context = project.context(compiler.path, compiler.family);
    const digests = new FileDigests();
    const other = await new CompilerIncludeFinder(digests, new NamesByDigest(digests)).find(
      compilation,
      context,
    );
    const scanned = await createScanner().find(compilation, context);
    assert.ok(scanned.kind === "found" && other.kind === "found");
    for (const part of [filesOf, absentOf, directoriesOf, linksOf]) {
      const all = new Set(part(other));
      const more: string[] = part(scanned).filter((name) => !all.has(name));
      assert.deepEqual(more, [], part.name);
    }
    assert.deepEqual(linksOf(scanned).filter(isOwn), linksOf(other).filter(isOwn));
    assert.deepEqual(directoriesOf(scanned).filter(isOwn).sort(), directoriesOf(other).filter(isOwn).sort());

    function isOwn(path: string): boolean {
      return path.startsWith(project.folder);
    }
    return undefined;
  });
}

function filesOf({ files }: FoundInputs): string[] {
  return files.map(({ entry }) => `${entry.path} ${entry.digest} ${entry.mtimeNs}`);
}

function absentOf({ absent }: FoundInputs): string[] {
  return absent().flatMap((one) => one.names.map((name) => `${one.folder}/${name}`));
}

function directoriesOf({ directories }: FoundInputs): string[] {
  return [...directories];
}

function linksOf({ links }: FoundInputs): string[] {
  return [...links].map(([path, target]) => `${path} ${target}`).sort();
}
