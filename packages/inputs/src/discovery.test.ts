import assert from "node:assert/strict";
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { test, type TestContext } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import type { Compilation } from "@homcc/compiler/compilation";
import { compilers, Project, searchPath, type InstalledCompiler } from "./discovery.fixture.ts";
import { createFinder, InputDiscovery, type Discovery } from "./discovery.ts";
import type { DiscoveryContext } from "./include-finder.ts";

type Found = Extract<Discovery, { kind: "found" }>;

/** The same with gcc and with clang. */
function withCompilers(
  what: string,
  check: (project: Project, compiler: Required<InstalledCompiler>) => Promise<void>,
): void {
  for (const compiler of compilers) {
    test(`${what} (${compiler.name})`, async (t: TestContext) => {
      if (compiler.path === undefined) return t.skip(`needs ${compiler.name}`);
      await check(new Project(t), compiler);
      return undefined;
    });
  }
}

async function discover(
  project: Project,
  { path, family }: InstalledCompiler,
  compilation: Compilation,
  more: Partial<DiscoveryContext> = {},
): Promise<Discovery> {
  return await new InputDiscovery().discover(compilation, project.context(path ?? "", family, more));
}

async function find(...args: Parameters<typeof discover>): Promise<Found> {
  const discovery = await discover(...args);
  assert.ok(discovery.kind === "found", describe(discovery));
  const paths = discovery.entries.map(({ path }) => path);
  assert.equal(new Set(paths).size, paths.length, "each path once");
  assert.equal(new Set(discovery.absent).size, discovery.absent.length);
  const missing = new Set(discovery.absent);
  assert.deepEqual(
    paths.filter((entry) => missing.has(entry)),
    [],
    "present or absent",
  );
  return discovery;
}

function describe(discovery: Discovery): string {
  return discovery.kind === "local" ? `${discovery.outcome}: ${discovery.detail}` : "found";
}

/** What lies in the project, relative to its folder. */
function own(
  project: Project,
  { entries, absent }: Found,
): Record<"files" | "folders" | "links" | "absent", string[]> {
  const inside = (paths: readonly string[]): string[] => {
    const names = paths.map((path) => relative(project.folder, path));
    return names.filter((name) => !name.startsWith("..")).sort();
  };
  const ofKind = (kind: string): string[] =>
    inside(entries.filter((entry) => entry.kind === kind).map(({ path }) => path));
  return {
    files: ofKind("file"),
    folders: ofKind("directory"),
    links: ofKind("symlink"),
    absent: inside(absent),
  };
}

function entryOf(found: Found, path: string): Found["entries"][number] {
  const entry = found.entries.find((candidate) => candidate.path === path);
  assert.ok(entry !== undefined, path);
  return entry;
}

withCompilers("what is read has its digest and the time it has at home", async (project, compiler) => {
  project.write("a.cpp", '#include "a.h"\n#include <vector>\n');
  project.write("a.h", "int a;\n");
  const found = await find(project, compiler, project.compilation("a.cpp"));
  assert.deepEqual(own(project, found).files, ["a.cpp", "a.h"]);
  assert.deepEqual(entryOf(found, project.at("a.h")), {
    kind: "file",
    path: project.at("a.h"),
    digest: digestOf(Buffer.from("int a;\n")),
    mtimeNs: statSync(project.at("a.h"), { bigint: true }).mtimeNs,
  });
  const vector = found.entries.find(({ path }) => /\/c\+\+\/[^/]+\/vector$/.test(path));
  assert.ok(vector?.kind === "file" && vector.digest === digestOf(readFileSync(vector.path)));
});

withCompilers("names are absent in every folder before the one that has them", async (project, compiler) => {
  project.write("src/a.cpp", '#include "x.h"\n#include <y.h>\n#include "sub/z.h"\n');
  project.write("two/x.h");
  project.write("three/y.h");
  project.write("two/sub/z.h");
  project.makeFolder("one");
  const args = ["-Ione", "-Itwo", "-Ithree", "-Inone"];
  const { files, folders, absent } = own(
    project,
    await find(project, compiler, project.compilation("src/a.cpp", args)),
  );
  assert.deepEqual(files, ["src/a.cpp", "three/y.h", "two/sub/z.h", "two/x.h"]);
  assert.deepEqual(folders, ["", "one", "three", "two"]);
  const expected = ["none", "one/sub", "one/x.h", "one/y.h", "src/sub", "src/x.h", "two/y.h"];
  assert.deepEqual(
    absent.filter((name) => !/stdc-predef|\.gch$/.test(name)),
    expected,
  );
});

