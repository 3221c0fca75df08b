import assert from "node:assert/strict";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "@homcc/observability/log";
import { waitFor } from "../../../../test/support/wait-for.ts";
import { processesMentioning } from "../../../../test/support/processes.ts";
import { ManualTime } from "../remote/manual-time.fixture.ts";
import { scratchFolder } from "../remote/scratch-folder.fixture.ts";
import type { AuditVerdict } from "./audit.ts";
import { AuditReporter } from "./audit-reporter.ts";
import { Auditor, restMs } from "./auditor.ts";
import { Candidates } from "./candidates.ts";
import { Findings } from "./findings.ts";
import { runApart } from "./local-run.ts";
import { answeredCompile, freshDigests, placeIn, toolchainDigest } from "./subject.fixture.ts";
import type { AuditSubject } from "./subject.ts";

const source = { "a.c": "int value(void) { return 1; }\n" };
const longSource = {
  "a.c": `${Array.from({ length: 1200 }, (_, n) => `int f${n}(int x) { for (int i = 0; i < x; i++) x += i * ${n}; return x; }`).join("\n")}\n`,
};

interface Room {
  readonly auditor: Auditor;
  readonly candidates: Candidates;
  readonly counts: AuditVerdict["kind"][];
  readonly findings: Findings;
  readonly time: ManualTime;
  readonly folder: string;
  busy: string | undefined;
}

async function withRoom(body: (room: Room) => Promise<void>): Promise<void> {
  await using scratch = await scratchFolder();
  const folder = scratch.path;
  const time = new ManualTime();
  const counts: AuditVerdict["kind"][] = [];
  const findings = new Findings(join(folder, "findings.json"), silentLogger);
  const candidates = new Candidates(join(folder, "queue"));
  const digests = freshDigests();
  const room: Omit<Room, "auditor"> = { candidates, counts, findings, time, folder, busy: undefined };
  const auditor = new Auditor({
    candidates,
    tools: {
      run: (subject, signal) => runApart(subject, placeIn(folder), digests, signal),
      digests,
      toolchainOf: () => Promise.resolve(toolchainDigest),
    },
    reporter: new AuditReporter(folder, findings, (kind) => counts.push(kind), silentLogger),
    whyBusy: () => whole.busy,
    logger: silentLogger,
    timers: time.timers,
    random: () => 0.3,
  });
  const whole: Room = Object.assign(room, { auditor });
  try {
    await body(whole);
  } finally {
    await auditor.close();
  }
}

/** A call that ends with a result, as the agent serves it. */
async function job({ auditor }: Room, subject: AuditSubject, rate = 1): Promise<void> {
  using _call = auditor.busy();
  await auditor.sample(rate, () => subject);
}

test("a job that was chosen is compiled again when the machine has been idle, and nothing is left of it", () =>
  withRoom(async (room) => {
    const { auditor, counts, time, candidates } = room;
    await job(room, await answeredCompile(room.folder, source));
    assert.equal(auditor.waiting, 1);
    time.pass(restMs - 1);
    assert.equal(auditor.waiting, 1);
    time.pass(1);
    await waitFor("the audit", () => counts.length === 1);
    assert.deepEqual(counts, ["identical"]);
    await waitFor("the queue", () => auditor.waiting === 0);
    assert.deepEqual(await readdir(candidates.ownFolder), []);
    assert.equal(time.pending, 0);
  }));

test("the rate decides", () =>
  withRoom(async (room) => {
    const subject = await answeredCompile(room.folder, source);
    await job(room, subject, 0);
    await job(room, subject, 0.29);
    assert.equal(room.auditor.waiting, 0);
    await job(room, subject, 0.31);
    assert.equal(room.auditor.waiting, 1);
  }));

test("a busy machine is looked at again, and no timer stays when it never is idle", () =>
  withRoom(async (room) => {
    const { auditor, counts, time } = room;
    await job(room, await answeredCompile(room.folder, source));
    room.busy = "on battery";
    time.pass(restMs);
    time.pass(60_000);
    assert.equal(counts.length, 0);
    room.busy = undefined;
    time.pass(60_000);
    await waitFor("the audit", () => counts.length === 1);
    await job(room, await answeredCompile(room.folder, source));
    room.busy = "on battery";
    for (let looks = 0; looks < 20; looks++) time.pass(60_000);
    assert.deepEqual([time.pending, auditor.waiting], [0, 1]);
  }));

