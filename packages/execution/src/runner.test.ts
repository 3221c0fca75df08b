import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "@homcc/observability/error";
import * as fc from "fast-check";
import { runnerProgram } from "./fixtures/test-bench.ts";
import { removeTree } from "./remove-tree.ts";
import { encodeRun, noBounds, type RunnerJob } from "./runner-codec.ts";
import { JobRunner } from "./runner.ts";

/** A plain runner and a folder for its jobs. */
class Plain implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "homcc-runner-"));
  /** Where its jobs run: they may write nowhere else. */
  readonly work: string = join(this.folder, "upper");
  readonly runner: JobRunner = new JobRunner(runnerProgram, ["plain"]);

  job(script: string, changes: Partial<RunnerJob> = {}): RunnerJob {
    return {
      folder: this.folder,
      layers: "",
      absent: [],
      cwd: this.work,
      umask: 0o022,
      terminals: { stdin: false, stdout: false, stderr: false },
      columns: 0,
      rows: 0,
      terminalOutputLimitBytes: 1000,
      limits: [],
      bounds: noBounds,
      readable: ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache"],
      environment: { PATH: "/usr/bin:/bin" },
      steps: [{ program: "/bin/sh", argv: ["sh", "-c", script] }],
      ...changes,
    };
  }

  constructor() {
    mkdirSync(this.work);
  }

  text(name: "stdout" | "stderr"): string {
    return readFileSync(join(this.folder, name), "utf8");
  }

  /** The processes that the job's script wrote to the file `pids`, once there are `count`. */
  async pids(count: number): Promise<number[]> {
    const path = join(this.work, "pids");
    const read = () =>
      existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean).map(Number) : [];
    await waitUntil(() => read().length === count);
    return read();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runner.close();
    await removeTree(this.folder);
  }
}

const never = new AbortController().signal;
/** Three processes, one of them in a session of its own. */
const family = "sleep 1000 & echo $! >> pids; setsid sleep 1000 & echo $! >> pids; echo $$ >> pids; wait";

test("a plain job runs with the given status, texts and limits", async () => {
  await using plain = new Plain();
  const limits = [{ resource: 7, value: 33n }];
  const result = await plain.runner.run(
    plain.job("echo out; echo err >&2; ulimit -n; exit 3", { limits }),
    never,
  );
  assert.equal(result.outcome === "ended" && result.waitStatus, 3 << 8);
  assert.equal(plain.text("stdout"), "out\n33\n");
  assert.equal(plain.text("stderr"), "err\n");
});

test("a plain job has a terminal too, and its output ends at the limit", async () => {
  await using plain = new Plain();
  const terminals = { stdin: true, stdout: false, stderr: true };
  await plain.runner.run(
    plain.job("stty size; [ -t 2 ] && echo yes >&2", { terminals, columns: 99, rows: 33 }),
    never,
  );
  assert.equal(plain.text("stdout"), "33 99\n");
  assert.equal(plain.text("stderr"), "yes\n");
  await plain.runner.run(plain.job("head -c 5000 /dev/zero >&2", { terminals }), never);
  assert.equal(plain.text("stderr").length, 1001);
});

test("aborting ends the whole family at once, even what left its group", async () => {
  await using plain = new Plain();
  const controller = new AbortController();
  const running = plain.runner.run(plain.job(family), controller.signal);
  const pids = await plain.pids(3);
  const startedMs = performance.now();
  controller.abort(new Error("enough"));
  await assert.rejects(running, /enough/);
  assert.ok(performance.now() - startedMs < 1000);
  assert.deepEqual(pids.filter(isAlive), []);
});

test("what a plain job leaves behind ends with it", async () => {
  await using plain = new Plain();
  await plain.runner.run(plain.job(family.replace("wait", "exit 0")), never);
  assert.deepEqual((await plain.pids(3)).filter(isAlive), []);
});