withCompilers("headers that are only asked for are inputs or absent", async (project, compiler) => {
  project.write("a.cpp", '#if __has_include("yes.h") && !__has_include(<no.h>)\n#include "both.h"\n#endif\n');
  project.write("both.h", '#define HAVE(x) __has_include(x)\n#if HAVE("later.h") || HAVE(<inc.h>)\n#endif\n');
  project.write("yes.h", "#include <not_read.h>\n");
  project.write("inc/inc.h");
  const { files, absent } = own(
    project,
    await find(project, compiler, project.compilation("a.cpp", ["-Iinc"])),
  );
  assert.deepEqual(files, ["a.cpp", "both.h", "inc/inc.h", "yes.h"]);
  for (const name of ["inc/no.h", "later.h", "inc/later.h"]) assert.ok(absent.includes(name), name);
  // clang lists headers that it was only asked for; then they are gone through as well.
  if (compiler.family === "gcc") assert.ok(!absent.includes("inc/not_read.h"));
});

withCompilers("equal headers in two folders with #pragma once are both inputs", async (project, compiler) => {
  project.write("a.cpp", '#include "one/x.h"\n#include "two/x.h"\n');
  project.write("one/x.h", "#pragma once\nstruct S {};\n");
  project.write("two/x.h", "#pragma once\nstruct S {};\n");
  const { files } = own(project, await find(project, compiler, project.compilation("a.cpp")));
  assert.deepEqual(files, ["a.cpp", "one/x.h", "two/x.h"]);
});

withCompilers("#include_next is looked up in all folders", async (project, compiler) => {
  project.write("a.cpp", "#include <x.h>\n");
  project.write("one/x.h", "#include_next <x.h>\n");
  project.write("three/x.h", "int x;\n");
  project.makeFolder("two");
  const args = ["-Ione", "-Itwo", "-Ithree"];
  const { files, absent } = own(project, await find(project, compiler, project.compilation("a.cpp", args)));
  assert.deepEqual(files, ["a.cpp", "one/x.h", "three/x.h"]);
  assert.ok(absent.includes("two/x.h"));
});

withCompilers("links and `..` behind them are kept as links", async (project, compiler) => {
  project.write("real/deep/in.h");
  project.write("real/up.h", "#include <deep/in.h>\n");
  project.write("up.h", "#error the other one\n");
  project.link("link", "real/deep");
  project.link("abs", project.at("real"));
  project.link("real/alias.h", "up.h");
  project.write("a.cpp", '#include "link/../up.h"\n#include <alias.h>\n');
  const { files, folders, links } = own(
    project,
    await find(project, compiler, project.compilation("a.cpp", ["-Iabs"])),
  );
  assert.deepEqual(files, ["a.cpp", "real/deep/in.h", "real/up.h"]);
  assert.deepEqual(links, ["abs", "link", "real/alias.h"]);
  assert.ok(folders.includes("real") && folders.includes("real/deep"), folders.join(" "));
});

withCompilers("a working folder and a source reached through links", async (project, compiler) => {
  project.write("real/src/a.cpp", '#include "../x.h"\n');
  project.write("real/x.h");
  project.link("here", "real");
  const environment = { PATH: searchPath, PWD: project.at("here") };
  const cwd = project.at("real");
  const compilation = project.compilation(project.at("here/src/a.cpp"));
  const { files, links } = own(project, await find(project, compiler, compilation, { cwd, environment }));
  assert.deepEqual(files, ["real/src/a.cpp", "real/x.h"]);
  assert.deepEqual(links, ["here"]);
});

