/**
 * What a server's results of earlier jobs are worth: two developers, each with a checkout in a folder of another name and
 * length, and a plain compiler beside each. A result that is not what the plain compiler makes fails whichever test it is in.
 */
import assert from "node:assert/strict";
import { rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeFiles } from "../support/files.ts";
import { compileTwice as compile, createDevelopers } from "../support/developers.ts";
import { homccProgram } from "../support/repository.ts";
import { meets } from "../support/requirements.ts";
import { type Server, startServer } from "../support/server.ts";
import { createWorkplace, type Workplace } from "../support/workplace.ts";

interface Case {
  readonly name: string;
  readonly files?: Readonly<Record<string, string>>;
  /** `ROOT` is the developer's folder; a program first. */
  readonly command: string;
  /** Besides the object. */
  readonly outputs?: readonly string[];
  /** What a second compile in the same folder gets. */
  readonly again: "kept" | "compiled";
  /** What the other developer gets. */
  readonly other: "kept" | "compiled";
  readonly environment?: Readonly<Record<string, string>>;
}

const source = `#include <stdio.h>
#include "a.h"
int answer(int x) { return printf("%d\\n", x + A); }
`;
const files = { "src/a.c": source, "include/a.h": "#define A 42\n" };
const absolute = "ROOT/src/a.c -IROOT/include";
const one = (text: string): Record<string, string> => ({ "src/a.c": text });

const cases: readonly Case[] = [
  { name: "relative names", command: "gcc -O2 -c src/a.c -Iinclude -o a.o", again: "kept", other: "kept" },
  { name: "absolute names", command: `gcc -O2 -c ${absolute} -o ROOT/a.o`, again: "kept", other: "kept" },
  { name: "clang, absolute names", command: `clang -O2 -c ${absolute} -o a.o`, again: "kept", other: "kept" },
  {
    name: "a dependency file with absolute names",
    command: `gcc -c ${absolute} -MD -MT a.o -MF ROOT/a.d -o a.o`,
    outputs: ["a.d"],
    again: "kept",
    other: "kept",
  },
  {
    name: "clang's dependency file with absolute names",
    command: `clang -c ${absolute} -MMD -MP -o a.o`,
    outputs: ["a.d"],
    again: "kept",
    other: "kept",
  },
  { name: "debug information", command: `gcc -g -c ${absolute} -o a.o`, again: "kept", other: "compiled" },
  {
    name: "compressed debug information",
    command: `gcc -g -gz -c ${absolute} -o a.o`,
    again: "kept",
    other: "compiled",
  },
  {
    name: "debug information with a prefix map",
    command: `gcc -g -ffile-prefix-map=ROOT=. -c ${absolute} -o a.o`,
    again: "kept",
    other: "kept",
  },
  {
    name: "clang, debug information with a prefix map",
    command: `clang -g -ffile-prefix-map=ROOT=/src -c ${absolute} -o a.o`,
    again: "kept",
    other: "kept",
  },
  {
    name: "a folder above under another name",
    command: `gcc -g -fdebug-prefix-map=/=/build/ -c ${absolute} -o a.o`,
    again: "kept",
    other: "compiled",
  },
  {
    name: "fission",
    command: "gcc -g -gsplit-dwarf -c src/a.c -Iinclude -o a.o",
    outputs: ["a.dwo"],
    again: "kept",
    other: "compiled",
  },
  {
    name: "the name of the source as a text",
    files: one("const char *name(void) { return __FILE__; }\n"),
    command: `gcc -c ${absolute} -o a.o`,
    again: "kept",
    other: "compiled",
  },
  {
    name: "the length of the source's name",
    files: one("int length(void) { return sizeof __FILE__; }\n"),
    command: `gcc -c ${absolute} -o a.o`,
    again: "kept",
    other: "compiled",
  },
  {
    name: "the name of the source in wide characters",
    files: one("#define W(x) L##x\n#define V(x) W(x)\nconst int *name(void) { return V(__FILE__); }\n"),
    command: `gcc -c ${absolute} -o a.o`,
    again: "kept",
    other: "compiled",
  },
  {
    name: "the length of a name under a prefix map",
    files: one("int length(void) { return sizeof __FILE__; }\n"),
    command: `gcc -fmacro-prefix-map=ROOT=. -c ${absolute} -o a.o`,
    again: "kept",
    other: "kept",
  },
  {
    name: "the folder in a macro",
    files: one("int length(void) { return sizeof ROOT_NAME; }\n"),
    command: `gcc -DROOT_NAME="ROOT" -c ${absolute} -o a.o`,
    again: "kept",
    other: "compiled",
  },
  {
    name: "the folder as a random seed",
    files: { "src/a.cpp": "namespace { struct S { virtual ~S() {} } s; }\n" },
    command: "g++ -frandom-seed=ROOT/src/a.cpp -flto -c src/a.cpp -o a.o",
    again: "kept",
    other: "compiled",
  },
  {
    name: "initialisers called after the file",
    files: { "src/a.cpp": "int f(); static int x = f(); namespace { int y = f(); }\n" },
    command: "g++ -c ROOT/src/a.cpp -o a.o",
    again: "kept",
    other: "kept",
  },
  {
    name: "coverage",
    command: `gcc --coverage -c ${absolute} -o a.o -frandom-seed=1`,
    outputs: ["a.gcno"],
    again: "kept",
    other: "compiled",
  },
  {
    name: "a warning with an absolute name",
    files: one("int f(int x) { if (x = 1) return 2; return x; }\n"),
    command: `gcc -Wall -c ${absolute} -o a.o`,
    again: "kept",
    other: "compiled",
  },
  {
    name: "a warning with a relative name",
    files: one("int f(int x) { if (x = 1) return 2; return x; }\n"),
    command: "gcc -Wall -c src/a.c -o a.o",
    again: "kept",
    other: "kept",
  },
  {
    name: "an include folder from the environment",
    command: "gcc -O2 -c src/a.c -o a.o",
    environment: { CPATH: "ROOT/include" },
    again: "kept",
    other: "compiled",
  },
  {
    name: "the time",
    files: one("const char *time(void) { return __TIME__; }\n"),
    command: "gcc -c src/a.c -o a.o -fno-working-directory -D__TIME__=0 -Wno-builtin-macro-redefined",
    again: "compiled",
    other: "compiled",
  },
  {
    name: "the date, pasted together",
    files: one(
      "#define P(a, b) a##b\n#define Q(a, b) P(a, b)\nconst char *d(void) { return Q(__DA, TE__); }\n",
    ),
    command: "gcc -c src/a.c -o a.o",
    again: "compiled",
    other: "compiled",
  },
];

