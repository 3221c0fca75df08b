import assert from "node:assert/strict";
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Logger } from "@homcc/observability/log";
import { StateFiles } from "./state-files.ts";

interface Bench {
  readonly home: string;
  readonly states: string;
  readonly files: StateFiles;
  readonly debugLines: string[];
  nowMs: number;
  /** How long the clock believes a write to take. */
  writeMs: number;
  pass(ms: number): void;
}

async function bench(t: TestContext): Promise<Bench> {
  const home = await mkdtemp(join(tmpdir(), "homcc-states-"));
  t.after(() => rm(home, { recursive: true }));
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const debugLines: string[] = [];
  const silent = (): void => {};
  const logger: Logger = {
    debug: (text) => debugLines.push(text),
    info: silent,
    warning: silent,
    error: silent,
    critical: silent,
  };
  const clock = { wallMs: () => 0, monotonicMs: () => (it.nowMs += it.writeMs) };
  const it: Bench = {
    home,
    states: join(home, ".distcc/state"),
    files: new StateFiles(clock, logger),
    debugLines,
    nowMs: 0,
    writeMs: 0,
    pass: (ms) => {
      it.nowMs += ms;
      t.mock.timers.tick(ms);
    },
  };
  return it;
}

interface Shown {
  readonly file: string;
  readonly host: string;
  readonly slot: number;
  readonly phase: number;
}

async function shown(path: string): Promise<Shown> {
  const bytes = await readFile(path);
  const text = (offset: number): string =>
    bytes
      .subarray(offset, offset + 128)
      .toString()
      .replace(/\0+$/, "");
  return { file: text(24), host: text(152), slot: bytes.readInt32LE(280), phase: bytes.readInt32LE(284) };
}

test("a phase is written once it has lasted, touched while it lasts, and gone with its job", async (t) => {
  const it = await bench(t);
  const job = it.files.ofJob({ environment: { HOME: it.home }, cwd: "/", pid: 4242 });
  const file = join(it.states, "binstate_4242");
  const line = job.follow("a.cpp");
  line.enter("preprocess", "localhost");
  it.pass(99);
  line.enter("send", "build:3126");
  it.pass(99);
  assert.deepEqual(await readdir(it.home), []);
  it.pass(1);
  assert.deepEqual(await shown(file), { file: "a.cpp", host: "build:3126", slot: 0, phase: 4 });
  line.enter("compile", "build:3126");
  line.enter("compile", "build:3126");
  it.pass(100);
  assert.deepEqual(await shown(file), { file: "a.cpp", host: "build:3126", slot: 0, phase: 5 });

  await utimes(file, 0, 0);
  it.pass(29_999);
  assert.equal((await stat(file)).mtimeMs, 0);
  it.pass(1);
  assert.ok((await stat(file)).mtimeMs > 0);
  // A monitor that sees it after a sleep of the machine takes it for left over.
  await rm(file);
  it.pass(30_000);
  assert.equal((await shown(file)).phase, 5);

  job[Symbol.dispose]();
  line.enter("done", "localhost");
  it.pass(60_000);
  assert.deepEqual(await readdir(it.states), []);
});

test("several sources of one command, and jobs of one host, do not hide each other", async (t) => {
  const it = await bench(t);
  const environment = { HOME: "/nonexistent", DISTCC_DIR: "monitored" };
  const states = join(it.home, "monitored/state");
  const job = it.files.ofJob({ environment, cwd: it.home, pid: 7 });
  const other = it.files.ofJob({ environment, cwd: it.home, pid: 8 });
  for (const [which, name] of [
    [job, "a.c"],
    [job, "b.c"],
    [other, "c.c"],
  ] as const)
    which.follow(name).enter("compile", "build:3126");
  it.pass(100);
  const names = (await readdir(states)).toSorted();
  assert.deepEqual(names, ["binstate_7", "binstate_7_1", "binstate_8"]);
  const lines = await Promise.all(names.map((name) => shown(join(states, name))));
  assert.deepEqual(
    lines.map(({ file, slot }) => [file, slot]),
    [
      ["a.c", 0],
      ["b.c", 1],
      ["c.c", 2],
    ],
  );
  job[Symbol.dispose]();
  assert.deepEqual(await readdir(states), ["binstate_8"]);
  const next = it.files.ofJob({ environment, cwd: it.home, pid: 9 });
  next.follow("d.c").enter("send", "build:3126");
  it.pass(100);
  assert.equal((await shown(join(states, "binstate_9"))).slot, 0);
  other[Symbol.dispose]();
  next[Symbol.dispose]();
});

