import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import { type DebuggedJob, debugName, renderJob, renderPhases } from "./debug-text.ts";
import { JobTrace } from "./job-trace.ts";

const source = digestOf(Buffer.from("int x;\n"));
const request = { argv: ["g++", "-c", "dir/a b.cpp", "-o", "a.o"], compilerPath: "/usr/bin/g++", cwd: "/w" };

function jobWith(mtimeNs: bigint, object: string): DebuggedJob {
  const trace = new JobTrace();
  trace.actions.set("dir/a b.cpp", {
    toolchain: digestOf(Buffer.from("toolchain")),
    steps: [{ program: "/usr/bin/g++", argv: ["g++", "-c", "dir/a b.cpp", "-o", object] }],
    cwd: "/w",
    environment: { PWD: "/w", LANG: "C" },
    umask: 0o22,
    terminal: { stderr: { columns: 80, rows: 24 } },
    inputs: [
      { kind: "file", path: "/w/dir/a b.cpp", digest: source, mtimeNs },
      { kind: "directory", path: "/w" },
      { kind: "symlink", path: "/w/l", target: "dir" },
    ],
    absent: ["/w/z.h", "/w/b.h"],
    outputs: [{ path: object, exists: false }],
    timeoutMs: 1,
  });
  const conclusion = { outcome: "refused", detail: "two\nlines" } as const;
  return { request, trace, conclusion, temporaryObjects: [object] };
}

test("one fact a line, lists sorted, no times and no names of chance", () => {
  const text = renderJob(jobWith(1n, "/tmp/ccAAAAAA.o"));
  assert.equal(
    text,
    `outcome: 42 refused
detail: "two\\nlines"
cwd: /w
compiler: /usr/bin/g++
argument: g++
argument: -c
argument: "dir/a b.cpp"
argument: -o
argument: a.o

source: "dir/a b.cpp"
toolchain: ${digestOf(Buffer.from("toolchain"))}
program: /usr/bin/g++
program's argument: g++
program's argument: -c
program's argument: "dir/a b.cpp"
program's argument: -o
program's argument: (object 0)
environment: LANG=C
environment: PWD=/w
umask: 022
terminal: stderr, {"columns":80,"rows":24}
folder: /w
input: "/w/dir/a b.cpp" ${source}
link: /w/l to dir
absent: /w/b.h
absent: /w/z.h
output: (object 0)
`,
  );
  assert.equal(renderJob(jobWith(2n, "/tmp/ccBBBBBB.o")), text);
});

test("a job's name is that of its source and of its command in its folder", () => {
  const name = debugName(request);
  assert.match(name, /^a_b\.cpp-[0-9a-f]{12}\.txt$/);
  assert.equal(debugName({ ...request }), name);
  assert.notEqual(debugName({ ...request, cwd: "/v" }), name);
  assert.notEqual(debugName({ ...request, argv: [...request.argv, "-O2"] }), name);
  assert.match(debugName({ cwd: "/", argv: ["g++", "a.o", "-o", "app"] }), /^g\+\+-[0-9a-f]{12}\.txt$/);
});

test("the phases are beside it, with what differs from build to build", () => {
  const trace = new JobTrace();
  trace.phases.add("analyse", 1.25);
  trace.phases.add("run", 30);
  trace.phases.add("analyse", 1);
  const record = {
    time: "2026-11-25T12:00:00.000Z",
    pid: 7,
    source: "a.cpp",
    outcome: "compiled-remotely",
    host: "build:3126",
    detail: "",
    sentBytes: 3,
    receivedBytes: 4,
    wallMs: 50,
    compileMs: 20,
    executor: "namespace",
  } as const;
  assert.equal(
    renderPhases(record, trace),
    `ended: 2026-11-25T12:00:00.000Z
launcher: process 7
host: build:3126
executor: namespace
sent: 3 bytes
received: 4 bytes
analyse: 2.3 ms
run: 30.0 ms
execute (on the server): 20 ms
in total: 50 ms
`,
  );
});