let server: Server;
let developers: readonly [Workplace, Workplace];
before(async () => {
  server = await startServer({ resultCache: true });
  developers = await createDevelopers(server);
});
after(async () => {
  for (const developer of developers ?? []) await developer[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

for (const item of cases) {
  test(item.name, async (t) => {
    const [program = ""] = item.command.split(" ");
    if (!meets(t, { program })) return;
    const [first, second] = developers;
    // Tests must not find each other's results.
    const salt = `-DSALT_${cases.indexOf(item)}`;
    for (const developer of developers) {
      await rm(developer.project, { recursive: true });
      await writeFiles(developer.project, { ...files, ...item.files });
    }
    assert.equal(await compile(first, item, salt), "compiled", "the first");
    assert.equal(await compile(first, item, salt), item.again, "the first again");
    assert.equal(await compile(second, item, salt), item.other, "the other developer");
    assert.equal(await compile(second, item, salt), item.again, "the other developer again");
  });
}

test("a result with the time of its compile, pasted together, is nobody's, neither there nor at home", async () => {
  const [place] = developers;
  const pasted =
    "#define P(a, b) a##b\n#define Q(a, b) P(a, b)\nconst char *t(void) { return Q(__TI, ME__); }\n";
  await writeFiles(place.project, one(pasted));
  const environment = place.environment({ HOMCC_CLIENT_CACHE_SIZE: "64M", TZ: "Asia/Kathmandu" });
  for (let round = 0; round < 2; round += 1) {
    const known = (await place.jobs()).length;
    const words = [homccProgram, "gcc", "-c", "src/a.c", "-o", "a.o", "-DPASTED"];
    const { status, stderr } = await place.run(words, { environment });
    assert.equal(status, 0, stderr);
    const { outcome, detail } = (await place.jobs(known + 1)).at(-1) ?? {};
    assert.equal(outcome, "compiled-remotely");
    assert.match(detail ?? "", /a\.o has the time of its compile in it/);
  }
});

test("who has another folder is told why nobody's result served", async (t) => {
  if (!meets(t, { program: "gcc" })) return;
  const [first, second] = developers;
  for (const { project } of developers) await writeFiles(project, files);
  const words = ["gcc", "-g", "-c", "src/a.c", "-Iinclude", "-o", "a.o", "-DREASON"];
  const reason = "its .o file names its folder";
  assert.equal((await first.run([homccProgram, ...words])).status, 0);
  const known = (await second.jobs()).length;
  const { status, stderr } = await second.run([homccProgram, "--verbose", ...words]);
  assert.equal(status, 0, stderr);
  assert.match(stderr, new RegExp(`no earlier result: ${reason}`));
  assert.equal((await second.jobs(known + 1)).at(-1)?.detail, reason);
  const stats = await second.run([homccProgram, "stats"]);
  assert.match(stats.stdout, new RegExp(`\\d +${reason}`));
});

test("a change of anything that matters is another action", async () => {
  const [place] = developers;
  const item = { command: "gcc -O1 -c src/a.c -Iinclude -Iother -o a.o" };
  await writeFiles(place.project, { ...files, "other/b.h": "" });
  assert.equal(await compile(place, item, "-DCHANGE"), "compiled");
  assert.equal(await compile(place, item, "-DCHANGE"), "kept");
  await writeFiles(place.project, { "include/a.h": "#define A 43\n" });
  assert.equal(await compile(place, item, "-DCHANGE"), "compiled", "another header");
  await writeFiles(place.project, { "src/a.h": "#define A 42\n" });
  assert.equal(await compile(place, item, "-DCHANGE"), "compiled", "a header before the other");
  await rm(join(place.project, "src/a.h"));
  assert.equal(await compile(place, item, "-DCHANGE"), "kept", "as before");
  await writeFiles(place.project, { "include/a.h": "#define A 42\n" });
  assert.equal(await compile(place, item, "-DCHANGE"), "kept", "as at first");
  const time = new Date(1_600_000_000_000);
  await utimes(join(place.project, "include/a.h"), time, time);
  assert.equal(await compile(place, item, "-DCHANGE"), "kept", "another time of a header");
});

test("which of two equal files is the same one to #pragma once is part of the action", async () => {
  const [place] = developers;
  const header = "#pragma once\n";
  await writeFiles(place.project, {
    "src/a.c": '#include "x/h.h"\n#include "y/h.h"\nint n = __COUNTER__;\n',
    "src/x/h.h": `${header}static const int c = __COUNTER__;\n`,
    "src/y/h.h": `${header}static const int c = __COUNTER__;\n`,
  });
  const [early, late] = [new Date(1_600_000_000_000), new Date(1_600_000_001_000)];
  for (const name of ["x", "y"]) await utimes(join(place.project, `src/${name}/h.h`), early, early);
  const item = { command: "gcc -c src/a.c -o a.o" };
  assert.equal(await compile(place, item, "-DTWINS"), "compiled");
  await utimes(join(place.project, "src/y/h.h"), late, late);
  const job = await place.run([homccProgram, ...item.command.split(" "), "-DTWINS"]);
  assert.notEqual(job.status, 0, "a second definition");
});

test("a compile that fails is not kept; nor is a result after the toolchain's messages changed language", async (t) => {
  if (!meets(t, { program: "gcc" })) return;
  const [place] = developers;
  await writeFiles(place.project, one("#error never\n"));
  for (let round = 0; round < 2; round += 1) {
    const known = (await place.jobs()).length;
    const { status, stderr } = await place.run([homccProgram, "gcc", "-c", "src/a.c"]);
    assert.equal(status, 1);
    assert.match(stderr, /#error never/);
    assert.equal((await place.jobs(known + 1)).at(-1)?.outcome, "compile-error");
  }
  await writeFiles(place.project, one("int f(int x) { if (x = 1) return 2; return x; }\n"));
  const item = { command: "gcc -Wall -c src/a.c -o a.o" };
  assert.equal(await compile(place, item, "-DWORDS"), "compiled");
  assert.equal(await compile(place, { ...item, environment: { GCC_COLORS: "" } }, "-DWORDS"), "compiled");
  const silent = { command: "gcc -c src/a.c -o a.o" };
  assert.equal(await compile(place, silent, "-DWORDS"), "compiled");
  assert.equal(await compile(place, { ...silent, environment: { GCC_COLORS: "" } }, "-DWORDS"), "kept");
});

test("results outlive the server", async () => {
  await using first = await startServer({ resultCache: true });
  await using place = await createWorkplace({ hosts: `${first.address}/4` });
  await writeFiles(place.project, files);
  const item = { command: "gcc -O2 -c src/a.c -Iinclude -o a.o" };
  assert.equal(await compile(place, item, "-DRESTART"), "compiled");
  first.kill("SIGTERM");
  await first.ended;
  await using second = await startServer({ resultCache: true, storeFolder: first.storeFolder });
  const environment = { HOMCC_HOSTS: `${second.address}/4` };
  assert.equal(await compile(place, { ...item, environment }, "-DRESTART"), "kept");
});