withCompilers("blanks, dollars, quotes and non-ASCII letters in names", async (project, compiler) => {
  const names = ["a b.h", "c$d#.h", "ä 'x:y'.h", "sp ace/ö ü/z.h"];
  for (const name of names) project.write(`in c/${name}`);
  project.write("m ä.cpp", names.map((name) => `#include "${name}"\n`).join(""));
  const { files } = own(project, await find(project, compiler, project.compilation("m ä.cpp", ["-Iin c"])));
  assert.deepEqual(files, ["m ä.cpp", ...names.map((name) => `in c/${name}`)].sort());
});

withCompilers("computed includes", async (project, compiler) => {
  project.write(
    "a.cpp",
    "#define A <a.h>\n#include A\n#include B\n#define STR(x) #x\n#define XSTR(x) STR(x)\n#include XSTR(PLACE/c.h)\n#if __has_include(D)\n#endif\n",
  );
  for (const name of ["two/a.h", "b.h", "two/place/c.h"]) project.write(name);
  project.makeFolder("one");
  const args = ["-Ione", "-Itwo", '-DB="b.h"', "-DPLACE=place", "-DD=<d.h>"];
  const { files, absent } = own(project, await find(project, compiler, project.compilation("a.cpp", args)));
  assert.deepEqual(files, ["a.cpp", "b.h", "two/a.h", "two/place/c.h"]);
  for (const name of ["one/a.h", "one/place", "place", "one/d.h", "two/d.h"])
    assert.ok(absent.includes(name), name);
});

withCompilers("a question with a computed operand needs the scanner", async (project, compiler) => {
  project.write("a.cpp", "#define STR(x) #x\n#if __has_include(STR(x.h))\n#endif\n");
  const compilation = project.compilation("a.cpp");
  const discovery = await new InputDiscovery(createFinder({ scans: false })).discover(
    compilation,
    project.context(compiler.path ?? "", compiler.family),
  );
  assert.ok(discovery.kind === "local" && discovery.outcome === "inputs-unknown", describe(discovery));
  const { absent } = own(project, await find(project, compiler, compilation));
  assert.ok(absent.includes("x.h"));
});

withCompilers(
  "a missing header and an #error leave a result that the server can repeat",
  async (project, compiler) => {
    project.write("a.cpp", '#include "x.h"\n#include "missing.h"\n#error stop\n#include "y.h"\n');
    project.write("x.h");
    project.write("y.h");
    const { files, absent } = own(
      project,
      await find(project, compiler, project.compilation("a.cpp", ["-Iinc"])),
    );
    assert.deepEqual(files, ["a.cpp", "x.h", "y.h"]);
    assert.ok(absent.includes("missing.h") && absent.includes("inc"));
  },
);

withCompilers("a source that includes itself without end", async (project, compiler) => {
  project.write("a.cpp", '#include "x.h"\n#include "a.cpp"\n');
  project.write("x.h", '#include "y.h"\n');
  project.write("y.h");
  const { files } = own(project, await find(project, compiler, project.compilation("a.cpp")));
  assert.deepEqual(files, ["a.cpp", "x.h", "y.h"]);
});

withCompilers("forced includes are looked for in the working folder first", async (project, compiler) => {
  project.write("src/a.cpp");
  project.write("inc/first.h", '#include "second.h"\n');
  project.write("inc/second.h");
  project.write("macros.h");
  const args = ["-Iinc", "-include", "first.h", "-imacros", "macros.h"];
  const compilation = project.compilation("src/a.cpp", args, { forcedIncludes: ["first.h", "macros.h"] });
  const { files, absent } = own(project, await find(project, compiler, compilation));
  assert.deepEqual(files, ["inc/first.h", "inc/second.h", "macros.h", "src/a.cpp"]);
  assert.ok(absent.includes("first.h") && !absent.includes("src/first.h"));
});

withCompilers("files that options, inline assembly, #line and #pragma name", async (project, compiler) => {
  project.write(
    "a.cpp",
    'asm(".incbin \\"data.bin\\"");\n#line 3 "gen/a.y"\n#pragma GCC dependency "a.list"\n# 4 "none.y"\n',
  );
  for (const name of ["data.bin", "gen/a.y", "a.list", "ignore.txt"]) project.write(name);
  const compilation = project.compilation("a.cpp", [], { extraInputs: ["ignore.txt"], outputs: ["out/a.o"] });
  const { files, absent } = own(project, await find(project, compiler, compilation));
  assert.deepEqual(files, ["a.cpp", "a.list", "data.bin", "gen/a.y", "ignore.txt"]);
  assert.ok(absent.includes("none.y") && absent.includes("out"));
});

