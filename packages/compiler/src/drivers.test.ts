import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { analyse } from "./analyse.ts";
import type { Analysis, CompilerFamily } from "./compilation.ts";

// What the analysis says about a command is compared with what the compilers really do with it.

const drivers: Readonly<Record<CompilerFamily, string>> = { gcc: "g++", clang: "clang++" };

async function withProject(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-drivers-"));
  try {
    await Promise.all(["out", "dir.d", "inc"].map((name) => mkdir(join(folder, name))));
    await writeFile(join(folder, "inc/f.h"), "#define F 1\n");
    await writeFile(join(folder, "a.cpp"), "int f(int x) { return x + 1; }\n");
    await writeFile(join(folder, "inc/b.x.cc"), "int f(int); int main() { return f(-1); }\n");
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function files(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

function run(argv: readonly string[], cwd: string) {
  const [program = "", ...words] = argv;
  return spawnSync(program, words, { cwd, encoding: "utf8", env: { PATH: process.env["PATH"] ?? "" } });
}

const probeEnvironment = {};

function ask(argv: readonly string[], family: CompilerFamily, cwd: string): Promise<Analysis> {
  return analyse(
    { argv, cwd, environment: probeEnvironment, family },
    { temporaryObject: (_source, index) => join(cwd, "out", `${index}.o`) },
  );
}

function skipReason(family: CompilerFamily): string | false {
  return spawnSync(drivers[family], ["--version"]).status === 0 ? false : `needs ${drivers[family]}`;
}

const anyAction = fc.constantFrom(["-c"], ["-S"], ["-c", "-S"], ["-fsyntax-only"]);
const anyOutput = fc.constantFrom<string[]>(
  [],
  ["-o", "out/z.o"],
  ["-oout/z"],
  ["-o", "dir.d/z"],
  ["-o", "z.q.o"],
  ["-o", "./out/z.obj"],
  ["--output=z.s"],
  ["-o", "z."],
);
const anySource = fc.constantFrom("a.cpp", "inc/b.x.cc");
const common = [
  ["-MD"],
  ["-MMD", "-MP"],
  ["-MD", "-MF", "out/own.d"],
  ["-MMD", "-MFown2.d", "-MTtarget"],
  ["-Wp,-MD,wp.d"],
  ["-Xpreprocessor", "-DWRAPPED"],
  ["-gsplit-dwarf"],
  ["-gsplit-dwarf", "-g3"],
  ["--coverage"],
  ["-ftest-coverage"],
  ["-fprofile-arcs"],
  ["-fstack-usage"],
  ["-fsave-optimization-record", "-O2"],
  ["-O2", "-Wall"],
  ["-include", "inc/f.h"],
  ["-Iinc", "-isystem", "inc"],
  ["-Wa,-alh=list.txt"],
  ["-D", "X=1"],
  ["-x", "c++"],
  ["-fPIC"],
];
const own: Readonly<Record<CompilerFamily, string[][]>> = {
  gcc: [["-fcallgraph-info"], ["-fopt-info-vec=vec.txt", "-O3"], ["-aux-info", "protos.txt"]],
  clang: [
    ["-ftime-trace"],
    ["--serialize-diagnostics", "d.dia"],
    ["-foptimization-record-file=rec.yaml"],
    ["-emit-llvm"],
    ["-Xclang", "-include", "-Xclang", "inc/f.h"],
  ],
};

for (const family of ["gcc", "clang"] as const) {
  test(`${family}: every file a distributed command writes is declared`, async (context) => {
    const reason = skipReason(family);
    if (reason !== false) return context.skip(reason);
    let succeeded = 0;
    await fc.assert(
      fc.asyncProperty(
        anyAction,
        anyOutput,
        anySource,
        fc.uniqueArray(fc.constantFrom(...common, ...own[family]), { maxLength: 4 }),
        async (action, output, source, options) => {
          const argv = [drivers[family], ...action, ...options.flat(), source, ...output];
          await withProject(async (folder) => {
            const before = await files(folder);
            const analysis = await ask(argv, family, folder);
            if (analysis.verdict === "local") return;
            const [compilation] = analysis.compilations;
            assert.ok(compilation !== undefined && analysis.compilations.length === 1);
            assert.deepEqual(compilation.argv, argv);
            const result = run(argv, folder);
            const written = (await files(folder)).filter((name) => !before.includes(name));
            const declared = new Set(compilation.outputs.map((name) => name.replace(/^\.\//, "")));
            assert.deepEqual(
              written.filter((name) => !declared.has(name)),
              [],
              argv.join(" "),
            );
            if (result.status !== 0) return;
            succeeded += 1;
            if (compilation.mainOutput !== undefined) {
              assert.ok(written.includes(compilation.mainOutput.replace(/^\.\//, "")), argv.join(" "));
            }
          });
        },
      ),
      { numRuns: 60 },
    );
    assert.ok(succeeded > 15, `only ${succeeded} commands were compiled`);
  });

  test(`${family}: splitting compiles and links like the one command`, async (context) => {
    const reason = skipReason(family);
    if (reason !== false) return context.skip(reason);
    for (const options of [
      [],
      ["-O2", "-g"],
      ["-flto", "-O1"],
      ["-x", "c++"],
      ["-static-libgcc", "-Wl,-z,now"],
      ["-L.", "-lm"],
    ]) {
      await withProject(async (folder) => {
        const argv = [drivers[family], ...options, "a.cpp", "inc/b.x.cc", "-o", "app"];
        const analysis = await ask(argv, family, folder);
        assert.ok(analysis.verdict === "distribute" && analysis.link !== undefined);
        assert.equal(run(argv, folder).status, 0);
        const whole = await readFile(join(folder, "app"));
        await rm(join(folder, "app"));
        for (const compilation of analysis.compilations) {
          const result = run(compilation.argv, folder);
          assert.deepEqual([result.status, result.stderr], [0, ""], compilation.argv.join(" "));
        }
        const objects = analysis.compilations.map(({ mainOutput }) => mainOutput ?? "");
        const link = analysis.link.argv.map((word) =>
          typeof word === "string" ? word : (objects[word.object] ?? ""),
        );
        assert.equal(run(link, folder).status, 0, link.join(" "));
        assert.ok(whole.equals(await readFile(join(folder, "app"))), argv.join(" "));
      });
    }
  });

  test(`${family}: the driver compiles the sources the analysis names`, async (context) => {
    const reason = skipReason(family);
    if (reason !== false) return context.skip(reason);
    await withProject(async (folder) => {
      for (const words of [
        ["-c", "-aux-info", "p.txt", "a.cpp"],
        ["-c", "a.cpp", "inc/b.x.cc"],
        ["-Xlinker", "inc/b.x.cc", "-c", "a.cpp"],
        ["-c", "-include", "inc/f.h", "-MF", "inc/b.x.cc.d", "-MD", "a.cpp"],
        ["-c", "-xc", "a.cpp", "-x", "none", "inc/b.x.cc"],
        ["-c", "--sysroot", "/", "a.cpp"],
        ["-c", "--param", "max-inline-insns-auto=9", "a.cpp"],
        ["-c", "-u", "inc/b.x.cc", "a.cpp", "-z", "now", "-T", "x.ld"],
      ]) {
        const analysis = await ask([drivers[family], ...words], family, folder);
        if (analysis.verdict === "local") continue;
        const lines = run([drivers[family], "-###", ...words], folder).stderr.split("\n");
        const compilers = lines.filter((line) => / "?-?[\w./-]*cc1(?:plus)?"? /.test(line));
        const sources = analysis.compilations.map(({ source }) => source);
        assert.equal(compilers.length, sources.length, `${words.join(" ")}\n${lines.join("\n")}`);
        for (const [index, source] of sources.entries()) {
          assert.ok(compilers[index]?.includes(source), `${source} in ${compilers[index]}`);
        }
      }
    });
  });
}
