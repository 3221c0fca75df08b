import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Action } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import { hasCode } from "@homcc/observability/error";
import type { ExecutorSession } from "./executor.ts";
import type { ClientProject, JobOptions } from "./fixtures/client-project.ts";
import { run, TestBench } from "./fixtures/test-bench.ts";
import { removeTree } from "./remove-tree.ts";

const succeeded = { kind: "exited", status: 0 };
const ordinaryUser = 65534;
const isRoot = process.getuid?.() === 0;

let bench: TestBench;
let session: ExecutorSession;
let nextProject = 1;

before(async () => {
  bench = new TestBench();
  session = await bench.session(await bench.namespaceExecutor());
});

after(() => bench[Symbol.asyncDispose]());

function newProject(): ClientProject {
  return bench.project(`project-${nextProject++}`);
}

/** Compiles `argv` in a job and with the local compiler and compares what is written to `output`. */
async function assertSameAsLocal(
  project: ClientProject,
  argv: readonly string[],
  output: string,
  options: JobOptions = {},
): Promise<void> {
  const path = join(project.folder, output);
  const action = await project.action(argv, { outputs: [{ path, exists: false }], ...options });
  const remote = await run(session, action);
  assert.deepEqual(remote.termination, succeeded, remote.stderr);
  execFileSync(argv[0] ?? "", argv.slice(1), { cwd: project.folder, env: action.environment });
  assert.ok(remote.written.get(path)?.equals(readFileSync(path)), `${output} differs`);
  rmSync(path);
}

const compilers = ["/usr/bin/gcc", "/usr/bin/g++", "/usr/bin/clang", "/usr/bin/clang++"];
for (const compiler of compilers) {
  test(`an object with debug information equals the local one: ${compiler}`, async (t) => {
    if (!existsSync(compiler)) return t.skip(`needs ${compiler}`);
    const project = newProject();
    const source = compiler.includes("++") ? "a.cpp" : "a.c";
    project.write(
      source,
      '#include <stdio.h>\n#include "sub/a.h"\nint main(void) { return puts(TEXT __FILE__); }\n',
    );
    project.write("sub/a.h", '#pragma once\n#define TEXT "text"\n');
    await assertSameAsLocal(project, [compiler, "-c", "-g", "-O2", source, "-o", "a.o"], "a.o");
    await assertSameAsLocal(
      project,
      [compiler, "-c", "-g", join(project.folder, source), "-o", "b.o"],
      "b.o",
    );
  });
}

test("the dependency file equals the local one", async () => {
  const project = newProject();
  project.write("a.c", '#include <stddef.h>\n#include "./x/../a.h"\n');
  project.write("a.h", "\n");
  mkdirSync(join(project.folder, "x"));
  const argv = ["/usr/bin/gcc", "-c", "-MD", "a.c", "-o", "a.o"];
  const paths = ["a.o", "a.d"].map((name) => join(project.folder, name));
  const inputs = [...project.filesReadBy(argv), join(project.folder, "x")];
  const action = await project.action(argv, {
    inputs,
    outputs: paths.map((path) => ({ path, exists: false })),
  });
  const remote = await run(session, action);
  assert.deepEqual(remote.termination, succeeded, remote.stderr);
  execFileSync("/usr/bin/gcc", argv.slice(1), { cwd: project.folder });
  for (const path of paths) assert.ok(remote.written.get(path)?.equals(readFileSync(path)), path);
});

test("equal headers in two folders with #pragma once: seen as one or two exactly as at home", async () => {
  for (const [label, secondMtime] of [
    ["equal times", 1_700_000_000],
    ["different times", 1_700_000_001],
  ] as const) {
    const project = newProject();
    project.write("one/a.h", "#pragma once\nCOUNT\n", 1_700_000_000);
    project.write("two/a.h", "#pragma once\nCOUNT\n", secondMtime);
    const text =
      '#define COUNT int x##y;\n#include "one/a.h"\n#undef COUNT\n#define COUNT int z;\n#include "two/a.h"\n';
    project.write("a.c", text);
    // `gcc -M` does not name the second one when it is skipped, although it was read to find that out.
    const inputs = ["a.c", "one/a.h", "two/a.h"].map((name) => join(project.folder, name));
    await assertSameAsLocal(project, ["/usr/bin/gcc", "-c", "-g", "a.c", "-o", "a.o"], "a.o", { inputs });
    const { stdout } = await run(session, await project.action(["/usr/bin/gcc", "-E", "a.c"], { inputs }));
    assert.equal(stdout.includes("int z;"), label === "different times", label);
  }
});