const atHome: readonly [string, string, readonly string[], readonly string[], string][] = [
  ["inline assembly with an unknown file", 'asm(".incbin " NAME);', [], [], "local-construct"],
  ["inline assembly with a missing file", 'asm(".incbin \\"no.bin\\"");', [], [], "local-construct"],
  ["a precompiled forced include", "", ["-include", "p.h"], ["p.h", "p.h.gch"], "local-construct"],
  ["an option that the compiler does not know", "", ["--no-such-option"], [], "inputs-unknown"],
];
for (const [what, text, args, files, outcome] of atHome) {
  withCompilers(`${what} belongs at home`, async (project, compiler) => {
    project.write("a.cpp", text);
    for (const name of files) project.write(name);
    const forcedIncludes = args[0] === "-include" ? args.slice(1) : [];
    const discovery = await discover(
      project,
      compiler,
      project.compilation("a.cpp", args, { forcedIncludes }),
    );
    assert.ok(discovery.kind === "local" && discovery.outcome === outcome, describe(discovery));
  });
}

withCompilers("a missing source and a name that is not UTF-8 belong at home", async (project, compiler) => {
  const missing = await discover(project, compiler, project.compilation("none.cpp"));
  assert.ok(missing.kind === "local" && missing.outcome === "unreadable-input");
  writeFileSync(project.at("bad.cpp"), Buffer.from('#include "\xff.h"\n', "latin1"));
  const invalid = await discover(project, compiler, project.compilation("bad.cpp"));
  assert.ok(invalid.kind === "local" && invalid.outcome === "not-utf8");
});

test("gcc's precompiled header beside a first include belongs at home, beside a later one not", async (t) => {
  const compiler = compilers[0];
  if (compiler?.path === undefined) return t.skip("needs g++");
  const project = new Project(t);
  project.write("a.cpp", '#include "x.h"\n#include "y.h"\n');
  for (const name of ["inc/x.h", "inc/y.h", "inc/y.h.gch"]) project.write(name);
  const compilation = project.compilation("a.cpp", ["-Iinc"]);
  assert.equal((await discover(project, compiler, compilation)).kind, "found");
  project.makeFolder("inc/x.h.gch");
  const discovery = await discover(project, compiler, compilation);
  assert.ok(discovery.kind === "local" && discovery.outcome === "local-construct");
  return undefined;
});

test("clang's modules belong at home; gcc without the option for them does not see any", async (t) => {
  const [gcc, clang] = compilers;
  if (gcc?.path === undefined || clang?.path === undefined) return t.skip("needs g++ and clang++");
  const project = new Project(t);
  project.write("a.cpp", "struct import {};\nimport x;\n");
  const compilation = project.compilation("a.cpp", ["-std=c++20"]);
  assert.equal((await discover(project, gcc, compilation)).kind, "found");
  const discovery = await discover(project, clang, compilation);
  assert.ok(discovery.kind === "local" && discovery.outcome === "local-construct");
  return undefined;
});

test("preprocessed text needs no headers, but those it names for messages", async (t) => {
  const compiler = compilers[0];
  if (compiler?.path === undefined) return t.skip("needs g++");
  const project = new Project(t);
  project.write("a.ii", '# 1 "a.cpp"\n# 1 "x.h" 1\nint x;\n# 2 "a.cpp" 2\n# 1 "<command-line>" 1\n');
  project.write("x.h", '#include "y.h"\n');
  project.write("y.h");
  const compilation = project.compilation("a.ii", [], { language: "c++-cpp-output" });
  const { files, absent } = own(project, await find(project, compiler, compilation));
  assert.deepEqual(files, ["a.ii", "x.h"]);
  assert.ok(absent.includes("a.cpp"));
  return undefined;
});

