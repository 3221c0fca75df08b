import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadedSettings } from "@homcc/config/load";
import { type HostId, hostIdOf } from "@homcc/scheduler/host";
import { Ledger } from "@homcc/scheduler/ledger";
import type { Advice } from "@homcc/scheduler/prediction";
import { HomeLoad } from "../home-load.ts";
import { Adviser, fileKey, type LedgerJob } from "./adviser.ts";
import { ManualTime } from "./manual-time.fixture.ts";
import { actionOn, settingsFor } from "./remote-job.fixture.ts";
import type { Outlook } from "./session.ts";

const mbit = 125_000;

interface Scene {
  readonly adviser: Adviser;
  readonly ledger: Ledger;
  readonly time: ManualTime;
  readonly hostId: HostId;
  readonly job: LedgerJob;
  outlook: Outlook | undefined;
  held: number;
  missed: readonly HostId[];
  home: { held: number; waiting: number };
  advise(): Advice["kind"];
}

async function scene(environment: Readonly<Record<string, string>> = {}): Promise<Scene> {
  const loaded: LoadedSettings = await settingsFor([{ port: 4000 }], environment);
  const hostId = hostIdOf({ name: "127.0.0.1", port: 4000, limit: 8 });
  const time = new ManualTime();
  const ledger = new Ledger();
  const home = { held: 0, waiting: 0 };
  const adviser = new Adviser(ledger, { outlookOn: () => it.outlook }, new HomeLoad(home), time.clock);
  const it: Scene = {
    adviser,
    ledger,
    time,
    hostId,
    home,
    held: 0,
    missed: [],
    outlook: {
      isNear: false,
      uploadBytesPerSecond: mbit / 2,
      downloadBytesPerSecond: mbit / 2,
      roundTripMs: 30,
      likelyRoundTripMs: 30,
      slots: 4,
      missingBytes: 1e6,
      aheadBytes: 0,
      jobsAhead: 0,
    },
    job: {
      action: actionOn("/w", []),
      key: "a",
      loaded,
      pool: { heldOn: () => it.held, waiting: 0, missedFor: () => it.missed },
    },
    advise: () => adviser.advise(it.job, new Set()).kind,
  };
  ledger.noteHome("a", 2000);
  ledger.noteRemote("a", hostId, { compileMs: 2000, receivedBytes: 100_000 });
  adviser.used(hostId);
  return it;
}

test("half a megabit and a megabyte to send: here; forbidden or in a sandbox: there", async () => {
  assert.equal((await scene()).advise(), "local");
  assert.equal((await scene({ HOMCC_NO_LOCAL_COMPILATION: "1" })).advise(), "remote");
  const { adviser, job } = await scene();
  const action = actionOn("/w", [], { sandbox: { kind: "schroot", profile: "stable" } });
  assert.equal(adviser.advise({ ...job, action }, new Set()).kind, "remote");
});

test("a free local slot takes a job whose servers are missed, wherever it would be done sooner", async () => {
  const it = await scene();
  const advise = (): Advice => it.adviser.adviseMissed(it.job, new Set());
  assert.equal(advise().kind, "remote", "nobody is missed");
  it.missed = [it.hostId];
  it.outlook = undefined;
  assert.deepEqual(advise(), {
    kind: "local",
    why: "missed",
    homeMs: 2000,
    remoteMs: undefined,
    hostId: it.hostId,
  });
  it.home.held = 1000;
  assert.equal(advise().kind, "remote", "no local slot is free");
  const forbidden = await scene({ HOMCC_NO_LOCAL_COMPILATION: "1" });
  forbidden.missed = [forbidden.hostId];
  assert.equal(forbidden.adviser.adviseMissed(forbidden.job, new Set()).kind, "remote");
});

test("what is unknown is sent", async () => {
  const it = await scene();
  const thin = it.outlook!;
  assert.equal(it.advise(), "local");
  it.outlook = { ...thin, uploadBytesPerSecond: undefined, downloadBytesPerSecond: undefined };
  assert.equal(it.advise(), "remote", "a link that nobody has measured");
  it.outlook = undefined;
  assert.equal(it.advise(), "remote", "no connection: placement says what becomes of it");
  it.outlook = { ...thin, isNear: true };
  assert.equal(it.advise(), "remote", "a near link");
});

test("a file that nobody has compiled is taken for one like the others; without any it is sent", async () => {
  const it = await scene();
  const unknown: LedgerJob = { ...it.job, key: "never compiled" };
  assert.equal(it.adviser.advise(unknown, new Set()).kind, "local");
  assert.equal(it.adviser.finishMs(unknown, it.hostId), it.adviser.finishMs(it.job, it.hostId));
  const nothing = new Adviser(
    new Ledger(),
    { outlookOn: () => it.outlook },
    new HomeLoad(it.home),
    it.time.clock,
  );
  assert.equal(nothing.advise(unknown, new Set()).kind, "remote");
  assert.equal(nothing.finishMs(unknown, it.hostId), undefined);
  assert.equal(nothing.reconsider(unknown, it.hostId).kind, "local", "an idle core finds out");
  it.home.held = 64;
  assert.equal(nothing.reconsider(unknown, it.hostId).kind, "remote", "none is");
});

test("jobs that are not prepared yet come home while nobody knows the link and a core is idle", async () => {
  const it = await scene();
  const { key, loaded, pool } = it.job;
  const kindFor = (unprepared: number): Advice["kind"] =>
    it.adviser.adviseUnprepared({ key, loaded, pool }, unprepared).kind;
  const far = { ...it.outlook!, uploadBytesPerSecond: undefined, downloadBytesPerSecond: undefined };
  it.outlook = far;
  assert.equal(kindFor(2), "local");
  assert.equal(kindFor(1), "remote", "one that is alone");
  it.home.held = 64;
  assert.equal(kindFor(2), "remote", "no core is idle");
  it.home.held = 0;
  it.outlook = { ...far, isNear: true };
  assert.equal(kindFor(2), "remote", "a near server");
  it.outlook = undefined;
  assert.equal(kindFor(2), "remote", "no connection yet");
});