test("what cannot be written is said once, and tried again after a minute", async (t) => {
  const it = await bench(t);
  const home = join(it.home, "later");
  const run = (pid: number): void => {
    using job = it.files.ofJob({ environment: { HOME: home }, cwd: "/", pid });
    job.follow("a.c").enter("compile", "localhost");
    it.pass(100);
  };
  run(1);
  run(2);
  assert.equal(it.debugLines.length, 1);
  assert.match(it.debugLines[0] ?? "", /no state files for monitors: .*ENOENT.*later/);
  assert.deepEqual(await readdir(it.home), []);
  await mkdir(home);
  run(3);
  assert.deepEqual(await readdir(home), []);
  it.nowMs += 60_000;
  run(4);
  assert.deepEqual(await readdir(home), [".distcc"]);

  // Neither a file in the way nor a home without a name is an error of the job.
  await rm(home, { recursive: true });
  await writeFile(home, "");
  run(5);
  assert.equal(it.debugLines.length, 2);
  using homeless = it.files.ofJob({ environment: {}, cwd: "/", pid: 6 });
  homeless.follow("a.c").enter("compile", "localhost");
  it.pass(100);
  assert.equal(it.debugLines.length, 2);
});

test("files that a killed agent left are removed; those of others and of who knows are kept", async (t) => {
  const it = await bench(t);
  await mkdir(it.states, { recursive: true });
  await chmod(it.states, 0o755);
  // Above every pid_max, so that there is no such process.
  const dead = 2 ** 22 + 1;
  for (const name of [
    `binstate_${dead}`,
    `binstate_${dead}_1`,
    `binstate_${dead + 1}`,
    `binstate_${process.pid}`,
    "notes",
  ])
    await writeFile(join(it.states, name), "x");
  for (const name of [`binstate_${dead}`, `binstate_${dead}_1`, `binstate_${process.pid}`, "notes"])
    await utimes(join(it.states, name), 0, 0);
  using job = it.files.ofJob({ environment: { HOME: it.home }, cwd: "/", pid: 4242 });
  job.follow("a.c").enter("compile", "localhost");
  it.pass(100);
  assert.deepEqual(
    (await readdir(it.states)).toSorted(),
    ["binstate_4242", `binstate_${dead + 1}`, `binstate_${process.pid}`, "notes"].toSorted(),
  );
});

test("a home that belongs to another user gets no folder", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root");
  const it = await bench(t);
  await chown(it.home, 65_534, 65_534);
  using job = it.files.ofJob({ environment: { HOME: it.home }, cwd: "/", pid: 1 });
  job.follow("a.c").enter("compile", "localhost");
  it.pass(100);
  assert.deepEqual(await readdir(it.home), []);
  assert.match(it.debugLines[0] ?? "", /belongs to another user/);
});

test("a slow folder is left alone for a minute", async (t) => {
  const it = await bench(t);
  using job = it.files.ofJob({ environment: { HOME: it.home }, cwd: "/", pid: 1 });
  const line = job.follow("a.c");
  it.writeMs = 51;
  line.enter("send", "build:3126");
  it.pass(100);
  it.writeMs = 0;
  assert.match(it.debugLines[0] ?? "", /is slow: 51 ms for one file/);
  line.enter("compile", "build:3126");
  it.pass(100);
  assert.equal((await shown(join(it.states, "binstate_1"))).phase, 4);
  it.pass(60_000);
  line.enter("receive", "build:3126");
  it.pass(100);
  assert.equal((await shown(join(it.states, "binstate_1"))).phase, 6);
  assert.equal(it.debugLines.length, 1);
});
