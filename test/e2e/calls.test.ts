/** The ways in which builds call homcc, each with a real compile on a real server. */
import assert from "node:assert/strict";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { processesMentioning } from "../support/processes.ts";
import { createRemoteSite, type RemoteSite } from "../support/remote-site.ts";
import { homccProgram } from "../support/repository.ts";
import { meets } from "../support/requirements.ts";
import type { Server } from "../support/server.ts";
import { systemPath, type Workplace } from "../support/workplace.ts";

let site: RemoteSite;
let server: Server;
let workplace: Workplace;
const expectRemote: RemoteSite["expectRemote"] = (count, script, variables) =>
  site.expectRemote(count, script, variables);
before(async () => {
  site = await createRemoteSite();
  ({ server, workplace } = site);
});
after(() => site?.[Symbol.asyncDispose]());
beforeEach(() => site.reset());

const path = (...folders: readonly string[]): Record<string, string> => ({
  PATH: [...folders, systemPath].join(":"),
});

for (const compiler of [
  "g++",
  "c++",
  "/usr/bin/g++",
  "/usr/bin/c++",
  "x86_64-linux-gnu-g++",
  "g++-12",
  "clang++",
  "clang++-14",
]) {
  test(`as a prefix of ${compiler}`, async (t) => {
    if (!meets(t, { program: compiler.split("/").at(-1) ?? compiler })) return;
    await expectRemote(1, `$HOMCC ${compiler} -c a.cpp -o a.o && ${compiler} a.o main.cpp -o app && ./app`);
  });
}

test("through links of other names", async () => {
  await symlink(homccProgram, join(workplace.project, "hc"));
  await symlink("hc", join(workplace.project, "distribute"));
  await expectRemote(2, "./hc g++ -c a.cpp && ./distribute g++ -c main.cpp");
});

test("from another working folder, found in PATH", async () => {
  await symlink(homccProgram, join(workplace.project, "homcc"));
  await expectRemote(1, "cd / && homcc g++ -c $OLDPWD/a.cpp -o $OLDPWD/a.o", path(workplace.project));
});

test("through a masquerade link, with the compiler later in PATH", async () => {
  const links = join(workplace.folder, "links");
  await mkdir(links, { recursive: true });
  for (const name of ["g++", "gcc"]) await symlink(homccProgram, join(links, name)).catch(() => {});
  await expectRemote(1, "g++ -c a.cpp -o a.o", path(links));
  await expectRemote(1, `$HOMCC g++ -c a.cpp -o a.o`, path(links));
});

test("two masquerade folders one after the other do not go round in a circle", async () => {
  const folders = ["one", "two"].map((name) => join(workplace.folder, name));
  for (const folder of folders) {
    await mkdir(folder, { recursive: true });
    await symlink(homccProgram, join(folder, "g++")).catch(() => {});
  }
  await expectRemote(1, "g++ -c a.cpp -o a.o", path(...folders));
});

test("with a compiler that is a link of another name", async () => {
  await symlink("/usr/bin/g++", join(workplace.project, "mycc"));
  await expectRemote(1, "$HOMCC ./mycc -c a.cpp -o a.o");
});

test("with a compiler that is a script around the compiler", async () => {
  const script = join(workplace.project, "wrapped");
  await writeFile(script, '#!/bin/sh\nexec g++ -DWRAPPED "$@"\n', { mode: 0o755 });
  const before = (await workplace.jobs()).length;
  const result = await workplace.run([homccProgram, "./wrapped", "-c", "a.cpp", "-o", "a.o"]);
  assert.equal(result.status, 0, result.stderr);
  const [job] = (await workplace.jobs(before + 1)).slice(before);
  // Its options are known only to itself: either its own expansion is replayed, or it is run at home.
  assert.ok(job?.outcome === "compiled-remotely" || job?.outcome === "not-a-compiler", JSON.stringify(job));
});

test("what is no compiler is run unchanged", async () => {
  const before = (await workplace.jobs()).length;
  const result = await workplace.run([homccProgram, "echo", "-c", "a.cpp"]);
  assert.deepEqual({ ...result }, { status: 0, signal: null, stdout: "-c a.cpp\n", stderr: "" });
  const jobs = await workplace.jobs(before + 1);
  assert.equal(jobs.at(-1)?.outcome, "not-a-compiler");
});

test("behind ccache: CCACHE_PREFIX", async (t) => {
  if (!meets(t, { program: "ccache" })) return;
  const variables = { CCACHE_PREFIX: homccProgram, CCACHE_DIR: join(workplace.folder, "ccache") };
  await expectRemote(
    1,
    "ccache g++ -c a.cpp -o a.o && rm a.o && ccache g++ -c a.cpp -o a.o && test -e a.o",
    variables,
  );
});

test("as CMake's compiler launcher with Ninja", async (t) => {
  if (!meets(t, { program: "cmake" }, { program: "ninja" })) return;
  await writeFile(
    join(workplace.project, "CMakeLists.txt"),
    "cmake_minimum_required(VERSION 3.16)\nproject(p CXX)\nadd_executable(app a.cpp main.cpp)\n",
  );
  await expectRemote(
    2,
    "cmake -S . -B build -G Ninja -DCMAKE_CXX_COMPILER_LAUNCHER=$HOMCC && cmake --build build && build/app",
  );
});

test("with make -j and a plain Makefile", async (t) => {
  if (!meets(t, { program: "make" })) return;
  await writeFile(join(workplace.project, "Makefile"), "app: a.o main.o\n\t$(CXX) $^ -o $@\n");
  await expectRemote(2, 'make -j4 CXX="$HOMCC g++" && ./app');
});

test("a pipe behind it ends with it, although the agent lives on", async () => {
  await expectRemote(1, "$HOMCC g++ -c a.cpp -o a.o | cat", {
    HOMCC_DIR: join(workplace.folder, "fresh-agent"),
  });
});

test("without an agent", async () => {
  const homccFolder = join(workplace.folder, "no-agent");
  const environment = workplace.environment({ HOMCC_NO_AGENT: "1", HOMCC_DIR: homccFolder });
  const result = await workplace.run([homccProgram, "g++", "-c", "a.cpp", "-o", "a.o"], { environment });
  assert.deepEqual({ ...result }, { status: 0, signal: null, stdout: "", stderr: "" });
  await readFile(join(workplace.project, "a.o"));
  assert.deepEqual(processesMentioning(homccFolder), []);
});

test("--verbose says in one line where it ran", async () => {
  const result = await workplace.run([homccProgram, "--verbose", "g++", "-c", "a.cpp", "-o", "a.o"]);
  assert.equal(result.status, 0, result.stderr);
  assert.match(result.stderr, new RegExp(`^\\[HOMCC-\\w+\\].*Compiled remotely on ${server.address}`, "m"));
});

test("--verify-scan compares the include scanner with the compiler and runs nothing", async () => {
  const result = await workplace.run([homccProgram, "--verify-scan", "g++", "-c", "a.cpp", "-o", "a.o"]);
  assert.equal(result.status, 0, result.stderr);
  assert.match(result.stdout, /^source +a\.cpp \(c\+\+\)\nscanned +\d+ files\nmissing +none\n/);
  await assert.rejects(readFile(join(workplace.project, "a.o")));
});

test("--explain prints what would happen and runs nothing", async () => {
  const result = await workplace.run([homccProgram, "--explain", "g++", "-c", "a.cpp", "-o", "a.o"]);
  assert.equal(result.status, 0, result.stderr);
  assert.match(result.stdout, /h\.h/);
  assert.match(result.stdout, /a\.o/);
  await assert.rejects(readFile(join(workplace.project, "a.o")));
});
