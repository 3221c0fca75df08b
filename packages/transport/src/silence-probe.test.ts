import assert from "node:assert/strict";
import { test } from "node:test";
import { SilenceProbe } from "./silence-probe.ts";
import type { Timers } from "./timers.ts";

/** A connection whose peer speaks when the test says so; timers fire in turns of the event loop. */
class Scene implements Timers {
  nowMs = 10_000;
  roundTripMs: number | undefined = 30;
  sentBytes = 0;
  isReading = true;
  isSending = false;
  handedBytes = 0;
  sendRate: number | undefined;
  pings = 0;
  silentSinceMs = -1;
  readonly events: string[] = [];
  readonly probe: SilenceProbe;
  #due: { readonly atMs: number; readonly run: () => void }[] = [];

  constructor() {
    this.probe = new SilenceProbe({
      clock: { wallMs: () => 0, monotonicMs: () => this.nowMs },
      timers: this,
      ping: () => this.pings++,
      isReading: () => this.isReading,
      roundTripMs: () => this.roundTripMs,
      sentBytes: () => this.sentBytes,
      handedBytes: () => this.handedBytes,
      sendRate: () => this.sendRate,
      isSending: () => this.isSending,
      dead: (silentMs) => this.events.push(`dead after ${silentMs}`),
    });
    this.probe.listen({
      doubted: (silentSinceMs) => {
        this.silentSinceMs = silentSinceMs - 10_000;
        this.events.push(`doubted at ${this.nowMs - 10_000}`);
      },
      trusted: () => this.events.push(`trusted at ${this.nowMs - 10_000}`),
    });
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.nowMs + delayMs, run };
    this.#due.push(timer);
    return () => {
      this.#due = this.#due.filter((other) => other !== timer);
    };
  }

  get hasTimers(): boolean {
    return this.#due.length > 0;
  }

  pass(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end;) {
      this.nowMs += 10;
      this.turn();
    }
  }

  /** One turn of the event loop: what is due fires, and what that plans is for the next turn. */
  turn(): void {
    const due = this.#due.filter(({ atMs }) => atMs <= this.nowMs);
    this.#due = this.#due.filter(({ atMs }) => atMs > this.nowMs);
    for (const { run } of due) run();
  }
}

test("a stream on a connection that has just spoken asks nothing and starts no timer", () => {
  const scene = new Scene();
  scene.pass(990);
  scene.probe.streamOpened();
  assert.deepEqual([scene.pings, scene.hasTimers], [0, false]);
});

test("after a silence the first stream asks, once, and an answer ends that", () => {
  const scene = new Scene();
  scene.pass(60_000);
  for (let stream = 0; stream < 3; stream += 1) scene.probe.streamOpened();
  assert.equal(scene.pings, 1);
  scene.pass(300);
  scene.probe.received();
  assert.equal(scene.hasTimers, false);
  scene.pass(5_000);
  assert.deepEqual(scene.events, []);
});

test("who does not answer is doubted, and trusted when it does", () => {
  const scene = new Scene();
  scene.pass(2_000);
  scene.probe.streamOpened();
  scene.pass(5_000);
  assert.deepEqual(scene.events, ["doubted at 2610"]);
  scene.probe.streamOpened();
  assert.equal(scene.pings, 1);
  scene.probe.received();
  assert.deepEqual(scene.events, ["doubted at 2610", "trusted at 7000"]);
});

test("a far server has three round trips, a full uplink the time it needs", () => {
  for (const [roundTripMs, sentBytes, expected] of [
    [300, 0, "doubted at 2910"],
    [undefined, 0, "doubted at 2610"],
    [30, 1_000_000, "doubted at 4610"],
  ] as const) {
    const scene = new Scene();
    scene.roundTripMs = roundTripMs;
    scene.pass(2_000);
    scene.sentBytes += sentBytes;
    scene.probe.streamOpened();
    scene.pass(10_000);
    assert.deepEqual(scene.events, [expected]);
  }
});

test("bytes that follow the question count too", () => {
  const scene = new Scene();
  scene.pass(2_000);
  scene.probe.streamOpened();
  scene.sentBytes += 500_000;
  scene.pass(10_000);
  assert.deepEqual(scene.events, ["doubted at 3610"]);
});

test("a process that was stopped reads before it judges", () => {
  const scene = new Scene();
  scene.pass(2_000);
  scene.probe.streamOpened();
  scene.nowMs += 60_000;
  scene.turn();
  // The sockets are read between the turns.
  scene.probe.received();
  scene.turn();
  assert.deepEqual(scene.events, []);
});

