import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import { hasCode } from "@homcc/observability/error";
import type { ExecutorSession } from "./executor.ts";
import { run, TestBench } from "./fixtures/test-bench.ts";

let bench: TestBench;
let session: ExecutorSession;

before(async () => {
  bench = new TestBench();
  session = await bench.session(await bench.mappedExecutor());
});

after(() => bench[Symbol.asyncDispose]());

test("an object with debug information equals the local one, and the dependency file has the client's paths", async () => {
  const project = bench.project("equal");
  project.write(
    "a.c",
    '#include <stdio.h>\n#include "i/a.h"\nint main(void) { return puts(__FILE__ TEXT); }\n',
  );
  project.write("i/a.h", '#define TEXT "text"\n');
  const [object, dependencies] = [join(project.folder, "a.o"), join(project.folder, "a.d")];
  const argv = ["/usr/bin/gcc", "-c", "-g", "-MD", join(project.folder, "a.c"), "-o", object];
  const action = await project.action(argv, {
    inputs: project.filesReadBy(argv),
    outputs: [object, dependencies].map((path) => ({ path, exists: false })),
  });
  const mapped = await run(session, action);
  assert.deepEqual(mapped.termination, { kind: "exited", status: 0 }, mapped.stderr);
  execFileSync("/usr/bin/gcc", argv.slice(1), { cwd: project.folder, env: action.environment });
  assert.ok(mapped.written.get(object)?.equals(readFileSync(object)));
  assert.deepEqual(
    words(mapped.written.get(dependencies)?.toString() ?? ""),
    words(readFileSync(dependencies, "utf8")),
  );
  assert.deepEqual(mapped.undeclared, []);
});

test("messages have the client's paths", async () => {
  const project = bench.project("messages");
  const source = project.write("bad.c", "int main(void) { return x; }\n");
  const action = await project.action(["/usr/bin/gcc", "-c", source], { inputs: [source] });
  const mapped = await run(session, action);
  assert.deepEqual(mapped.termination, { kind: "exited", status: 1 });
  assert.match(mapped.stderr, new RegExp(`^${source}: In function`));
});

test("outputs: written, left alone, removed, not declared", async () => {
  const project = bench.project("outputs");
  const paths = ["new", "over", "left", "gone", "never"].map((name) => `/a/b/c/${name}`);
  const outputs = paths.map((path, at) => ({ path, exists: at > 0 && at < 4 }));
  const script = "echo 1 > new; echo 2 > over; rm gone; echo > ../surprise";
  const mapped = await run(session, await project.shell(script, { outputs, cwd: "/a/b/c" }));
  assert.deepEqual(mapped.termination, { kind: "exited", status: 0 }, mapped.stderr);
  assert.deepEqual([...mapped.written.keys()].sort(), [paths[0], paths[1]]);
  assert.deepEqual(mapped.removed, [paths[3]]);
  assert.deepEqual(mapped.undeclared, ["/a/b/surprise"]);
});

test("a system header that differs, or that the client does not have, is refused", async () => {
  const project = bench.project("system");
  const action = await project.shell("true");
  const digest = digestOf(Buffer.from("another text"));
  const other = { kind: "file", path: "/usr/include/stdio.h", digest, mtimeNs: 0n } as const;
  await assert.rejects(run(session, { ...action, inputs: [other] }), refused);
  await assert.rejects(run(session, { ...action, absent: ["/usr/include/stdio.h"] }), refused);
  assert.deepEqual((await run(session, { ...action, absent: ["/usr/include/no-such.h"] })).termination, {
    kind: "exited",
    status: 0,
  });
});

test("PATH leads to no program among the client's files", async () => {
  const project = bench.project("path");
  const script = "echo 'echo from the client' > evil; chmod 755 evil; evil; echo $PATH";
  const path = ":/usr/bin:.:relative:/bin";
  const result = await run(session, await project.shell(script, { environment: { PATH: path } }));
  assert.equal(result.stdout, "/usr/bin:/bin\n");
  const none = await run(session, await project.shell("echo $PATH", { environment: { PATH: "." } }));
  assert.equal(none.stdout, "/\n");
});

test("an output that keeps a path of the server is refused", async () => {
  const project = bench.project("leak");
  const path = join(project.folder, "out.o");
  const action = await project.shell("pwd > out.o", { outputs: [{ path, exists: false }] });
  await assert.rejects(run(session, action), (error) => hasCode(error, "ERR_HOMCC_REFUSED"));
});

test("time limit, and aborting ends everything at once", async () => {
  const project = bench.project("abort");
  const late = await run(session, await project.shell("sleep 1000 & sleep 1000", { timeoutMs: 200 }));
  assert.deepEqual(late.termination, { kind: "timed-out" });
  const controller = new AbortController();
  const running = run(session, await project.shell("sleep 1000 & sleep 1000"), controller.signal);
  setTimeout(() => controller.abort(new Error("the client left")), 100);
  const startedMs = performance.now();
  await assert.rejects(running, /the client left/);
  assert.ok(performance.now() - startedMs < 1100);
});

test("20 jobs at once do not meet, and nothing is left", async () => {
  const project = bench.project("parallel");
  const path = join(project.folder, "out");
  const results = await Promise.all(
    Array.from({ length: 20 }, async (_, at) =>
      run(
        session,
        await project.shell(`cat in* 2>/dev/null; echo ${at} > out; cat out`, {
          outputs: [{ path, exists: false }],
        }),
      ),
    ),
  );
  assert.deepEqual(
    results.map((result) => result.written.get(path)?.toString()),
    results.map((_, at) => `${at}\n`),
  );
  const folder = readdirSync(bench.folder).find((name) => name.startsWith("mapped")) ?? "";
  assert.deepEqual(readdirSync(join(bench.folder, folder, "1")), []);
  rmSync(path, { force: true });
});

/** gcc breaks lines by the length of the server's paths. */
function words(rule: string): string[] {
  return rule.split(/[\s\\]+/);
}

function refused(error: unknown): boolean {
  return hasCode(error, "ERR_HOMCC_REFUSED");
}