test("30 jobs in parallel share one mirror, and a header replaced between jobs is seen at once", async () => {
  const project = newProject();
  for (let file = 0; file < 6; file++) {
    project.write(`f${file}.c`, `#include "value.h"\n#include <stdlib.h>\nint value_${file} = VALUE;\n`);
  }
  for (let round = 1; round <= 3; round++) {
    project.write("value.h", `#define VALUE ${round}\n`);
    const jobs = await Promise.all(
      Array.from({ length: 30 }, async (_, at) => {
        const object = join(project.folder, `${round}-${at}.o`);
        const argv = ["/usr/bin/gcc", "-c", "-O1", "-S", `f${at % 6}.c`, "-o", object];
        return {
          object,
          result: await run(
            session,
            await project.action(argv, { outputs: [{ path: object, exists: false }] }),
          ),
        };
      }),
    );
    for (const { object, result } of jobs) {
      assert.deepEqual(result.termination, succeeded, result.stderr);
      assert.match(result.written.get(object)?.toString() ?? "", new RegExp(`\\.long\\t${round}\\n`));
    }
  }
});

test("a file that another job of the session brought is absent where it is absent at home", async () => {
  const project = newProject();
  project.write("a.c", '#if __has_include("probed.h")\nint there;\n#else\nint absent;\n#endif\n');
  const probed = project.write("probed.h", "\n");
  const folder = join(project.folder, "gone");
  const inner = project.write("gone/deep/x.h", "\n");
  const argv = ["/usr/bin/gcc", "-S", "a.c", "-o", "-"];
  const source = join(project.folder, "a.c");
  for (let round = 0; round < 6; round++) {
    const there = await run(session, await project.action(argv, { inputs: [source, probed, inner] }));
    assert.match(there.stdout, /there:/);
    const absent = await run(
      session,
      await project.action(argv, { inputs: [source], absent: [probed, folder] }),
    );
    assert.match(absent.stdout, /absent:/);
    const listing = await run(session, await project.shell("ls", { absent: [probed, folder] }));
    assert.doesNotMatch(listing.stdout, /probed|gone/);
  }
});

test("a path may be a file, then a folder, then a link", async () => {
  const project = newProject();
  const path = project.write("thing", "a file\n");
  const show = async (inputs: string[], script: string) => {
    for (let round = 0; round < 5; round++) {
      const result = await run(session, await project.shell(script, { inputs }));
      assert.deepEqual(result.termination, succeeded, result.stderr);
      assert.match(result.stdout, /^(a file|in it|elsewhere)\n$/);
    }
  };
  await show([path], "cat thing");
  rmSync(path);
  const inner = project.write("thing/inner", "in it\n");
  await show([inner], "cat thing/inner");
  rmSync(path, { recursive: true });
  const target = project.write("other/inner", "elsewhere\n");
  symlinkSync("other", path);
  await show([path, target], "cat thing/inner");
});

test("outputs through a linked folder are found, and the working folder may be a link", async () => {
  const project = newProject();
  mkdirSync(join(project.folder, "real"));
  symlinkSync("real", join(project.folder, "link"));
  const path = join(project.folder, "link/out");
  const inputs = [join(project.folder, "link"), join(project.folder, "real")];
  const action = await project.shell("echo text > out", {
    inputs,
    cwd: join(project.folder, "link"),
    outputs: [{ path, exists: false }],
  });
  const result = await run(session, action);
  assert.equal(result.written.get(path)?.toString(), "text\n");
});