test("silence means nothing while this end does not read", () => {
  const scene = new Scene();
  scene.pass(2_000);
  scene.isReading = false;
  scene.probe.streamOpened();
  assert.equal(scene.pings, 0);
  scene.isReading = true;
  scene.probe.streamOpened();
  scene.isReading = false;
  scene.pass(5_000);
  assert.deepEqual(scene.events, []);
});

test("while streams are open a silence is asked about after a second and a half, and borne for three", () => {
  const scene = new Scene();
  scene.pass(60_000);
  scene.probe.setBusy(true);
  scene.pass(1_490);
  assert.equal(scene.pings, 0);
  scene.pass(10);
  assert.equal(scene.pings, 1);
  scene.pass(10_000);
  assert.deepEqual(scene.events, ["doubted at 63010"]);
  assert.equal(scene.silentSinceMs, 60_000, "since the first stream opened");
  scene.probe.received();
  assert.deepEqual(scene.events, ["doubted at 63010", "trusted at 71500"]);
});

test("a peer that answers is asked again each time it was silent for so long, and a far one has longer", () => {
  const scene = new Scene();
  scene.probe.setBusy(true);
  for (let second = 0; second < 20; second++) {
    scene.pass(1_000);
    if (second % 2 === 1) scene.probe.received();
  }
  assert.equal(scene.pings, 10);
  scene.roundTripMs = 800;
  scene.pass(10_000);
  assert.deepEqual(scene.events, ["doubted at 23910"]);
});

test("with the last stream the vigil ends", () => {
  const scene = new Scene();
  scene.probe.setBusy(true);
  scene.pass(1_000);
  scene.probe.setBusy(false);
  scene.pass(10_000);
  assert.deepEqual([scene.pings, scene.hasTimers], [0, false]);
});

test("a stream that opens meanwhile does not wait as long as those before it", () => {
  const scene = new Scene();
  scene.probe.setBusy(true);
  scene.pass(2_000);
  scene.probe.streamOpened();
  scene.pass(1_000);
  assert.deepEqual([scene.pings, scene.events], [1, ["doubted at 2110"]]);
});

test("a vigil does not judge who was stopped, or does not read", () => {
  const stopped = new Scene();
  stopped.probe.setBusy(true);
  stopped.nowMs += 60_000;
  stopped.turn();
  stopped.probe.received();
  stopped.pass(1_000);
  assert.deepEqual(stopped.events, []);
  const full = new Scene();
  full.isReading = false;
  full.probe.setBusy(true);
  full.pass(20_000);
  assert.deepEqual([full.pings, full.events], [0, []]);
});

test("an abandoned connection dies after four seconds of silence, unless it speaks or is not through with sending", () => {
  for (const [happens, expected] of [
    ["nothing", ["doubted at 3010", "dead after 4010"]],
    ["it speaks", ["doubted at 3010", "trusted at 3100"]],
    ["it sends", ["doubted at 3010"]],
  ] as const) {
    const scene = new Scene();
    scene.probe.setBusy(true);
    scene.pass(3_100);
    scene.probe.abandon("replaced");
    if (happens === "it speaks") scene.probe.received();
    scene.isSending = happens === "it sends";
    scene.pass(1_300);
    assert.deepEqual(scene.events, expected, happens);
  }
});

test("a connection whose machine answers nowhere dies at once, but for what is on its way", () => {
  for (const [handedBytes, sendRate, expected] of [
    [0, undefined, ["doubted at 3010", "dead after 3720"]],
    [640_000, 10e6, ["doubted at 3010", "dead after 3720"]],
    [128_000, undefined, ["doubted at 3010", "dead after 3720"]],
    [640_000, undefined, ["doubted at 3010", "dead after 10010"]],
    [640_000, 128_000, ["doubted at 3010", "dead after 5010"]],
  ] as const) {
    const scene = new Scene();
    scene.probe.setBusy(true);
    scene.handedBytes = handedBytes;
    scene.sendRate = sendRate;
    scene.isSending = true;
    scene.pass(3_700);
    scene.probe.abandon("unreachable");
    scene.pass(10_000);
    assert.deepEqual(scene.events, expected, `${handedBytes} at ${sendRate}`);
  }
});

test("another reason for doubt asks at once", () => {
  const scene = new Scene();
  scene.probe.doubt();
  scene.probe.doubt();
  assert.deepEqual([scene.pings, scene.events], [1, ["doubted at 0"]]);
  scene.probe.received();
  assert.deepEqual(scene.events, ["doubted at 0", "trusted at 0"]);
});

test("nothing happens after stop", () => {
  const scene = new Scene();
  scene.pass(2_000);
  scene.probe.streamOpened();
  scene.probe.stop();
  scene.pass(5_000);
  scene.probe.streamOpened();
  assert.deepEqual([scene.pings, scene.events, scene.hasTimers], [1, [], false]);
});
