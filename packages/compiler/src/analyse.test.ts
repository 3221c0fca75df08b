import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import type { OutcomeName } from "@homcc/observability/outcomes";
import { analyse } from "./analyse.ts";
import type { Analysis, Compilation, CompilerFamily } from "./compilation.ts";
import { explainOptions } from "./explain.ts";
import type { FileKind, FileProbe } from "./file-probe.ts";
import { optionTable } from "./option-table.ts";

const cwd = "/work";

interface Scene {
  /** What is there; everything else but sources is absent. */
  readonly kinds?: Readonly<Record<string, FileKind>>;
  readonly texts?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Every source is readable and every folder writable unless the scene says otherwise. */
function probe(scene: Scene): FileProbe {
  return {
    kind: (path) => Promise.resolve(scene.kinds?.[path] ?? "absent"),
    isReadable: (path) => Promise.resolve(!path.includes("missing") && scene.kinds?.[path] !== "directory"),
    isWritableFolder: (path) => Promise.resolve(!path.includes("missing")),
    readText: (path) => Promise.resolve(scene.texts?.[path]),
  };
}

function ask(
  family: CompilerFamily,
  command: string | readonly string[],
  scene: Scene = {},
): Promise<Analysis> {
  const argv = typeof command === "string" ? command.split(" ") : command;
  return analyse(
    { argv, cwd: scene.cwd ?? cwd, environment: scene.environment ?? {}, family },
    { temporaryObject: (_source, index) => `/tmp/t/${index}.o`, probe: probe(scene) },
  );
}

async function sent(family: CompilerFamily, command: string | readonly string[], scene: Scene = {}) {
  const analysis = await ask(family, command, scene);
  assert.ok(analysis.verdict === "distribute", JSON.stringify(analysis));
  return analysis;
}

async function one(family: CompilerFamily, command: string, scene: Scene = {}): Promise<Compilation> {
  const { compilations } = await sent(family, command, scene);
  const [compilation] = compilations;
  assert.ok(compilation !== undefined && compilations.length === 1);
  return compilation;
}

async function atHome(family: CompilerFamily, command: string | readonly string[], scene: Scene = {}) {
  const analysis = await ask(family, command, scene);
  assert.ok(analysis.verdict === "local", JSON.stringify(analysis));
  return analysis;
}

const localCases: readonly (readonly [CompilerFamily, string, OutcomeName])[] = [
  ["gcc", "gcc -E a.c", "no-compilation"],
  ["gcc", "gcc -M a.c", "no-compilation"],
  ["clang", "clang --version", "no-compilation"],
  ["gcc", "gcc -v", "no-compilation"],
  ["gcc", "gcc", "no-compilation"],
  ["gcc", "gcc -v -c a.c", "local-option"],
  ["gcc", "gcc -c a.o", "no-compilation"],
  ["gcc", "gcc a.o libx.a -o app", "linking-only"],
  ["gcc", "gcc -c conftest.c", "configure-check"],
  ["gcc", "gcc -c CheckSymbolExists.c", "configure-check"],
  ["gcc", "gcc -x c -c /dev/null", "configure-check"],
  ["gcc", "gcc -x c -c -", "configure-check"],
  ["gcc", "gcc -c /b/CMakeFiles/CMakeScratch/TryCompile-x/src.c", "configure-check"],
  ["gcc", "gcc -c meson-private/tmp/testfile.c", "configure-check"],
  ["gcc", "gcc -c a.c --unheard-of", "unknown-option"],
  ["gcc", "gcc -c a.c -unheard-of x", "unsupported-language"],
  ["gcc", "gcc -c a.c -q", "unknown-option"],
  ["clang", "clang -c a.c -Xclang -unheard-of", "unknown-option"],
  ["clang", "clang -c a.c -Xclang -fnever-heard-of", "unknown-option"],
  ["gcc", "gcc -c a.c -Wp,-P", "unknown-option"],
  ["gcc", "gcc -c a.c -Wa,@f", "unreadable-input"],
  ["gcc", "gcc -c a.c @missing", "unreadable-input"],
  ["gcc", "gcc -c a.c -o", "local-option"],
  ["gcc", "gcc -c a.c -o a.o -o b.o", "local-option"],
  ["gcc", "gcc -c a.c b.c -o x.o", "local-option"],
  ["gcc", "gcc -c a.c x.o -o y.o", "unsupported-language"],
  ["gcc", "gcc -c a.s", "unsupported-language"],
  ["gcc", "gcc -c a.h", "unsupported-language"],
  ["gcc", "gcc -c a.CXX", "no-compilation"],
  ["gcc", "gcc -x c++-header -c a.cpp", "unsupported-language"],
  ["gcc", "gcc -x cuda -c a.cpp", "unsupported-language"],
  ["gcc", "gcc a.c b.S -o app", "unsupported-language"],
  ["gcc", "gcc a.c d/a.c -o app", "local-option"],
  ["gcc", "gcc -MD a.c -o app", "local-option"],
  ["clang", "clang -gsplit-dwarf a.c -o app", "local-option"],
  ["gcc", "gcc -frecord-gcc-switches a.c", "local-option"],
  ["gcc", "gcc -c -save-temps=obj a.c", "local-option"],
  ["gcc", "gcc -c -fplugin=x.so a.c", "local-option"],
  ["gcc", "gcc -c -B. a.c", "local-option"],
  ["gcc", "gcc -c -dumpbase x a.c", "local-option"],
  ["gcc", "gcc -c -da a.c", "local-option"],
  ["gcc", "gcc -c -MD -MG a.c", "local-option"],
  ["gcc", "gcc -c -iwithprefix inc a.c", "local-option"],
  ["gcc", "gcc -c -I=/inc a.c", "local-option"],
  ["gcc", "gcc -c -fprofile-use=dir a.c", "local-option"],
  ["clang", "clang -c -fprofile-use a.c", "local-option"],
  ["clang", "clang -c -arch x86_64 -arch arm64 a.c", "local-option"],
  ["clang", "clang -c -Wp,-MD,f.d,-DX a.c", "local-option"],
  ["clang", "clang -c -Xclang -load -Xclang x.so a.c", "local-option"],
  ["clang", "clang -c -include-pch x.pch a.c", "local-option"],
  ["clang", "clang -c -fmodules a.c", "local-option"],
  ["clang", "clang -c -- -a.c", "unreadable-input"],
  ["gcc", "gcc -c -o - a.c", "special-output"],
  ["gcc", "gcc -c -o missing/a.o a.c", "special-output"],
  ["gcc", "gcc -c -o a.c a.c", "special-output"],
  ["gcc", "gcc -c -MD -MF - a.c", "special-output"],
  ["gcc", "gcc -c -MD -MF /dev/null a.c", "special-output"],
  ["gcc", "gcc -c -MD -MF a.o a.c", "special-output"],
  ["gcc", "gcc -c -MD -Wp,-MD,f.d a.c", "special-output"],
  ["gcc", "gcc -c -MD -o /dev/null a.c", "special-output"],
  ["gcc", "gcc -c a.c d/a.c", "special-output"],
  ["gcc", "gcc -c missing.c", "unreadable-input"],
  ["gcc", "gcc -x c -c /dev/stdin", "unreadable-input"],
];

for (const [family, command, outcome] of localCases) {
  test(`${command} stays at home: ${outcome}`, async () => {
    const kinds: Record<string, FileKind> = { "/dev/null": "other" };
    assert.equal((await atHome(family, command, { kinds })).outcome, outcome);
  });
}

test("every option the table keeps at home does keep a command at home", async () => {
  for (const row of optionTable) {
    if (row.meaning.class !== "local" || !row.readers.includes("driver")) continue;
    for (const family of row.families) {
      const words = row.operand === "none" ? [row.name] : [`${row.name}=x`, row.name, "x"];
      const first =
        row.spelling === "joined"
          ? [`${row.name}x`]
          : row.spelling === "equals"
            ? [`${row.name}=x`]
            : words.slice(-2);
      const analysis = await atHome(family, ["cc", "-c", "a.c", ...first]);
      assert.match(analysis.outcome, /local-option|no-compilation/, first.join(" "));
    }
  }
});

test("checks of the machine are silent, builds are not", async () => {
  assert.equal((await atHome("gcc", "gcc -c conftest.c")).silent, true);
  assert.equal((await atHome("gcc", "gcc -E conftest.c")).silent, true);
  assert.equal((await atHome("gcc", "gcc a.o", { cwd: "/b/CMakeFiles/CMakeTmp" })).silent, true);
  assert.equal((await atHome("gcc", "gcc -E a.c")).silent, false);
  await one("gcc", "gcc -c CheckFunctionArguments.c");
});

test("linking alone names its product", async () => {
  const analysis = await atHome("gcc", "gcc a.o b.o -o app");
  assert.deepEqual([analysis.detail, analysis.linkOutput], ["a.o, b.o", "app"]);
  assert.equal((await atHome("gcc", "gcc a.o")).linkOutput, "a.out");
});

test("a plain compile is sent token for token", async () => {
  const command =
    "/usr/bin/g++-12 -DX=1 -I inc -isystem /sys/inc -iquote q -idirafter z -MD -MT t -MF out/a.d -O2 -Wall -c d/a.cpp -o out/a.o";
  const compilation = await one("gcc", command);
  assert.deepEqual(compilation.argv, command.split(" "));
  assert.deepEqual(
    [compilation.source, compilation.language, compilation.mainOutput, compilation.outputs],
    ["d/a.cpp", "c++", "out/a.o", ["out/a.o", "out/a.d"]],
  );
  assert.deepEqual(
    compilation.discoveryArguments,
    "-DX=1 -I inc -isystem /sys/inc -iquote q -idirafter z -O2".split(" "),
  );
  assert.deepEqual(compilation.includeDirectories, [
    { path: "inc", kind: "angle" },
    { path: "/sys/inc", kind: "system" },
    { path: "q", kind: "quote" },
    { path: "z", kind: "after" },
  ]);
  assert.deepEqual([compilation.replay, compilation.mappedVeto], [false, undefined]);
});

const language = async (command: string) => (await one("gcc", command)).language;

test("languages: endings are case-sensitive, -x holds from where it stands, C++ drivers make C++ of C", async () => {
  assert.equal(await language("gcc -c a.c"), "c");
  assert.equal(await language("g++ -c a.c"), "c++");
  assert.equal(await language("gcc -c a.C"), "c++");
  assert.equal(await language("gcc -c a.mm"), "objective-c++");
  assert.equal(await language("gcc -xc++ -c a.c"), "c++");
  assert.equal((await one("clang", "clang++ -xnone -c a.c")).language, "c++");
  for (const command of ["g++ -xnone -c a.c", "g++ -c -xc a.c b.c"])
    assert.match((await atHome("gcc", command)).detail, /g\+\+ reads it for one source only/);
  assert.equal(await language("gcc -x c++ -x none -c a.c"), "c");
  assert.equal(await language("gcc -x c -c noending"), "c");
  const several = await sent("gcc", "gcc -c a.c -x c++ b.c -x none c.i");
  assert.deepEqual(
    several.compilations.map((compilation) => compilation.language),
    ["c", "c++", "cpp-output"],
  );
  assert.deepEqual(several.compilations[1]?.discoveryArguments, ["-x", "c++"]);
});

test("several sources become one compilation each", async () => {
  const { compilations, link } = await sent("gcc", "gcc -O2 a.c -c b.c -MMD");
  assert.equal(link, undefined);
  assert.deepEqual(
    compilations.map(({ argv, outputs }) => [argv.join(" "), outputs]),
    [
      ["gcc -O2 a.c -c -MMD", ["a.o", "a.d"]],
      ["gcc -O2 -c b.c -MMD", ["b.o", "b.d"]],
    ],
  );
});

test("compile and link is split", async () => {
  const { compilations, link } = await sent(
    "clang",
    "clang++ -x c++ a.c -x none -O2 b.o b.cpp -Wl,-z,now -lm -o app",
  );
  assert.deepEqual(
    compilations.map(({ argv, mainOutput }) => [argv.join(" "), mainOutput]),
    [
      ["clang++ -c -o /tmp/t/0.o -x c++ a.c -x none -O2", "/tmp/t/0.o"],
      ["clang++ -c -o /tmp/t/1.o -x c++ -x none -O2 b.cpp", "/tmp/t/1.o"],
    ],
  );
  assert.deepEqual(link, {
    argv: ["clang++", { object: 0 }, "-O2", "b.o", { object: 1 }, "-Wl,-z,now", "-lm", "-o", "app"],
    output: "app",
  });
});

test("response files are expanded before anything else", async () => {
  const texts = { "/work/args": "-DX='1 2' @/abs/more", "/abs/more": "-c a.c" };
  const compilation = await one("gcc", "gcc @args -O2", { texts });
  assert.deepEqual(compilation.argv, ["gcc", "-DX=1 2", "-c", "a.c", "-O2"]);
});

test("extra inputs and outputs", async () => {
  const gcc = await one(
    "gcc",
    "gcc -c a.c -Wa,-alh=l.lst,more.s,--defsym,x.c=1 -aux-info p.X -fopt-info-vec=v -fstack-usage -gsplit-dwarf",
  );
  assert.deepEqual(gcc.extraInputs, ["more.s"]);
  assert.deepEqual(gcc.outputs, ["a.o", "a.su", "a.dwo", "p.X", "v", "l.lst"]);
  const lists = await one(
    "clang",
    "clang -c a.c -fsanitize-ignorelist=i.txt --serialize-diagnostics d.dia -ftime-trace -o o/x.y.o",
  );
  assert.deepEqual(lists.extraInputs, ["i.txt"]);
  assert.deepEqual(lists.outputs, ["o/x.y.o", "o/x.y.json", "d.dia"]);
  const profile = await one("clang", "clang -c a.c -fprofile-use=prof", {
    kinds: { "/work/prof": "directory" },
  });
  assert.deepEqual(profile.extraInputs, ["prof/default.profdata"]);
});

test("-fsyntax-only and -o /dev/null have no main output", async () => {
  for (const command of ["gcc -fsyntax-only a.c", "gcc -c a.c -o /dev/null"]) {
    const { mainOutput, outputs } = await one("gcc", command);
    assert.deepEqual([mainOutput, outputs], [undefined, []]);
  }
});

test("-S beats -c", async () => {
  assert.equal((await one("gcc", "gcc -S -c d/a.c")).mainOutput, "a.s");
  assert.equal((await one("clang", "clang -c -S -emit-llvm a.c")).mainOutput, "a.ll");
  assert.equal((await one("clang", "clang -c -emit-llvm a.c")).mainOutput, "a.bc");
});

test("what looks at this machine is replayed", async () => {
  for (const [family, command] of [
    ["gcc", "gcc -c -march=native a.c"],
    ["gcc", "gcc -c -mtune=native a.c"],
    ["clang", "clang -c -mcpu=native a.c"],
    ["clang", "clang -c --sysroot=/s a.c"],
    ["clang", "clang -c --target=arm-linux-gnueabi a.c"],
    ["clang", "clang -c --gcc-toolchain=/g a.c"],
  ] as const) {
    assert.equal((await one(family, command)).replay, true, command);
  }
  assert.equal((await one("gcc", "gcc -c --sysroot=/s -march=x86-64 -m32 a.c")).replay, false);
});

test("a mapped folder would show in some objects", async () => {
  for (const options of [
    "--coverage",
    "-fprofile-generate",
    "-fsanitize=address",
    "-ffile-prefix-map=/a=/b",
    "-frecord-gcc-switches",
    "-gsplit-dwarf -o /abs/a.o",
  ]) {
    assert.ok((await one("gcc", `gcc -c a.c ${options}`)).mappedVeto?.startsWith("-"), options);
  }
  assert.equal((await one("gcc", "gcc -c a.c -gsplit-dwarf -o a.o")).mappedVeto, undefined);
});

test("outputs that are no regular files are the local compiler's", async () => {
  for (const kind of ["directory", "symlink", "other"] as const) {
    const analysis = await atHome("gcc", "gcc -c a.c -MD", { kinds: { "/work/a.d": kind } });
    assert.deepEqual([analysis.outcome, analysis.detail], ["special-output", "a.d"]);
  }
  await one("gcc", "gcc -c a.c -MD", { kinds: { "/work/a.d": "file", "/work/a.o": "file" } });
});

test("a precompiled form of a forced include stays at home", async () => {
  for (const [command, precompiled] of [
    ["gcc -c a.c -include all.h", "/work/all.h.gch"],
    ["gcc -c a.c -I inc -include all.h", "/work/inc/all.h.gch"],
    ["gcc -c a.c -include /abs/all.h", "/abs/all.h.gch"],
  ] as const) {
    assert.equal(
      (await atHome("gcc", command, { kinds: { [precompiled]: "file" } })).outcome,
      "local-construct",
    );
    assert.deepEqual((await one("gcc", command)).forcedIncludes.length, 1);
  }
});

test("-imacros comes before -include, and the folders of the environment last", async () => {
  const environment = { CPATH: "one::two", CPLUS_INCLUDE_PATH: "cxx", C_INCLUDE_PATH: "c" };
  const compilation = await one(
    "gcc",
    "g++ -c a.cc -include i.h -imacros m.h -iprefix /p/ -iwithprefixbefore w --sysroot=/s -I=/r",
    { environment },
  );
  assert.deepEqual(compilation.forcedIncludes, ["m.h", "i.h"]);
  assert.deepEqual(
    compilation.includeDirectories.map(({ path, kind }) => `${kind} ${path}`),
    ["angle /p/w", "angle /s/r", "angle one", "angle .", "angle two", "system cxx"],
  );
});

test("wrapped options count as the compiler's own", async () => {
  const clang = await one(
    "clang",
    "clang -c a.c -Xclang -include -Xclang i.h -Xclang -D -Xclang X -mllvm -inline-threshold=9",
  );
  assert.deepEqual(clang.forcedIncludes, ["i.h"]);
  assert.deepEqual(clang.discoveryArguments, "-Xclang -include -Xclang i.h -Xclang -D -Xclang X".split(" "));
  const gcc = await one("gcc", "gcc -c a.c -Wp,-MMD,w.d,-DX,-I,inc");
  assert.deepEqual(gcc.outputs, ["a.o", "w.d"]);
  assert.deepEqual(gcc.discoveryArguments, ["-DX", "-Iinc"]);
});

test("variables that keep a job at home do", async () => {
  const analysis = await atHome("gcc", "gcc -c a.c", { environment: { COMPILER_PATH: "/x" } });
  assert.deepEqual([analysis.outcome, analysis.detail], ["local-environment", "COMPILER_PATH"]);
});

test("the real file system is asked by default", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-analyse-"));
  try {
    await writeFile(join(folder, "a.c"), "");
    await writeFile(join(folder, "args"), "-c a.c");
    await mkdir(join(folder, "folder.o"));
    await symlink("a.c", join(folder, "link.o"));
    const verdict = async (...words: string[]) => {
      const analysis = await analyse(
        { argv: ["gcc", ...words], cwd: folder, environment: {}, family: "gcc" },
        { temporaryObject: (_source, index) => String(index) },
      );
      return analysis.verdict === "local" ? analysis.outcome : "sent";
    };
    assert.equal(await verdict("@args"), "sent");
    assert.equal(await verdict("-c", "b.c"), "unreadable-input");
    assert.equal(await verdict("-c", "a.c", "-o", "folder.o"), "special-output");
    assert.equal(await verdict("-c", "a.c", "-o", "link.o"), "special-output");
    assert.equal(await verdict("-c", "a.c", "-o", "none/a.o"), "special-output");
    assert.equal(await verdict("-c", "a.c", "-o", "a.c/a.o"), "special-output");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("explaining names each part's class and reason", () => {
  assert.deepEqual(
    explainOptions(["gcc", "-Ix", "-fplugin=p", "a.c", "-q", "-o"], "gcc").map(
      (part) => `${part.text}: ${part.class}`,
    ),
    ["-Ix: include-folder", "-fplugin=p: local", "a.c: input", "-q: unknown", "-o: incomplete"],
  );
});

test("any command gets a verdict", async () => {
  const word = fc.oneof(
    fc.constantFrom(...optionTable.map(({ name }) => name)),
    fc.constantFrom(
      "a.c",
      "b.cpp",
      "-c",
      "-o",
      "x.o",
      "@f",
      "-",
      "--",
      "",
      "-Wp,-MD,f",
      "-Xclang",
      "-x",
      "c++",
    ),
    fc.string({ maxLength: 8 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(word, { maxLength: 10 }),
      fc.constantFrom<CompilerFamily>("gcc", "clang"),
      async (words, family) => {
        const analysis = await ask(family, ["cc", ...words], { texts: { "/work/f": "-c 'x y'" } });
        if (analysis.verdict === "local") return;
        assert.ok(analysis.compilations.length > 0);
        for (const compilation of analysis.compilations)
          assert.ok(compilation.argv.includes(compilation.source));
      },
    ),
    { numRuns: 500 },
  );
});

test("folders of #embed count when inputs are listed", async () => {
  const { discoveryArguments } = await one("clang", "clang -std=c23 --embed-dir=data -c a.c");
  assert.deepEqual(discoveryArguments, ["-std=c23", "--embed-dir=data"]);
});
