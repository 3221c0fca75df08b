/** The agent's own store of results: the same compile again needs no server, and never gives a wrong object. */
import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import { writeFiles } from "../support/files.ts";
import { agentsOf, endProcesses } from "../support/processes.ts";
import { homccProgram } from "../support/repository.ts";
import { type Server, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../support/workplace.ts";

const source = '#include "a.h"\n#include <stdio.h>\nint f(void) { return printf("%d", A); }\n';
const variables = { HOMCC_CLIENT_CACHE_SIZE: "64M" };

interface Place {
  readonly server: Server;
  readonly workplace: Workplace;
  /** Compiles with homcc and plainly, compares all, and says which outcome it was. */
  readonly compile: (
    command?: string,
    more?: Readonly<Record<string, string>>,
  ) => Promise<string | undefined>;
}

async function withPlace(body: (place: Place) => Promise<void>): Promise<void> {
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
  await writeFiles(workplace.project, { "a.c": source, "a.h": "#define A 1\n" });
  const compile: Place["compile"] = async (command = "gcc -g -O1 -c a.c -MD -o a.o", more = {}) => {
    const outputs = ["a.o", "a.d"].map((name) => join(workplace.project, name));
    const environment = workplace.environment({ ...variables, ...more });
    const known = (await workplace.jobs()).length;
    const runs = [];
    for (const prefix of [[], [homccProgram]]) {
      for (const output of outputs) await rm(output, { force: true });
      const { status, stdout, stderr } = await workplace.run([...prefix, ...command.split(" ")], {
        environment,
      });
      const contents = await Promise.all(
        outputs.map((output) => readFile(output).then(digestOf, () => "none")),
      );
      runs.push({ status, stdout, stderr, contents });
    }
    assert.deepEqual(runs[1], runs[0]);
    return (await workplace.jobs(known + 1)).at(-1)?.outcome;
  };
  await body({ server, workplace, compile });
}

/** A result is kept a moment after its compile has ended. */
async function kept(workplace: Workplace, results: number): Promise<void> {
  await waitFor(`${results} kept results`, async () => {
    const index = await readFile(join(workplace.homccFolder, "agent/results/index"), "utf8").catch(() => "");
    return index.split("\n").length - 1 >= results || undefined;
  });
}

test("the same compile again needs no server; with the network gone too, and after the agent ended", () =>
  withPlace(async ({ server, workplace, compile }) => {
    assert.equal(await compile(), "compiled-remotely");
    await kept(workplace, 1);
    assert.equal(await compile(), "result-from-home");
    const job = (await workplace.jobs()).at(-1);
    assert.deepEqual([job?.host, job?.sentBytes, job?.receivedBytes], ["localhost", 0, 0]);
    await server.stop();
    assert.equal(await compile(), "result-from-home");
    await endProcesses(agentsOf(workplace.homccFolder));
    assert.equal(await compile(), "result-from-home");
  }));

test("there and back between branches", () =>
  withPlace(async ({ workplace, compile }) => {
    assert.equal(await compile(), "compiled-remotely");
    await kept(workplace, 1);
    await writeFiles(workplace.project, { "a.h": "#define A 2\n" });
    assert.equal(await compile(), "compiled-remotely");
    await kept(workplace, 2);
    await writeFiles(workplace.project, { "a.h": "#define A 1\n" });
    assert.equal(await compile(), "result-from-home");
    await writeFiles(workplace.project, { "a.h": "#define A 2\n" });
    assert.equal(await compile(), "result-from-home");
    await writeFiles(workplace.project, { "a.h": "#define A 3\n" });
    assert.equal(await compile(), "compiled-remotely");
  }));

for (const [what, first, second, more] of [
  ["another option", "gcc -O1 -c a.c -o a.o", "gcc -O2 -c a.c -o a.o", {}],
  ["another macro", "gcc -DB=1 -c a.c -o a.o", "gcc -DB=2 -c a.c -o a.o", {}],
  ["another compiler", "gcc -c a.c -o a.o", "g++ -c a.c -o a.o", {}],
  ["a dependency file", "gcc -c a.c -o a.o", "gcc -MD -c a.c -o a.o", {}],
  [
    "another time in the environment",
    "gcc -c a.c -o a.o",
    "gcc -c a.c -o a.o",
    { SOURCE_DATE_EPOCH: "86400" },
  ],
  ["other folders in the environment", "gcc -c a.c -o a.o", "gcc -c a.c -o a.o", { CPATH: "/usr/include" }],
  [
    "debug information under another name",
    "gcc -g -c a.c -o a.o",
    "gcc -g -fdebug-prefix-map=/=/x/ -c a.c -o a.o",
    {},
  ],
  ["another processor", "gcc -march=native -c a.c -o a.o", "gcc -march=x86-64 -c a.c -o a.o", {}],
] as const) {
  test(`${what} is another action`, () =>
    withPlace(async ({ workplace, compile }) => {
      assert.equal(await compile(first), "compiled-remotely");
      await kept(workplace, 1);
      assert.equal(await compile(second, more), "compiled-remotely");
      assert.equal(await compile(first), "result-from-home");
    }));
}

test("from another working folder an object with its name in it is another one", () =>
  withPlace(async ({ workplace, compile }) => {
    await writeFiles(workplace.project, { "other/a.c": source, "other/a.h": "#define A 1\n" });
    assert.equal(await compile(), "compiled-remotely");
    await kept(workplace, 1);
    const environment = workplace.environment(variables);
    const other = { cwd: join(workplace.project, "other"), environment };
    const result = await workplace.run(
      [homccProgram, "gcc", "-g", "-O1", "-c", "a.c", "-MD", "-o", "a.o"],
      other,
    );
    assert.equal(result.status, 0, result.stderr);
    assert.equal((await workplace.jobs(2)).at(-1)?.outcome, "compiled-remotely");
    assert.ok((await readFile(join(other.cwd, "a.o"))).includes("project/other"));
  }));

for (const word of ["__DATE__", "__TIME__", "__TIMESTAMP__"]) {
  test(`${word} keeps a result out`, () =>
    withPlace(async ({ workplace, compile }) => {
      const ownTime = word === "__TIMESTAMP__" ? word : '"fixed"';
      // The plain compiler runs a moment earlier: what it says is hidden from the object.
      await writeFiles(workplace.project, { "a.c": `/* ${word} */ const char *t = ${ownTime};\n` });
      assert.equal(await compile("gcc -c a.c -o a.o"), "compiled-remotely");
      await writeFiles(workplace.project, { "b.c": "int b;\n" });
      const other = await workplace.run([homccProgram, "gcc", "-c", "b.c"], {
        environment: workplace.environment(variables),
      });
      assert.equal(other.status, 0, other.stderr);
      await kept(workplace, 1);
      assert.equal(await compile("gcc -c a.c -o a.o"), "compiled-remotely");
    }));
}

test("an object that was changed right after the compile is not kept as its result", () =>
  withPlace(async ({ workplace, compile }) => {
    await writeFiles(workplace.project, { "b.c": "int b;\n" });
    const environment = workplace.environment(variables);
    const object = join(workplace.project, "a.o");
    const script = `${homccProgram} gcc -c a.c -o a.o && printf x >> a.o`;
    for (let round = 0; round < 5; round += 1) {
      await writeFile(join(workplace.project, "a.h"), `#define A ${round}\n`);
      const result = await workplace.run(["sh", "-c", script], { environment });
      assert.equal(result.status, 0, result.stderr);
      assert.equal((await readFile(object)).at(-1), "x".charCodeAt(0));
    }
    const other = await workplace.run([homccProgram, "gcc", "-c", "b.c"], { environment });
    assert.equal(other.status, 0, other.stderr);
    await kept(workplace, 1);
    // Whether or not one was read before it changed: each compile gives what the plain compiler gives.
    for (let round = 0; round < 5; round += 1) {
      await writeFile(join(workplace.project, "a.h"), `#define A ${round}\n`);
      await compile("gcc -c a.c -o a.o");
    }
  }));