test("after one job came home to an idle core the next ones do at once, for 2.5 s and while the link is unknown", async () => {
  const it = await scene();
  const thin = it.outlook!;
  it.outlook = { ...thin, uploadBytesPerSecond: undefined, downloadBytesPerSecond: undefined };
  it.held = 2;
  assert.equal(it.advise(), "remote");
  assert.equal(it.adviser.reconsider(it.job, it.hostId).kind, "local");
  assert.equal(it.advise(), "local");
  it.home.held = 64;
  assert.equal(it.advise(), "remote", "no core is idle");
  it.home.held = 0;
  it.outlook = { ...thin, uploadBytesPerSecond: 100 * mbit, downloadBytesPerSecond: 100 * mbit };
  assert.equal(it.advise(), "remote", "the link is known, and good");
  it.outlook = { ...thin, uploadBytesPerSecond: undefined, downloadBytesPerSecond: undefined };
  it.time.pass(2_499);
  assert.equal(it.advise(), "local");
  it.time.pass(1);
  assert.equal(it.advise(), "remote", "one finds out again");
});

test("what an unprepared job found out holds for the next ones, which need no list of their inputs", async () => {
  const it = await scene();
  const { key, loaded, pool } = it.job;
  const unlisted = (): Advice["kind"] => it.adviser.adviseUnlisted({ key, loaded, pool }).kind;
  it.outlook = { ...it.outlook!, uploadBytesPerSecond: undefined, downloadBytesPerSecond: undefined };
  it.held = 2;
  assert.equal(unlisted(), "remote");
  assert.equal(it.adviser.adviseUnprepared({ key, loaded, pool }, 2).kind, "local");
  assert.equal(unlisted(), "local");
  it.home.held = 64;
  assert.equal(unlisted(), "remote", "no core is idle");
});

test("a job whose object alone takes too long comes home before its inputs are listed, but not the one that tries the link", async () => {
  const it = await scene();
  const { key, loaded, pool } = it.job;
  const unlisted = (): Advice["kind"] => it.adviser.adviseUnlisted({ key, loaded, pool }).kind;
  it.outlook = { ...it.outlook!, missingBytes: 0 };
  assert.equal(unlisted(), "local");
  it.time.pass(60_000);
  assert.equal(unlisted(), "remote");
  assert.equal(unlisted(), "remote", "as long as none was sent");
  assert.equal(it.advise(), "remote");
  assert.equal(unlisted(), "local");
});

test("what servers lack of one job is taken for what they lack of the next, for 2.5 s", async () => {
  const it = await scene();
  const { key, loaded, pool } = it.job;
  const unlisted = (): Advice["kind"] => it.adviser.adviseUnlisted({ key, loaded, pool }).kind;
  it.outlook = { ...it.outlook!, downloadBytesPerSecond: 50 * mbit };
  it.held = 1;
  assert.equal(unlisted(), "remote", "only the upload makes it slower");
  assert.equal(it.advise(), "local");
  assert.equal(unlisted(), "local");
  it.time.pass(2_499);
  assert.equal(unlisted(), "local");
  it.time.pass(1);
  assert.equal(unlisted(), "remote", "one is listed again");
});

test("a link that became better is noticed: a server without jobs is tried once a minute", async () => {
  const it = await scene();
  it.time.pass(59_000);
  assert.equal(it.advise(), "local");
  it.time.pass(1_000);
  it.held = 1;
  assert.equal(it.advise(), "local", "what it runs tells enough");
  it.held = 0;
  assert.equal(it.advise(), "remote");
  assert.equal(it.advise(), "local", "one job, not all of them");
});

test("with localhost/N local cores take part until they are busy", async () => {
  const hosts = { HOMCC_HOSTS: "127.0.0.1:4000/8 localhost/2" };
  const it = await scene(hosts);
  it.outlook = {
    ...it.outlook!,
    uploadBytesPerSecond: 10 * mbit,
    downloadBytesPerSecond: 50 * mbit,
    missingBytes: 0,
  };
  assert.equal(it.advise(), "local");
  it.home.held = 2;
  assert.equal(it.advise(), "remote");
  const alone = await scene();
  alone.outlook = it.outlook;
  assert.equal(alone.advise(), "remote", "without such a line a good link has all jobs");
});

test("a full server is as far away as those who wait for it", async () => {
  const it = await scene();
  it.outlook = { ...it.outlook!, missingBytes: 0, downloadBytesPerSecond: 50 * mbit };
  assert.equal(it.advise(), "remote");
  const full: LedgerJob = { ...it.job, pool: { ...it.job.pool, heldOn: () => 8, waiting: 40 } };
  assert.equal(
    it.adviser.advise(full, new Set()).kind,
    "remote",
    "with this machine's own, which take longer here",
  );
  it.outlook = { ...it.outlook, jobsAhead: 40 };
  assert.equal(it.advise(), "local", "with a colleague's");
});

test("a file has one name for each kind of compile", () => {
  const names = [
    fileKey("/w/a.c", ["gcc", "-O2", "-c", "a.c"]),
    fileKey("/w/a.c", ["gcc", "-c", "a.c", "-O2", "-o", "b.o"]),
    fileKey("/w/a.c", ["gcc", "-O0", "-c", "a.c"]),
    fileKey("/w/b.c", ["gcc", "-O2", "-c", "a.c"]),
  ];
  assert.equal(new Set(names).size, 3);
  assert.equal(names[0], names[1]);
});
