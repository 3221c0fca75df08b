import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { HomccError } from "@homcc/observability/error";
import type { ExecutorSession } from "./executor.ts";
import type { ClientProject } from "./fixtures/client-project.ts";
import { run, TestBench } from "./fixtures/test-bench.ts";
import { createReplayExecutor } from "./replay-executor.ts";

let bench: TestBench;
let project: ClientProject;
let session: ExecutorSession;

before(async () => {
  bench = new TestBench();
  project = bench.project();
  session = await bench.session(await createReplayExecutor({ folder: bench.folder, root: project.folder }));
});

after(() => bench[Symbol.asyncDispose]());

function record(key: string, ms: string, object = `object of ${key}`): void {
  writeFileSync(join(bench.folder, `${key}.ms`), ms);
  writeFileSync(join(bench.folder, `${key}.o`), object);
}

/** What gcc would be asked; nothing compiles it. */
async function compileAction(name: string, options: readonly string[] = []) {
  const source = project.write(name, `no C at all: ${name}`);
  const object = join(project.folder, "out.o");
  return await project.action(["/usr/bin/gcc", ...options, "-c", name, "-o", "out.o"], {
    inputs: [source],
    outputs: [`${object}.d`, object].map((path) => ({ path, exists: false })),
    umask: 0o027,
  });
}

test("a job takes as long as its recording and answers with its object", async () => {
  record("sub@a.c", "80\n");
  const startMs = performance.now();
  const replayed = await run(session, await compileAction("sub/a.c", ["-MD"]));
  const wallMs = performance.now() - startMs;
  assert.deepEqual(replayed.termination, { kind: "exited", status: 0 });
  const object = join(project.folder, "out.o");
  assert.deepEqual([...replayed.written], [[object, Buffer.from("object of sub@a.c")]]);
  assert.equal(replayed.modes.get(object), 0o640);
  assert.equal(replayed.usage.wallMs, 80);
  // A timer of Node may be up to a millisecond early.
  assert.ok(wallMs >= 79, `${wallMs} ms`);
  assert.equal(readFileSync(join(bench.folder, "sub@a.c.o"), "utf8"), "object of sub@a.c");
});

test("an included source is not taken for the one that is compiled", async () => {
  record("real.c", "0");
  project.write("values.h", "");
  const action = await compileAction("real.c", ["-include", "values.h"]);
  assert.equal([...(await run(session, action)).written.values()].join(""), "object of real.c");
});

test("what is not recorded, or lies elsewhere, is refused by name", async () => {
  record("bad.c", "soon");
  for (const [name, expected] of [
    ["missing.c", /no recorded result for .*missing\.c.*needs missing\.c\.o and missing\.c\.ms/],
    ["bad.c", /no recorded result for .*bad\.c/],
    ["../elsewhere.c", /does not lie below the replay root/],
    ["notes.txt", /names no source/],
  ] as const) {
    const action = await compileAction(name);
    await assert.rejects(run(session, action), (error) => {
      assert.ok(error instanceof HomccError);
      assert.equal(error.code, "ERR_HOMCC_REFUSED");
      assert.match(`${error.message} ${error.hint}`, expected);
      return true;
    });
  }
});

test("a job ends when it is cancelled, and when its time is up", async () => {
  record("slow.c", "50000");
  const action = await compileAction("slow.c");
  const abort = new AbortController();
  const running = run(session, action, abort.signal);
  abort.abort(new Error("given up"));
  await assert.rejects(running, /given up/);
  const late = await run(session, { ...action, timeoutMs: 20 });
  assert.deepEqual([late.termination, late.written.size], [{ kind: "timed-out" }, 0]);
});

test("a folder that is missing is an error of the configuration", async () => {
  for (const folder of [join(bench.folder, "nowhere"), join(bench.folder, "file")]) {
    writeFileSync(join(bench.folder, "file"), "");
    await assert.rejects(createReplayExecutor({ folder, root: "/" }), { code: "ERR_HOMCC_CONFIGURATION" });
  }
});
