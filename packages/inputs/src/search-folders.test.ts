import assert from "node:assert/strict";
import { chmodSync, readFileSync, rmSync } from "node:fs";
import { test } from "node:test";
import { compilers, Project, searchPath } from "./discovery.fixture.ts";
import { parseSearchFolders, SearchFolderCache } from "./search-folders.ts";

for (const { name, family, path } of compilers) {
  test(`named, built-in, missing and duplicate folders of ${name}`, async (t) => {
    if (path === undefined) return t.skip(`needs ${name}`);
    const project = new Project(t);
    for (const folder of ["in c", "quoted", "system", "after", "from-environment"])
      project.makeFolder(folder);
    const args = [
      "-Iin c",
      "-iquote",
      "quoted",
      "-isystem",
      "system",
      "-idirafter",
      "after",
      "-Inone",
      "-Iin c",
    ];
    const environment = {
      PATH: searchPath,
      CPATH: project.at("from-environment"),
      LANG: "de_DE.UTF-8",
      LANGUAGE: "de",
    };
    const folders = await new SearchFolderCache().of(
      project.compilation("a.cpp", args),
      project.context(path, family, { environment }),
    );
    assert.ok(folders !== undefined);
    assert.deepEqual(folders.quote, ["quoted"]);
    assert.deepEqual(folders.angle.slice(0, 3), ["in c", project.at("from-environment"), "system"]);
    assert.equal(folders.angle.at(-1), "after");
    assert.ok(folders.angle.some((folder) => folder.endsWith("/include")));
    assert.ok(folders.missing.includes("none"));
    assert.deepEqual(
      folders.duplicate.filter((folder) => !folder.startsWith("/")),
      ["in c"],
    );
    assert.match(folders.majorVersion, /^\d+$/);
    return undefined;
  });
}

test("one question for all sources with the same options, another when a folder comes or goes", async (t) => {
  const compiler = compilers[0]?.path;
  if (compiler === undefined) return t.skip("needs g++");
  const project = new Project(t);
  const log = project.write("log");
  const wrapper = project.write("wrapper", `#!/bin/sh\necho >> ${log}\nexec ${compiler} "$@"\n`);
  chmodSync(wrapper, 0o755);
  project.makeFolder("inc");
  const cache = new SearchFolderCache();
  const ask = async (source: string, macro: string): Promise<void> => {
    const compilation = project.compilation(source, ["-Iinc", `-D${macro}`, "-include", `${macro}.h`]);
    assert.ok((await cache.of(compilation, project.context(wrapper, "gcc"))) !== undefined);
  };
  const asked = (): number => readFileSync(log).length;
  await Promise.all([ask("a.cpp", "A"), ask("b.cpp", "B"), ask("c.cpp", "C")]);
  await ask("d.cpp", "D");
  assert.equal(asked(), 1);
  rmSync(project.at("inc"), { recursive: true });
  await ask("a.cpp", "A");
  assert.equal(asked(), 2);
  await ask("a.c", "A");
  assert.equal(asked(), 3);
  return undefined;
});

test("an answer without a list is none", () => {
  assert.equal(parseSearchFolders(""), undefined);
  assert.equal(parseSearchFolders("gcc version 12.2.0\ncc1: error: bad option\n"), undefined);
  const answer = `Apple clang version 15.0.0\n#include "..." search starts here:\n#include <...> search starts here:\n /a b\n /F (framework directory)\nEnd of search list.\n`;
  assert.deepEqual(parseSearchFolders(answer), {
    quote: [],
    angle: ["/a b", "/F"],
    missing: [],
    duplicate: [],
    majorVersion: "15",
  });
});
