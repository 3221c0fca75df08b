import assert from "node:assert/strict";
import { test } from "node:test";
import { Heartbeat, type Pace } from "./heartbeat.ts";
import type { Timers } from "./timers.ts";

/** Time that passes when the test says so; timers may fire late. */
class ManualTime implements Timers {
  #nowMs = 1_000;
  #due: { atMs: number; callback: () => void } | undefined;
  readonly clock = { wallMs: () => this.#nowMs, monotonicMs: () => this.#nowMs };

  after(delayMs: number, callback: () => void): () => void {
    const due = { atMs: this.#nowMs + delayMs, callback };
    this.#due = due;
    return () => {
      if (this.#due === due) this.#due = undefined;
    };
  }

  get pending(): boolean {
    return this.#due !== undefined;
  }

  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 100) {
      this.#nowMs += 100;
      this.#fire();
    }
  }

  /** The process is stopped: time passes at once, and the timer fires afterwards. */
  jump(ms: number): void {
    this.#nowMs += ms;
    this.#fire();
  }

  #fire(): void {
    const due = this.#due;
    if (due === undefined || due.atMs > this.#nowMs) return;
    this.#due = undefined;
    due.callback();
  }
}

function start({ idle }: { idle?: Pace } = {}): {
  time: ManualTime;
  heartbeat: Heartbeat;
  pings: () => number;
  deaths: number[];
  read: (on: boolean) => void;
} {
  const time = new ManualTime();
  const deaths: number[] = [];
  let pings = 0;
  let reading = true;
  const heartbeat = new Heartbeat({
    clock: time.clock,
    timers: time,
    busy: { pingIntervalMs: 1_000, deadAfterMs: 4_000 },
    idle,
    isReading: () => reading,
    ping: () => {
      pings++;
      heartbeat.sent();
    },
    dead: (silentMs) => deaths.push(silentMs),
  });
  heartbeat.setBusy(true);
  return { time, heartbeat, pings: () => pings, deaths, read: (on) => (reading = on) };
}

test("a connection on which nothing is sent is pinged, another is not", () => {
  const { time, heartbeat, pings } = start();
  for (let second = 0; second < 10; second++) {
    time.pass(500);
    heartbeat.sent();
    heartbeat.received();
    time.pass(500);
  }
  assert.equal(pings(), 0);
  for (let second = 0; second < 10; second++) {
    heartbeat.received();
    time.pass(1_000);
  }
  assert.ok(pings() >= 9);
});

test("a silent peer is dead after the limit, once, and not before", () => {
  const { time, deaths } = start();
  time.pass(3_900);
  assert.deepEqual(deaths, []);
  time.pass(1_000);
  assert.equal(deaths.length, 1);
  time.pass(20_000);
  assert.equal(deaths.length, 1);
});

test("silence does not count while this end does not read", () => {
  const { time, deaths, read } = start();
  read(false);
  time.pass(60_000);
  read(true);
  time.pass(3_000);
  assert.deepEqual(deaths, []);
  time.pass(2_000);
  assert.equal(deaths.length, 1);
});

test("the time in which this process was stopped does not count", () => {
  const { time, deaths } = start();
  time.pass(1_000);
  time.jump(600_000);
  assert.deepEqual(deaths, [], "what the peer sent meanwhile has not been read yet");
  time.pass(5_000);
  assert.equal(deaths.length, 1);
});

test("without streams the agent has no timer, and the time without one does not count", () => {
  const { time, heartbeat, pings, deaths } = start();
  time.pass(3_500);
  heartbeat.setBusy(false);
  assert.equal(time.pending, false);
  const before = pings();
  time.pass(600_000);
  assert.equal(pings(), before);
  heartbeat.setBusy(true);
  time.pass(3_900);
  assert.deepEqual(deaths, []);
  time.pass(1_000);
  assert.equal(deaths.length, 1);
});

test("without streams the server pings at the idle pace", () => {
  const { time, heartbeat, pings, deaths } = start({
    idle: { pingIntervalMs: 60_000, deadAfterMs: 180_000 },
  });
  heartbeat.setBusy(false);
  time.pass(59_000);
  assert.equal(pings(), 0);
  time.pass(2_000);
  assert.equal(pings(), 1);
  time.pass(118_000);
  assert.deepEqual(deaths, []);
  time.pass(60_000);
  assert.equal(deaths.length, 1);
});

test("nothing happens after stop", () => {
  const { time, heartbeat, pings, deaths } = start();
  heartbeat.stop();
  heartbeat.setBusy(false);
  heartbeat.setBusy(true);
  time.pass(60_000);
  assert.deepEqual([pings(), deaths], [0, []]);
});
