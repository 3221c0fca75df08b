import assert from "node:assert/strict";
import { test } from "node:test";
import { hostIdOf } from "@homcc/scheduler/host";
import type { Advice } from "@homcc/scheduler/prediction";
import { HomeLoad } from "../home-load.ts";
import { ManualTime } from "./manual-time.fixture.ts";
import { SecondThoughts } from "./second-thoughts.ts";

const outer = new AbortController().signal;
const hostId = hostIdOf({ name: "office", port: 3126, limit: 8 });

interface Job {
  readonly thoughts: SecondThoughts;
  advice: Advice["kind"];
  asked: number;
}

function jobs(count: number): { time: ManualTime; load: HomeLoad; all: Job[] } {
  const time = new ManualTime();
  const load = new HomeLoad({ held: 0, waiting: 0 });
  const all = Array.from({ length: count }, () => {
    const job: { advice: Advice["kind"]; asked: number } = { advice: "remote", asked: 0 };
    const ask = (): Advice => {
      job.asked++;
      if (job.advice === "remote") return { kind: "remote" };
      return { kind: "local", why: "idle", homeMs: 1, remoteMs: 2, hostId };
    };
    return Object.assign(job, { thoughts: new SecondThoughts(ask, outer, time, load) });
  });
  return { time, load, all };
}

test("a local slot that becomes free takes the oldest job that would be sooner here, and one only", () => {
  const { time, load, all } = jobs(3);
  load.freed();
  assert.deepEqual(
    all.map(({ asked }) => asked),
    [0, 0, 0],
    "nobody has waited long enough",
  );
  time.pass(250);
  for (const job of all.slice(1)) job.advice = "local";
  load.freed();
  assert.deepEqual(
    all.map(({ asked }) => asked),
    [2, 2, 1],
  );
  assert.deepEqual(
    all.map(({ thoughts }) => thoughts.soonerAtHome !== undefined),
    [false, true, false],
  );
  for (const { thoughts } of all) thoughts[Symbol.dispose]();
  assert.equal(time.pending, 0);
  load.freed();
  assert.deepEqual(
    all.map(({ asked }) => asked),
    [2, 2, 1],
    "what is over is not asked",
  );
});

test("without a free slot each is asked four times a second, and not at all once a server compiles it", () => {
  const { time, load, all } = jobs(1);
  const [job] = all;
  assert.ok(job);
  for (let quarter = 0; quarter < 4; quarter++) time.pass(250);
  assert.equal(job.asked, 4);
  job.thoughts.settle();
  job.advice = "local";
  time.pass(1_000);
  load.freed();
  assert.equal(job.asked, 4);
  assert.equal(time.pending, 0);
});

test("of many only the four oldest are asked", () => {
  const { time, load, all } = jobs(6);
  time.pass(250);
  load.freed();
  assert.deepEqual(
    all.map(({ asked }) => asked),
    [2, 2, 2, 2, 1, 1],
  );
});
