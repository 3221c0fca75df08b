import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLogger } from "@homcc/observability/log";
import { hostIdOf } from "@homcc/scheduler/host";
import { Ledger } from "@homcc/scheduler/ledger";
import { HomeLoad } from "../home-load.ts";
import { ManualTime } from "./manual-time.fixture.ts";
import { actionOn, inputFile, ledgerServices, noTunnels, place, settingsFor } from "./remote-job.fixture.ts";
import { scratchFolder } from "./scratch-folder.fixture.ts";
import { type ScriptedJob, type ScriptedServer, startScriptedServer } from "./scripted-server.fixture.ts";
import { Servers } from "./servers.ts";

/** Links of 0.2 Mbit/s, as they look once they were measured. */
const thin = { isNear: false, uploadBytesPerSecond: 25_000, downloadBytesPerSecond: 25_000, roundTripMs: 30 };
const cost = { compileMs: 500, receivedBytes: 100 };
const compile = (job: ScriptedJob): Promise<void> => job.finish();

function agentServers(t: TestContext): Servers {
  const servers = new Servers(silentLogger, noTunnels);
  t.after(() => servers.close());
  return servers;
}

const hostIdOfServer = ({ port }: ScriptedServer): ReturnType<typeof hostIdOf> =>
  hostIdOf({ name: "127.0.0.1", port, limit: 8 });

/** The agent has a connection already. */
async function connect(servers: Servers, server: ScriptedServer): Promise<void> {
  const run = await place(actionOn("/w", []), await settingsFor([server]), servers);
  assert.equal(run.kind, "ran");
}

test("what would take too long is not sent, and counts as a job at home until it has its slot", async (t) => {
  await using folder = await scratchFolder();
  const source = await inputFile(join(folder.path, "a.c"), randomBytes(1_000_000));
  await using server = await startScriptedServer(compile);
  const servers = agentServers(t);
  const ledger = new Ledger();
  const homeLoad = new HomeLoad({ held: 0, waiting: 0 });
  const services = ledgerServices(servers, ledger, homeLoad, thin);
  const options = { ledger: () => services };
  const loaded = await settingsFor([server]);
  await connect(servers, server);
  services.adviser.used(hostIdOfServer(server));
  ledger.noteHome("key", 500);
  ledger.noteRemote("key", hostIdOfServer(server), cost);
  const run = await place(actionOn(folder.path, [source]), loaded, servers, options);
  assert.ok(run.kind === "home");
  assert.equal(run.advice.homeMs, 500);
  assert.ok((run.advice.remoteMs ?? 0) > 4_000, JSON.stringify(run.advice));
  assert.equal(server.jobs.length, 1);
  assert.equal(homeLoad.jobs, 1);
  run.promise[Symbol.dispose]();
  assert.equal(homeLoad.jobs, 0);
});

test("a job that waits for its upload comes home when that turns out to be sooner, and is cancelled there", async (t) => {
  await using folder = await scratchFolder();
  const source = await inputFile(join(folder.path, "a.c"), randomBytes(1_000_000));
  let began: () => void = () => {};
  const asked = new Promise<void>((resolve) => {
    began = resolve;
  });
  await using server = await startScriptedServer(
    async (job) => {
      if (job.inputs.length === 0) return await job.finish();
      job.send({ kind: "missing", digests: [source.digest] });
      began();
      await job.cancelled;
    },
    { answerUpload: () => new Promise(() => {}) },
  );
  const servers = agentServers(t);
  const ledger = new Ledger();
  await connect(servers, server);
  const time = new ManualTime();
  const services = ledgerServices(servers, ledger, undefined, thin);
  const running = place(actionOn(folder.path, [source]), await settingsFor([server]), servers, {
    time,
    ledger: () => services,
  });
  await asked;
  time.pass(1_000);
  ledger.noteHome("key", 500);
  ledger.noteRemote("key", hostIdOfServer(server), { ...cost, compileMs: 60_000 });
  time.pass(500);
  assert.equal((await running).kind, "home");
  await server.jobs[1]?.cancelled;
  assert.equal(time.pending, 0);
});

test("a job that is being compiled stays where it is", async (t) => {
  let began: () => void = () => {};
  const started = new Promise<void>((resolve) => {
    began = resolve;
  });
  let finish: () => void = () => {};
  const mayFinish = new Promise<void>((resolve) => {
    finish = resolve;
  });
  await using server = await startScriptedServer(async (job) => {
    job.send({ kind: "started" });
    began();
    await mayFinish;
    await job.finish();
  });
  const servers = agentServers(t);
  const ledger = new Ledger();
  const time = new ManualTime();
  const services = ledgerServices(servers, ledger, undefined, thin);
  const phases: string[] = [];
  let compiling: () => void = () => {};
  const heard = new Promise<void>((resolve) => {
    compiling = resolve;
  });
  const running = place(actionOn("/w", []), await settingsFor([server]), servers, {
    time,
    ledger: () => services,
    onPhase: (phase) => {
      phases.push(phase);
      if (phase === "compile") compiling();
    },
  });
  await started;
  await heard;
  ledger.noteHome("key", 1);
  ledger.noteRemote("key", hostIdOfServer(server), { ...cost, compileMs: 60_000 });
  time.pass(5_000);
  finish();
  assert.equal((await running).kind, "ran");
});

test("files stay with the server that knows them, unless it has no slot", async (t) => {
  await using folder = await scratchFolder();
  const header = await inputFile(join(folder.path, "a.h"), randomBytes(4_000_000));
  const release = Promise.withResolvers<void>();
  let isSlow = false;
  const script = async (job: ScriptedJob): Promise<void> => {
    if (isSlow) await release.promise;
    await job.finish();
  };
  await using a = await startScriptedServer(script);
  await using b = await startScriptedServer(script);
  const servers = agentServers(t);
  const ledger = new Ledger();
  const services = ledgerServices(servers, ledger, undefined, { ...thin, uploadBytesPerSecond: 4e6 });
  const options = { ledger: () => services };
  const both = await settingsFor([a, b]);
  for (const server of [a, b]) await connect(servers, server);
  ledger.noteRemote("key", hostIdOfServer(a), cost);
  ledger.noteHome("key", 60_000);
  await place(actionOn(folder.path, [header]), await settingsFor([a]), servers, options);
  const before = a.jobs.length;
  for (let n = 0; n < 12; n++) await place(actionOn(folder.path, [header]), both, servers, options);
  assert.deepEqual([a.jobs.length - before, b.jobs.length], [12, 1]);
  isSlow = true;
  const many = Array.from({ length: 10 }, () =>
    place(actionOn(folder.path, [header]), both, servers, options),
  );
  while (a.jobs.length + b.jobs.length < before + 1 + 12 + 10) await new Promise(setImmediate);
  assert.deepEqual([a.jobs.length - before - 12, b.jobs.length - 1], [8, 2]);
  release.resolve();
  for (const run of await Promise.all(many)) assert.equal(run.kind, "ran");
});