test("what the compiler does to an existing output on an error: gcc leaves it, clang removes it", async (t) => {
  const project = newProject();
  project.write("bad.c", "int main(void) { return x; }\n");
  const path = project.write("bad.o", "old\n");
  const fail = async (compiler: string) => {
    const argv = [compiler, "-c", "bad.c", "-o", "bad.o"];
    const action = await project.action(argv, {
      inputs: [join(project.folder, "bad.c")],
      outputs: [{ path, exists: true }],
    });
    return await run(session, action);
  };
  const gcc = await fail("/usr/bin/gcc");
  assert.deepEqual(gcc.termination, { kind: "exited", status: 1 });
  assert.deepEqual([gcc.removed, [...gcc.written.keys()]], [[], []]);
  if (!existsSync("/usr/bin/clang")) return t.skip("needs clang");
  const clang = await fail("/usr/bin/clang");
  assert.deepEqual(clang.termination, { kind: "exited", status: 1 });
  assert.deepEqual([clang.removed, [...clang.written.keys()]], [[path], []]);
});

test("modes of outputs follow the umask, also over an existing object", async () => {
  const project = newProject();
  project.write("a.c", "int a;\n");
  const path = join(project.folder, "a.o");
  for (const exists of [false, true]) {
    const argv = ["/usr/bin/gcc", "-c", "a.c", "-o", "a.o"];
    const result = await run(
      session,
      await project.action(argv, { umask: 0o077, outputs: [{ path, exists }] }),
    );
    assert.equal(result.modes.get(path), 0o600);
  }
});

test("a file nobody declared is reported, one in /tmp is not", async () => {
  const action = await newProject().shell("echo > /usr/new; echo > /tmp/mine; mkdir /d; echo > /d/e", {
    cwd: "/",
  });
  const result = await run(session, action);
  assert.deepEqual([...result.undeclared].sort(), ["/d/e", "/usr/new"]);
});

test("with a terminal at home, messages have colours and fit its width; the command is untouched", async () => {
  const project = newProject();
  project.write("bad.c", `int main(void) { return missing_${"x".repeat(150)}; }\n`);
  const argv = ["/usr/bin/gcc", "-c", "bad.c"];
  const inputs = [join(project.folder, "bad.c")];
  const environment = { PATH: "/usr/bin:/bin", PWD: project.folder, TERM: "xterm-256color" };
  const plain = await run(session, await project.action(argv, { inputs, environment }));
  assert.ok(!plain.stderr.includes("\u001b"));
  const size = { columns: 60, rows: 20 };
  const colours = await run(
    session,
    await project.action(argv, { inputs, environment, terminal: { stdin: size, stderr: size } }),
  );
  assert.ok(colours.stderr.includes("\u001b[01;31m"), colours.stderr);
  assert.doesNotMatch(colours.stderr, /\r/);
  assert.equal(colours.stdout, "");
});

test("a terminal's output is complete, however much there is at the end", async () => {
  const size = { columns: 80, rows: 25 };
  const script = "i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done";
  const result = await run(
    session,
    await newProject().shell(script, { terminal: { stderr: size, stdout: size } }),
  );
  const lines = result.stderr.split("\n");
  assert.equal(lines.length, 20001);
  assert.equal(lines[19999], "line 19999");
});

test("both streams, arguments, environment, status and umask arrive as they are", async () => {
  const strange = "ä ,;'\"\n\t$x";
  const action = await newProject().action(
    ["/usr/bin/sh", "-c", 'printf %s "$1" "$V"; echo err >&2; umask; exit 42', "sh", strange],
    {
      inputs: [],
      environment: { V: strange },
      umask: 0o027,
    },
  );
  const result = await run(session, action);
  assert.deepEqual(result.termination, { kind: "exited", status: 42 });
  assert.equal(result.stdout, `${strange}${strange}0027\n`);
  assert.equal(result.stderr, "err\n");
});

test("steps run in order until one fails", async () => {
  const action = await newProject().shell("", { inputs: [] });
  const scripts = ["echo one > /tmp/x", "cat /tmp/x; exit 3", "echo never"];
  const steps = scripts.map((script) => ({ program: "/usr/bin/sh", argv: ["sh", "-c", script] }));
  const result = await run(session, { ...action, steps });
  assert.deepEqual(result.termination, { kind: "exited", status: 3 });
  assert.equal(result.stdout, "one\n");
});