test("a build ends the audit at once, and it is tried again after it", () =>
  withRoom(async (room) => {
    const { auditor, counts, time, folder } = room;
    const subject = await answeredCompile(folder, longSource);
    await job(room, subject);
    time.pass(restMs);
    const compilers = (): unknown[] => processesMentioning(`${folder}/work/run-`);
    await waitFor("the compiler", () => compilers().length > 0);
    {
      using _build = auditor.busy();
      await waitFor("its end", () => compilers().length === 0);
      await waitFor("the queue", () => time.pending === 0 && auditor.waiting === 1);
      time.pass(10 * restMs);
      assert.deepEqual([counts, compilers()], [[], []]);
    }
    await waitFor(
      "the second try",
      () => {
        time.pass(restMs);
        return counts.length === 1;
      },
      60_000,
    );
    assert.deepEqual(counts, ["identical"]);
  }));

test("a difference leaves a finding, and a bundle that says everything but secrets", () =>
  withRoom(async (room) => {
    const honest = await answeredCompile(room.folder, source);
    const [object] = honest.answer.produced;
    assert(object?.kind === "written");
    await writeFile(object.file, "a lie");
    await job(room, { ...honest, environment: { ...honest.environment, API_KEY: "secret-value" } });
    // The build goes on and writes its outputs.
    await writeFile(object.file, "something else");
    room.time.pass(restMs);
    await waitFor("the audit", () => room.counts.length === 1);
    assert.deepEqual(room.counts, ["different"]);
    const [finding] = room.findings.all;
    assert(finding !== undefined);
    assert.deepEqual(
      [finding.host, finding.signature.text, finding.serverVersion],
      ["office:3126", "gcc c -O1 -c", "homccd 2.0.0"],
    );
    assert.equal(await readFile(join(finding.bundle, "server", "0-a.o"), "utf8"), "a lie");
    assert((await readFile(join(finding.bundle, "here", "0-a.o"))).length > 100);
    const report = await readFile(join(finding.bundle, "report.json"), "utf8");
    assert(!report.includes("secret-value"));
    const told: Readonly<Record<string, unknown>> = JSON.parse(report);
    for (const name of [
      "command",
      "cwd",
      "environment",
      "inputs",
      "compiler",
      "server",
      "homcc",
      "results",
      "differences",
    ])
      assert(told[name] !== undefined, name);
    assert.match(JSON.stringify(told["inputs"]), /a\.c.*digest|digest.*a\.c/);
  }));

test("the queue and the bundles are bounded", () =>
  withRoom(async (room) => {
    for (let n = 0; n < 20; n++) await job(room, await answeredCompile(room.folder, source));
    assert.equal(room.auditor.waiting, 16);
    assert.equal((await readdir(room.candidates.ownFolder)).length, 16);
    const reporter = new AuditReporter(room.folder, room.findings, () => {}, silentLogger, {
      wallMs: () => (nowMs += 1000),
      monotonicMs: () => 0,
    });
    let nowMs = Date.now();
    const subject = await answeredCompile(room.folder, source);
    for (let n = 0; n < 10; n++) await reporter.different(subject, subject.answer, []);
    assert.equal((await readdir(join(room.folder, "bundles"))).length, 8);
  }));

test("what a killed agent left is removed by the next one's first candidate", () =>
  withRoom(async (room) => {
    const left = new Candidates(join(room.folder, "queue"));
    await left.add(await answeredCompile(room.folder, source));
    // A process id above the largest that Linux gives.
    await rename(left.ownFolder, join(room.folder, "queue", "agent-99999999"));
    await job(room, await answeredCompile(room.folder, source));
    assert.deepEqual(await readdir(join(room.folder, "queue")), [`agent-${process.pid}`]);
  }));