test("the compiler is asked in C, and its catalogs travel for other languages", async (t) => {
  const compiler = compilers[0];
  if (compiler?.path === undefined) return t.skip("needs g++");
  const project = new Project(t);
  project.write("a.cpp");
  const catalogs = async (environment: Record<string, string>): Promise<string[]> => {
    const found = await find(project, compiler, project.compilation("a.cpp"), {
      environment: { PATH: searchPath, ...environment },
    });
    return [...found.entries.map(({ path }) => path), ...found.absent].filter((path) =>
      path.startsWith("/usr/share/locale"),
    );
  };
  assert.deepEqual(await catalogs({ LANG: "C" }), []);
  assert.deepEqual(await catalogs({ LC_ALL: "C.UTF-8", LANG: "de_DE.UTF-8" }), []);
  assert.ok((await catalogs({ LANG: "de_DE.UTF-8" })).length > 0);
  assert.ok(
    (await catalogs({ LANG: "en_US.UTF-8", LANGUAGE: "fr:de" })).some((path) => path.includes("/fr")),
  );
  return undefined;
});

test("a compiler that lists nothing: everything that names lead to, unless a name is computed", async (t) => {
  const [compiler] = compilers;
  if (compiler?.path === undefined) return t.skip("needs g++");
  const project = new Project(t);
  const script = `#!/bin/sh\ncase " $* " in *" -M "*) exit 1;; esac\nexec ${compiler.path} "$@"\n`;
  const path = project.write("unwilling", script);
  chmodSync(path, 0o755);
  project.write(
    "a.cpp",
    '#include "x.h"\n#if 0\n#include <y.h>\n#endif\n#if __has_include("only_asked.h")\n#endif\n',
  );
  project.write("x.h", '#include "sub/z.h"\n#define Z <deep.h>\n');
  project.write("sub/z.h", '#include "beside.h"\n#include Z\n');
  for (const name of ["sub/beside.h", "inc/y.h", "inc/deep.h"]) project.write(name);
  project.write("only_asked.h", '#include "never.h"\n');
  const compilation = project.compilation("a.cpp", ["-Iinc"]);
  const { files, absent } = own(project, await find(project, { ...compiler, path }, compilation));
  const expected = ["a.cpp", "inc/deep.h", "inc/y.h", "only_asked.h", "sub/beside.h", "sub/z.h", "x.h"];
  assert.deepEqual(files, expected);
  assert.ok(!absent.includes("never.h"));
  project.write("x.h", "#include UNKNOWN\n");
  const discovery = await discover(project, { ...compiler, path }, compilation);
  assert.ok(discovery.kind === "local" && discovery.outcome === "inputs-unknown", describe(discovery));
  return undefined;
});

test("an aborted discovery ends the compiler and rejects", async (t) => {
  const project = new Project(t);
  project.write("a.cpp");
  const slow = project.write("slow", "#!/bin/sh\nexec sleep 60\n");
  chmodSync(slow, 0o755);
  const abort = new AbortController();
  const discovery = new InputDiscovery().discover(
    project.compilation("a.cpp"),
    project.context(slow, "gcc", { signal: abort.signal }),
  );
  setImmediate(() => abort.abort(new Error("gone")));
  await assert.rejects(discovery, /gone/);
});

withCompilers("a header that is deleted meanwhile is no crash", async (project, compiler) => {
  project.write("a.cpp", '#include "x.h"\n');
  const header = project.write("x.h", "int x;\n");
  const discovery = new InputDiscovery().discover(
    project.compilation("a.cpp"),
    project.context(compiler.path ?? "", compiler.family),
  );
  rmSync(header);
  const { kind } = await discovery;
  assert.ok(kind === "found" || kind === "local");
});

withCompilers(
  "a released discovery gives the same lists again without a compiler",
  async (project, compiler) => {
    project.write("a.h", "");
    project.write("main.c", '#include "a.h"\n#if __has_include("none.h")\n#endif\n');
    const finder = createFinder({ scans: false });
    const discovery = new InputDiscovery(finder);
    const context = project.context(compiler.path ?? "", compiler.family);
    const compilation = project.compilation("main.c");
    const first = await discovery.discover(compilation, context);
    discovery.release();
    assert.deepEqual(await discovery.discover(compilation, context), first);
    assert.equal(finder.counters.misses, 1);
  },
);