test("closing the runner ends its jobs", async () => {
  await using plain = new Plain();
  const running = assert.rejects(plain.runner.run(plain.job(family), never), (error) =>
    hasCode(error, "ERR_HOMCC_EXECUTOR"),
  );
  const pids = await plain.pids(3);
  await plain.runner.close();
  await running;
  assert.deepEqual(pids.filter(isAlive), []);
});

test("without namespaces too a job has its folder and the system's, whoever started the runner", async () => {
  await using plain = new Plain();
  const secret = join(plain.folder, "key.pem");
  writeFileSync(secret, "the private key");
  const runner = new JobRunner(runnerProgram, ["inside"]);
  try {
    for (const each of [plain.runner, runner]) {
      const script = `cat ${secret}; ls /proc/1; kill -0 ${process.pid}; echo made > made; ls ..; mv ../upper ../other; cat made`;
      await each.run(plain.job(script), never);
      assert.equal(plain.text("stdout"), "made\n");
      assert.equal(
        plain.text("stderr").match(/Permission denied|not permitted/g)?.length,
        5,
        plain.text("stderr"),
      );
    }
  } finally {
    await runner.close();
  }
});

test("a program that cannot be run is named", async () => {
  await using plain = new Plain();
  const steps = [{ program: "/no/such", argv: ["such"] }];
  await assert.rejects(plain.runner.run(plain.job("", { steps }), never), /\/no\/such: no such file/);
});

test("200 jobs at once through one runner", async () => {
  await using plain = new Plain();
  const results = await Promise.all(
    Array.from({ length: 200 }, (_, at) => plain.runner.run(plain.job(`exit ${at}`), never)),
  );
  const statuses = results.map((result) => result.outcome === "ended" && result.waitStatus >> 8);
  assert.deepEqual(
    statuses,
    Array.from({ length: 200 }, (_, at) => at),
  );
});

test("a runner that cannot start says why, every time", async () => {
  await using plain = new Plain();
  for (const runner of [
    new JobRunner("/no/runner", []),
    new JobRunner(runnerProgram, ["namespace", "/no/a", "/no/b"]),
  ]) {
    for (let attempt = 0; attempt < 2; attempt++) {
      await assert.rejects(runner.run(plain.job("true"), never), (error) =>
        hasCode(error, "ERR_HOMCC_EXECUTOR"),
      );
    }
    await runner.close();
  }
});

test("malformed control input ends the runner with a message, whatever it is", async () => {
  await using plain = new Plain();
  const valid = encodeRun(1, plain.job("exit 0", { environment: { A: "b" }, absent: ["/a", "/b"] }));
  const broken = fc.oneof(
    fc.record({ at: fc.nat(valid.length - 1), byte: fc.nat(255) }).map(({ at, byte }) => {
      const bytes = Buffer.from(valid);
      bytes[at] = byte;
      return bytes;
    }),
    fc.uint8Array({ minLength: 4, maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(broken, (input) => {
      const { status, signal, stderr } = spawnSync(runnerProgram, ["plain"], {
        input,
        cwd: "/",
        encoding: "utf8",
        timeout: 20_000,
      });
      assert.equal(signal, null);
      assert.ok(
        status === 0 || (status === 2 && stderr.startsWith("malformed control message")),
        `${status} ${stderr}`,
      );
    }),
    { numRuns: 60, examples: [[Buffer.from([255, 255, 255, 255, 1])], [Buffer.from([1, 0, 0, 0, 0x58])]] },
  );
});

test("kill -9 of the runner's parent ends plain jobs", async () => {
  await using plain = new Plain();
  const script = `
    const { JobRunner } = await import(${JSON.stringify(new URL("./runner.ts", import.meta.url).href)});
    const runner = new JobRunner(${JSON.stringify(runnerProgram)}, ["plain"]);
    await runner.run(${JSON.stringify(plain.job(family))}, new AbortController().signal);`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "inherit" });
  const pids = await plain.pids(3);
  const exited = once(parent, "exit");
  parent.kill("SIGKILL");
  await exited;
  await waitUntil(() => pids.every((pid) => !isAlive(pid)));
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function waitUntil(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadlineMs, "waited 10 s");
    await delay(10);
  }
}
