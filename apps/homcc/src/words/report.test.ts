import assert from "node:assert/strict";
import { test } from "node:test";
import { type LoadedSettings, loadSettings } from "@homcc/config/load";
import type { LogLevel } from "@homcc/observability/log";
import { clientLine, createLogger } from "@homcc/observability/log";
import { atHome, type Conclusion } from "../conclusion.ts";
import type { JobVoice } from "./job-voice.ts";
import { report } from "./report.ts";
import { WarningRate } from "./warning-rate.ts";

interface Room {
  /** What audits found. */
  readonly alarms: string[];
  readonly printed: string[];
  readonly forgotten: string[];
  readonly pass: (ms: number) => void;
  readonly job: (conclusion: Conclusion, options?: JobOptions) => void;
}

interface JobOptions {
  readonly session?: number;
  readonly tells?: JobVoice["tells"];
  readonly forbidLocal?: boolean;
}

const levelOf: Readonly<Record<JobVoice["tells"], LogLevel>> = {
  nothing: "CRITICAL",
  errors: "ERROR",
  news: "WARNING",
  everything: "DEBUG",
};

/** One agent whose jobs print into `printed`. */
async function room(
  configuration: Readonly<Record<string, string>> = { HOMCC_HOSTS: "a\nb" },
): Promise<Room> {
  let nowMs = 0;
  const [printed, forgotten]: [string[], string[]] = [[], []];
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
  const warnings = new WarningRate(clock, (text) => forgotten.push(text));
  const loaded = await loadSettings({ environment: configuration, systemFolder: "/nonexistent" });
  const alarms: string[] = [];
  const job: Room["job"] = (conclusion, { session = 1, tells = "news", forbidLocal = false } = {}) => {
    const print = (line: string): void => void printed.push(line.trimEnd());
    const voice = { log: createLogger(levelOf[tells], clientLine, print), tells, progress: () => {} };
    const settings = { ...loaded.settings, noLocalCompilation: forbidLocal };
    const given: LoadedSettings = { ...loaded, settings };
    report(conclusion, { session, loaded: given, voice, warnings, alarms });
  };
  return { printed, forgotten, alarms, pass: (ms) => (nowMs += ms), job };
}

const remote: Conclusion = {
  outcome: "compiled-remotely",
  detail: "",
  silent: false,
  ending: { kind: "exit", status: 0 },
  cost: { host: "a:3126", executor: "namespace", sentBytes: 1, receivedBytes: 1, compileMs: 1, uploadMs: 0 },
};

test("the first fallback of a cause warns, the others are summed up after a minute by whatever job there is", async () => {
  const { printed, job, pass } = await room();
  for (const detail of ["a:3126: refused; b:3126", "a:3126; b:3126: timed out", "a:3126"])
    job(atHome("no-server", detail));
  pass(60_000);
  job(remote);
  job(remote);
  assert.deepEqual(printed, [
    "[HOMCC-WARNING] no server could be reached: a:3126: refused; b:3126. Compiling locally instead!",
    "[HOMCC-WARNING] 2 more files were compiled locally: no server could be reached",
  ]);
});

test("servers and reasons are causes, files are not", async () => {
  const { printed, job } = await room();
  const told: [Conclusion["outcome"], string, boolean][] = [
    ["connection-lost", "a:3126: reset", true],
    ["connection-lost", "a:3126: silent for 4000 ms", false],
    ["connection-lost", "b:3126: reset", true],
    ["remote-crash", "signal 11", true],
    ["remote-crash", "internal compiler error", true],
    ["remote-crash", "signal 11", false],
    ["toolchain-differs", "a:3126: here gcc, there gcc 12", true],
    ["toolchain-differs", "a:3126: here clang, there clang 14", true],
    ["missing-file", "/home/me/a.h", true],
    ["missing-file", "/home/me/b.h", false],
    ["output-failed", "/home/me/a.o: no space", true],
    ["output-failed", "/home/me/b.o: no space", false],
    ["mapped-failure", "exit status 1", true],
    ["mapped-failure", "exit status 2", false],
    ["input-changed", "/home/me/a.h changed", true],
    ["input-changed", "/home/me/b.h changed", false],
  ];
  for (const [outcome, detail, isNews] of told) {
    const before = printed.length;
    job(atHome(outcome, detail));
    assert.equal(printed.length - before, isNews ? 1 : 0, `${outcome} ${detail}`);
  }
});

test("two shells get their warning each, and so does a build an hour later", async () => {
  const { printed, forgotten, job, pass } = await room();
  for (const session of [1, 2, 1, 2]) job(atHome("no-server", ""), { session });
  assert.equal(printed.length, 2);
  pass(3_600_000);
  job(atHome("no-server", ""));
  assert.equal(printed.length, 3);
  assert.deepEqual(forgotten, ["1 more file was compiled locally: no server could be reached"]);
});

test("--verbose tells of every job, and sums up nothing", async () => {
  const { printed, job, pass } = await room();
  for (let count = 0; count < 3; count += 1) {
    job(atHome("no-server", "a:3126"), { tells: "everything" });
    pass(60_000);
  }
  job(remote, { tells: "everything" });
  job(atHome("linking-only", "x"), { tells: "everything" });
  assert.deepEqual(printed.slice(2), [
    "[HOMCC-WARNING] no server could be reached: a:3126. Compiling locally instead!",
    "[HOMCC-INFO] Compiled remotely on a:3126",
    "[HOMCC-INFO] Compiling locally: linking only: x",
  ]);
});

test("an error is told with each job", async () => {
  const { printed, job } = await room();
  for (const tells of ["news", "news", "errors", "everything"] as const)
    job(atHome("no-server", "a:3126"), { tells, forbidLocal: true });
  assert.deepEqual(
    printed,
    Array(4).fill("[HOMCC-ERROR] no server could be reached: a:3126. Local compilation is forbidden."),
  );
});

test("a job that is muted does not use up the news", async () => {
  const { printed, job } = await room({ HOMCC_HOSTS: "bad host:line\n" });
  for (const tells of ["nothing", "errors"] as const) job(atHome("no-server", ""), { tells });
  job({ ...atHome("configure-check", "conftest.c", true) });
  assert.equal(printed.length, 0);
  job(atHome("no-server", ""));
  job(atHome("no-server", ""));
  assert.equal(printed.filter((line) => line.includes("HOMCC_HOSTS:1")).length, printed.length - 1);
  assert.match(printed.at(-1) ?? "", /Compiling locally instead!$/);
});

test("a build without hosts is told once, and its files are not counted", async () => {
  const { printed, job, pass } = await room({});
  for (let minute = 0; minute < 4; minute += 1) {
    job(atHome("no-hosts", "No hosts are configured (set HOMCC_HOSTS or write ~/.homcc/hosts)"));
    pass(60_000);
  }
  assert.equal(printed.length, 1);
  assert.match(printed[0] ?? "", /^\[HOMCC-WARNING\] no hosts are configured: .*HOMCC_HOSTS/);
});

test("what an audit found is an error, told every session once, and no configure check", async () => {
  const { printed, alarms, job } = await room();
  alarms.push("self-audit: a.c differs");
  job(remote, { session: 1, tells: "errors" });
  job(remote, { session: 1 });
  job({ ...remote, silent: true }, { session: 2 });
  job(remote, { session: 3, tells: "nothing" });
  job(remote, { session: 2 });
  assert.deepEqual(
    printed,
    Array.from({ length: 2 }, () => "[HOMCC-ERROR] self-audit: a.c differs"),
  );
});
