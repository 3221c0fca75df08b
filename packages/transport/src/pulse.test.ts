import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { type Frame, frameTypes } from "@homcc/protocol/frame";
import { maxPingBytes } from "@homcc/protocol/limits";
import { Pulse } from "./pulse.ts";
import { SendPace } from "./send-pace.ts";

/** One end whose socket takes what the test lets it take. */
class Scene {
  nowMs = 0;
  isBlocked = false;
  measured = 0;
  readonly pushed: Frame[] = [];
  /** Of the frames pushed, those that are not handed to the socket yet. */
  readonly waiting: (() => void)[] = [];
  readonly pulse: Pulse;

  constructor(roundTripMs?: number) {
    const clock = { wallMs: () => 0, monotonicMs: () => this.nowMs };
    this.pulse = new Pulse({
      pace: new SendPace({ clock, ...(roundTripMs === undefined ? {} : { roundTripMs }) }),
      roundTripMs,
      isBlocked: () => this.isBlocked,
      push: (frame, written) => {
        this.pushed.push(frame);
        if (written !== undefined) this.waiting.push(written);
      },
      measured: () => this.measured++,
    });
  }

  get words(): string[] {
    return this.pushed.map(({ type, payload }) =>
      type === frameTypes.pong ? `pong ${Buffer.from(payload).toString()}` : "ping",
    );
  }

  /** The peer answers the latest ping. */
  answer(afterMs: number): void {
    this.nowMs += afterMs;
    this.pulse.answered(this.pushed.at(-1)?.payload ?? Buffer.alloc(0));
  }
}

test("a ping and its pong give the round trip, which is that of the handshake before", () => {
  const scene = new Scene(30);
  assert.equal(scene.pulse.roundTripMs, 30);
  scene.pulse.ping();
  scene.answer(70);
  assert.deepEqual([scene.pulse.roundTripMs, scene.measured], [70, 1]);
});

test("answers to no ping of this end say nothing", () => {
  const scene = new Scene();
  scene.pulse.ping();
  scene.pulse.answered(Buffer.from("longer than a number"));
  scene.pulse.answered(Buffer.from([7, 0, 0, 0]));
  assert.deepEqual([scene.pulse.roundTripMs, scene.measured], [undefined, 0]);
});

test("no ping waits behind a full socket", () => {
  const scene = new Scene();
  scene.isBlocked = true;
  scene.pulse.ping();
  scene.pulse.pingFirst();
  scene.pulse.measureDistance();
  assert.deepEqual(scene.words, []);
});

test("the first ping is sent once, and not where the handshake has measured", () => {
  const measured = new Scene(30);
  measured.pulse.pingFirst();
  assert.deepEqual(measured.words, []);
  const scene = new Scene();
  scene.pulse.pingFirst();
  scene.pulse.pingFirst();
  assert.deepEqual(scene.words, ["ping"]);
});

test("the distance is measured by one ping at a time, until there were enough", () => {
  const scene = new Scene();
  scene.pulse.measureDistance();
  scene.pulse.measureDistance();
  assert.deepEqual(scene.words, ["ping"]);
  let rounds = 0;
  for (let before = -1; before !== scene.pushed.length; rounds++) {
    assert.ok(rounds < 100);
    before = scene.pushed.length;
    scene.answer(20);
    scene.pulse.measureDistance();
  }
  assert.equal(scene.measured, rounds);
  assert.ok(rounds > 1, String(rounds));
});

test("a flood of pings has one pong waiting, and then one for the latest of them", () => {
  const scene = new Scene();
  for (const text of ["a", "b", "c", "d"]) scene.pulse.pinged(Buffer.from(text));
  assert.deepEqual(scene.words, ["pong a"]);
  scene.waiting.shift()?.();
  assert.deepEqual(scene.words, ["pong a", "pong d"]);
  scene.waiting.shift()?.();
  scene.pulse.pinged(Buffer.from("e"));
  assert.deepEqual(scene.words, ["pong a", "pong d", "pong e"]);
});

test("a ping that is longer than pings are is the peer's mistake", () => {
  const scene = new Scene();
  scene.pulse.pinged(Buffer.alloc(maxPingBytes));
  assert.throws(
    () => scene.pulse.pinged(Buffer.alloc(maxPingBytes + 1)),
    (error) => hasCode(error, "ERR_HOMCC_PROTOCOL"),
  );
});

test("a receipt is there with its own pong or a later one, not with an earlier one", async () => {
  const scene = new Scene();
  scene.pulse.ping();
  const [early] = scene.pushed;
  let received = 0;
  const receipts = [scene.pulse.receipt(), scene.pulse.receipt()].map(async (receipt) => {
    await receipt;
    received++;
  });
  scene.pulse.answered(early?.payload ?? Buffer.alloc(0));
  await new Promise((resolve) => void setImmediate(resolve));
  assert.equal(received, 0);
  scene.answer(1);
  await Promise.all(receipts);
  assert.equal(received, 2);
});