test("death by a signal, a time limit, and programs left behind", async () => {
  const project = newProject();
  const killed = await run(session, await project.shell("kill -SEGV $$"));
  assert.deepEqual(killed.termination, { kind: "signalled", signal: 11 });
  const late = await run(
    session,
    await project.shell("echo begun; sleep 100 & sleep 100", { timeoutMs: 300 }),
  );
  assert.deepEqual(late.termination, { kind: "timed-out" });
  assert.equal(late.stdout, "begun\n");
  const started = performance.now();
  assert.deepEqual((await run(session, await project.shell("sleep 100 & exit 0"))).termination, succeeded);
  assert.ok(performance.now() - started < 5000);
});

test("limits: file size, CPU time, memory, text", async () => {
  const small = await bench.session(
    await bench.namespaceExecutor({
      fileSizeBytes: 1 << 20,
      cpuSeconds: 1,
      dataBytes: 100 << 20,
      textBytes: 10_000,
    }),
  );
  const project = newProject();
  const limitOf = async (script: string, options = {}) =>
    (await run(small, await project.shell(script, options))).termination;
  assert.deepEqual(await limitOf("exec cat /dev/zero > big"), { kind: "limited", limit: "file size" });
  assert.deepEqual(await limitOf("while :; do :; done"), { kind: "limited", limit: "CPU time" });
  const endless = "echo '#include \"/dev/zero\"' > a.c; gcc -c a.c";
  assert.deepEqual(await limitOf(endless), { kind: "limited", limit: "memory" });
  const score = await run(session, await project.shell("cat /proc/self/oom_score_adj"));
  assert.equal(score.stdout, "1000\n", "the kernel takes jobs first");
  const shout = "i=0; while [ $i -lt 2000 ]; do echo 12345678 >&2; i=$((i+1)); done";
  assert.deepEqual(await limitOf(shout), { kind: "limited", limit: "size of the messages" });
  const terminal = { stderr: { columns: 80, rows: 25 } };
  assert.deepEqual(await limitOf(shout, { terminal }), { kind: "limited", limit: "size of the messages" });
});

test("a job sees nothing of the server: no files, no processes, no network, no capabilities", async () => {
  const script = [
    "cat /etc/passwd",
    "ls /root /home /sys",
    "echo x > /proc/sys/kernel/core_pattern",
    "ls /proc | grep -c '^[0-9]*$'",
    "cat /proc/net/dev /proc/self/status /proc/mounts",
  ].join("; ");
  const result = await run(session, await newProject().shell(script));
  assert.match(result.stderr, /\/etc\/passwd: No such file/);
  assert.match(result.stderr, /cannot access '\/root'/);
  assert.match(result.stderr, /core_pattern/);
  assert.match(result.stdout, /CapEff:\s+0000000000000000\n[^]*CapBnd:\s+0000000000000000/);
  assert.match(result.stdout, /NoNewPrivs:\s+1/);
  assert.deepEqual(
    result.stdout.match(/^\s*\w+: +\d/gm)?.map((line) => line.split(":")[0]?.trim()),
    ["lo"],
  );
  assert.ok(!result.stdout.includes(bench.folder), "the server's paths show");
  const pids = await run(session, await newProject().shell("ls /proc"));
  assert.ok(pids.stdout.split("\n").filter((name) => /^\d+$/.test(name)).length <= 3, pids.stdout);
});

test("devices work, and inputs under their names are not laid out", async () => {
  const project = newProject();
  const result = await run(
    session,
    await project.action(["/usr/bin/gcc", "-E", "-P", "-x", "c", "-include", "/dev/null", "/dev/null"], {
      inputs: [],
    }),
  );
  assert.deepEqual(result.termination, succeeded, result.stderr);
});

test("paths that would leave the job's root are refused", async () => {
  const action = await newProject().shell("true");
  const refused = async (changes: Partial<Action>) => {
    await assert.rejects(run(session, { ...action, ...changes }), (error) =>
      hasCode(error, "ERR_HOMCC_REFUSED"),
    );
  };
  for (const path of [
    "/../x",
    "/a/./b",
    "a",
    "/a//b",
    "/a/",
    "",
    "/a\0b",
    `/${"n".repeat(256)}`,
    "/proc/1/x",
  ]) {
    await refused({ inputs: [{ kind: "directory", path }] });
    await refused({ absent: [path] });
    await refused({ outputs: [{ path, exists: false }] });
  }
  const link = { kind: "symlink", path: "/x/link", target: "link" } as const;
  await refused({ inputs: [link, { kind: "directory", path: "/x/link/below" }] });
  await refused({ cwd: "/a/../b" });
  await refused({ environment: { A: "b\0c" } });
});

