import assert from "node:assert/strict";
import { test } from "node:test";
import { hostIdOf } from "@homcc/scheduler/host";
import type { Advice } from "@homcc/scheduler/prediction";
import { HomeLoad } from "../home-load.ts";
import { ColdStart } from "./cold-start.ts";
import { ManualTime } from "./manual-time.fixture.ts";
import { SoonerAtHome } from "./second-thoughts.ts";

const signal = new AbortController().signal;
const hostId = hostIdOf({ name: "office", port: 3126, limit: 8 });
const home: Advice = { kind: "local", why: "idle", homeMs: undefined, remoteMs: undefined, hostId };
const remote: Advice = { kind: "remote" };

test("a job whose preparation takes long comes home when that is advised, and the preparation goes on", async () => {
  const time = new ManualTime();
  const start = new ColdStart(new HomeLoad({ held: 0, waiting: 0 }), time);
  const preparing = Promise.withResolvers<string>();
  const asked: number[] = [];
  const ask = (unprepared: number): Advice => {
    asked.push(unprepared);
    return asked.length === 3 ? home : remote;
  };
  const [first, second] = [
    start.prepare(preparing.promise, ask, signal),
    start.prepare(preparing.promise, ask, signal),
  ];
  time.pass(50);
  assert.deepEqual(asked, [2, 2]);
  time.pass(50);
  assert.ok((await first) instanceof SoonerAtHome);
  preparing.resolve("prepared");
  assert.equal(await second, "prepared");
  assert.equal(time.pending, 0);
});

test("nobody is asked once a job was prepared", async () => {
  const time = new ManualTime();
  const start = new ColdStart(new HomeLoad({ held: 0, waiting: 0 }), time);
  assert.equal(await start.prepare(Promise.resolve(1), () => home, signal), 1);
  const preparing = Promise.withResolvers<number>();
  const second = start.prepare(preparing.promise, () => home, signal);
  assert.equal(time.pending, 0);
  preparing.resolve(2);
  assert.equal(await second, 2);
});

test("a preparation that fails after its job came home is nobody's error", async () => {
  const time = new ManualTime();
  const preparing = Promise.withResolvers<number>();
  const job = new ColdStart(new HomeLoad({ held: 0, waiting: 0 }), time).prepare(
    preparing.promise,
    () => home,
    signal,
  );
  time.pass(50);
  assert.ok((await job) instanceof SoonerAtHome);
  preparing.reject(new Error("the launcher is gone"));
  await assert.rejects(preparing.promise);
});

test("a job that is given up waits for its preparation, which ends by itself", async () => {
  const time = new ManualTime();
  const ending = new AbortController();
  const preparing = Promise.withResolvers<number>();
  const job = new ColdStart(new HomeLoad({ held: 0, waiting: 0 }), time).prepare(
    preparing.promise,
    () => home,
    ending.signal,
  );
  ending.abort(new Error("interrupted"));
  time.pass(1_000);
  preparing.reject(ending.signal.reason);
  await assert.rejects(job, /interrupted/);
});
