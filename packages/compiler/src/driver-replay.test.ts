import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import { quotedWords, replayDriver, type Replay } from "./driver-replay.ts";
import { findProgram } from "./find-program.ts";

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function setUp(t: TestContext): string {
  const folder = mkdtempSync("/tmp/driver-replay-");
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(
    join(folder, "a $b.cpp"),
    "#include <string>\nint f(const char *s) { return std::string(s).size() + N; }\n",
  );
  return folder;
}

const variants = [
  { name: "gcc", program: "g++", args: ["-march=native", "-O2", "-g"] },
  {
    name: "gcc, split debug information and -pipe",
    program: "g++",
    args: ["-march=native", "-pipe", "-g", "-gsplit-dwarf"],
  },
  {
    name: "gcc, link-time optimisation",
    program: "g++",
    args: ["-mtune=native", "-flto", "-frandom-seed=1", "-g"],
  },
  { name: "clang", program: "clang++", args: ["-march=native", "-O2", "-g"] },
  {
    name: "clang, recorded command line",
    program: "clang++",
    args: ["-march=native", "-frecord-command-line", "-grecord-command-line", "-g"],
  },
  { name: "clang with another assembler", program: "clang++", args: ["-march=native", "-fno-integrated-as"] },
];
for (const { name, program, args } of variants) {
  test(`the replayed programs give the driver's own object: ${name}`, async (t) => {
    const compilerPath = findProgram(program, searchPath);
    if (compilerPath === undefined) return t.skip(`needs ${program}`);
    const folder = setUp(t);
    const argv = [program, "-DN=1", ...args, "-c", "a $b.cpp", "-o", "o $.o"];
    const environment = { PATH: searchPath };
    assert.equal(
      spawnSync(compilerPath, argv.slice(1), { argv0: program, cwd: folder, env: environment }).status,
      0,
    );
    const direct = readFileSync(join(folder, "o $.o"));
    rmSync(join(folder, "o $.o"));
    const family = program === "g++" ? "gcc" : "clang";
    const steps = await replayDriver({ compilerPath, family, argv, cwd: folder, environment, terminal: {} });
    assert.ok(steps !== undefined);
    for (const step of steps) {
      assert.ok(step.program.startsWith("/"));
      const [argv0 = "", ...rest] = step.argv;
      assert.equal(spawnSync(step.program, rest, { argv0, cwd: folder, env: environment }).status, 0, argv0);
    }
    assert.ok(readFileSync(join(folder, "o $.o")).equals(direct));
    return undefined;
  });
}

test("a wrapper's additions are in the steps", async (t) => {
  const folder = setUp(t);
  const wrapper = join(folder, "wrapper");
  writeFileSync(wrapper, '#!/bin/sh\nexec g++ "-DN=7 * 6" "$@"\n');
  chmodSync(wrapper, 0o755);
  const argv = ["wrapper", "-c", "a $b.cpp"];
  const environment = { PATH: searchPath, TMPDIR: folder };
  const steps = await replayDriver({
    compilerPath: wrapper,
    family: "gcc",
    argv,
    cwd: folder,
    environment,
    terminal: {},
  });
  assert.ok(steps?.[0]?.argv.includes("N=7 * 6"), steps?.[0]?.argv.join(" "));
  assert.ok(steps?.[1]?.argv.at(-1)?.startsWith("/tmp/"), "temporary files are in the job's /tmp");
});

test("a terminal becomes the arguments that clang's driver would have given", async (t) => {
  const compilerPath = findProgram("clang++", searchPath);
  if (compilerPath === undefined) return t.skip("needs clang++");
  const folder = setUp(t);
  const replay = (args: readonly string[]): Replay => ({
    compilerPath,
    family: "clang",
    argv: ["clang++", ...args, "-c", "a $b.cpp"],
    cwd: folder,
    environment: { PATH: searchPath, TERM: "xterm" },
    terminal: { stderr: { columns: 77, rows: 20 } },
  });
  const coloured = (await replayDriver(replay([])))?.[0]?.argv ?? [];
  assert.ok(coloured.includes("-fcolor-diagnostics") && coloured.includes("-fmessage-length=77"));
  const plain = (await replayDriver(replay(["-fno-color-diagnostics"])))?.[0]?.argv ?? [];
  assert.ok(plain.includes("-cc1") && !plain.includes("-fcolor-diagnostics"));
  return undefined;
});

test("anything but one compile is not replayed", async (t) => {
  const folder = setUp(t);
  const environment = { PATH: searchPath };
  const steps = async (args: readonly string[]): Promise<unknown> => {
    const argv = ["g++", ...args];
    return await replayDriver({
      compilerPath: "/usr/bin/g++",
      family: "gcc",
      argv,
      cwd: folder,
      environment,
      terminal: {},
    });
  };
  assert.equal(await steps(["a $b.cpp", "-o", "program"]), undefined, "linking");
  assert.equal(await steps(["--no-such-option", "-c", "a $b.cpp"]), undefined, "unknown option");
  assert.equal(await steps(["--version"]), undefined, "no compile");
});

test("nothing is replayed when the driver or a wrapper has something to say", async (t) => {
  const folder = setUp(t);
  const environment = { PATH: searchPath };
  const replay = { family: "gcc", cwd: folder, environment, terminal: {} } as const;
  const argv = ["g++", "-mcpu=native", "-c", "a $b.cpp"];
  assert.equal(await replayDriver({ ...replay, compilerPath: "/usr/bin/g++", argv }), undefined);
  const wrapper = join(folder, "talker");
  writeFileSync(wrapper, '#!/bin/sh\necho "talker: at work" >&2\nexec g++ "$@"\n');
  chmodSync(wrapper, 0o755);
  assert.equal(
    await replayDriver({ ...replay, compilerPath: wrapper, argv: ["talker", "-c", "a $b.cpp"] }),
    undefined,
  );
});

test("words are read as the drivers quote them", () => {
  const quoted = (word: string): string => `"${word.replaceAll(/["\\$]/g, String.raw`\$&`)}"`;
  const words = fc.array(fc.string({ unit: fc.constantFrom("a", " ", '"', "\\", "$", "'", "ä", "=") }), {
    minLength: 1,
  });
  fc.assert(
    fc.property(words, (given) => {
      assert.deepEqual(quotedWords(` ${given.map(quoted).join(" ")}`), given);
    }),
  );
  assert.deepEqual(quotedWords(" as --64 -o x.o"), ["as", "--64", "-o", "x.o"]);
  assert.equal(quotedWords(' "open'), undefined);
  assert.equal(quotedWords(' cc1 "a"b'), undefined);
});