test("an input that would change the programs that run is refused, through links too", async () => {
  const project = newProject();
  project.write("evil", "/w/evil.so\n");
  const action = await project.shell("true");
  const digest = digestOf(readFileSync(join(project.folder, "evil")));
  const file = (path: string) => ({ kind: "file", path, digest, mtimeNs: 0n }) as const;
  for (const inputs of [
    [file("/etc/ld.so.preload")],
    [file("/usr/bin/as")],
    [{ kind: "symlink", path: "/usr/lib", target: "/w" } as const],
    [{ kind: "symlink", path: "/w/tools", target: "/usr/bin" } as const, file("/w/tools/as")],
  ]) {
    await assert.rejects(run(session, { ...action, inputs }), (error) => hasCode(error, "ERR_HOMCC_REFUSED"));
  }
});

test("a link among the inputs never leads out of a layer", async () => {
  const project = newProject();
  const outside = mkdtempSync(join(bench.folder, "outside-"));
  const action = await project.shell("true");
  const base = { path: `${project.folder}/l`, target: outside } as const;
  for (let round = 0; round < 6; round++) {
    const file = { kind: "placeholder", path: `${base.path}/evil` };
    const inputs = [{ kind: "symlink", ...base }] as const;
    await run(session, { ...action, inputs, outputs: [{ path: file.path, exists: true }] });
    await run(session, { ...action, inputs: [{ kind: "directory", path: file.path }] });
  }
  assert.deepEqual(readdirSync(outside), []);
});

test("an input that the store lost is an error of ours, not of the compiler", async () => {
  const project = newProject();
  const action = await project.shell("true", { inputs: [] });
  const digest = digestOf(Buffer.from("never stored"));
  const file = { kind: "file", path: join(project.folder, "x"), digest, mtimeNs: 0n } as const;
  await assert.rejects(run(session, { ...action, inputs: [file] }), (error) =>
    hasCode(error, "ERR_HOMCC_EXECUTOR"),
  );
});

test("aborting kills the whole tree within a second and leaves no folder", async () => {
  const own = join(bench.folder, "abort-sessions");
  const executor = await bench.namespaceExecutor({}, own);
  const aborted = await bench.session(executor);
  const controller = new AbortController();
  const marker = "987654";
  const action = await newProject().shell(`(sleep ${marker} & sleep ${marker}) & sleep ${marker}`);
  const running = run(aborted, action, controller.signal);
  await waitUntil(() => sleepers(marker) === 3);
  const reason = new Error("the client left");
  controller.abort(reason);
  const started = performance.now();
  await assert.rejects(running, reason);
  assert.ok(performance.now() - started < 1000);
  assert.equal(sleepers(marker), 0);
  assert.deepEqual(readdirSync(join(own, "1", "j")), []);
});

test("closing a session ends its jobs and removes its folder", async () => {
  const own = join(bench.folder, "closed-sessions");
  const closed = await (await bench.namespaceExecutor({}, own)).openSession();
  const running = run(closed, await newProject().shell("sleep 987653"));
  const rejected = assert.rejects(running);
  await waitUntil(() => sleepers("987653") === 1);
  await closed.close();
  await rejected;
  assert.equal(sleepers("987653"), 0);
  assert.deepEqual(readdirSync(own), []);
  await assert.rejects(run(closed, await newProject().shell("true")));
});

test("when the runner dies its jobs reject, and the next job starts another one", async () => {
  const victim = await bench.session(await bench.namespaceExecutor());
  const running = run(victim, await newProject().shell("exec sleep 987652"));
  const rejected = assert.rejects(running, (error) => hasCode(error, "ERR_HOMCC_EXECUTOR"));
  await waitUntil(() => sleepers("987652") === 1);
  const init = parentOf(parentOf(processesWith("987652")[0] ?? 0));
  process.kill(init, "SIGKILL"); // the runner's pid 1
  await rejected;
  await waitUntil(() => sleepers("987652") === 0);
  assert.deepEqual((await run(victim, await newProject().shell("true"))).termination, succeeded);
});

test("kill -9 of the server ends its jobs", async () => {
  const script = `
    const { run, TestBench } = await import(${JSON.stringify(new URL("./fixtures/test-bench.ts", import.meta.url).href)});
    const bench = new TestBench();
    const session = await bench.session(await bench.namespaceExecutor());
    console.log(bench.folder);
    await run(session, await bench.project().shell("sleep 987651 & sleep 987651"));`;
  const server = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const folder = String((await once(server.stdout, "data"))[0]).trim();
  await waitUntil(() => sleepers("987651") === 2);
  server.kill("SIGKILL");
  await waitUntil(() => sleepers("987651") === 0);
  await removeTree(folder);
});

test("a full disk is reported as such and never gives a broken object", async (t) => {
  if (!isRoot) return t.skip("needs root to mount a small file system");
  const folder = mkdtempSync(join(bench.folder, "small-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=12m", "tmpfs", folder]);
  if (mounted.status !== 0) return t.skip("needs the right to mount");
  try {
    const limits = { startFreeBytes: 1 << 20, minFreeBytes: 1 << 20 };
    const full = await bench.namespaceExecutor(limits, join(folder, "sessions"));
    const fullSession = await bench.session(full);
    const project = newProject();
    project.write("big.c", "char big[60 << 20] = {1};\n");
    const path = join(project.folder, "big.o");
    const argv = ["/usr/bin/gcc", "-c", "big.c", "-o", "big.o"];
    const big = await run(fullSession, await project.action(argv, { outputs: [{ path, exists: false }] }));
    assert.deepEqual(big.termination, { kind: "limited", limit: "disk" });
    assert.equal(big.written.size, 0);
    project.write("input.h", "x".repeat(20 << 20));
    const large = await project.shell("true", { inputs: [join(project.folder, "input.h")] });
    await assert.rejects(run(fullSession, large), (error) => hasCode(error, "ERR_HOMCC_STORE_FULL"));
    assert.deepEqual((await run(fullSession, await project.shell("true"))).termination, succeeded);
    await fullSession.close();
    const reserved = await bench.namespaceExecutor(
      { startFreeBytes: 16 << 20, minFreeBytes: 1 << 20 },
      join(folder, "reserved"),
    );
    const idle = await bench.session(reserved);
    await assert.rejects(
      project.shell("true").then((action) => run(idle, action)),
      (error) => hasCode(error, "ERR_HOMCC_STORE_FULL"),
    );
    await idle.close();
  } finally {
    spawnSync("umount", [folder]);
  }
});

if (isRoot)
  test("all of this as an ordinary user", async (t) => {
    const file = new URL(import.meta.url).pathname;
    const asUser = { uid: ordinaryUser, gid: ordinaryUser, cwd: "/", encoding: "utf8" } as const;
    const readable = spawnSync(process.execPath, ["--check", file], asUser);
    if (readable.status !== 0) return t.skip("needs a repository that other users can read");
    const child = spawn(process.execPath, ["--test-reporter=tap", file], {
      uid: ordinaryUser,
      gid: ordinaryUser,
      cwd: "/",
      env: { PATH: process.env["PATH"] },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (text: Buffer) => (output += text.toString()));
    await once(child, "close");
    assert.equal(child.exitCode, 0, output);
  });

test("the mirrored file has its own inode and the client's time", async () => {
  const project = newProject();
  const path = project.write("a.h", "text\n", 1_600_000_000);
  const own = join(bench.folder, "inode-sessions");
  const inodes = await bench.session(await bench.namespaceExecutor({}, own));
  const action = await project.shell(`ls -l --time-style=+%s ${path}`, { inputs: [path] });
  for (let round = 0; round < 6; round++) {
    assert.match((await run(inodes, action)).stdout, / 1600000000 /);
  }
  const mirrored = readdirSync(join(own, "1", "g")).map((layer) =>
    statSync(join(own, "1", "g", layer) + path),
  );
  assert.equal(mirrored.length, 1);
  assert.equal(mirrored[0]?.nlink, 1);
});

function processesWith(argument: string): number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8") === `sleep\0${argument}\0` ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

function sleepers(argument: string): number {
  return processesWith(argument).length;
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

async function waitUntil(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadlineMs, "waited 10 s");
    await delay(10);
  }
}
