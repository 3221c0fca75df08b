import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SendPace } from "./send-pace.ts";

const mbit = 125; // bytes per ms

interface Flow {
  readonly pace: SendPace;
  /** Bytes that are left to send. */
  left: number;
  delivered: number;
  nextToken: number;
}

/** A link of `rate` bytes per ms with an endless queue, in steps of a quarter of a millisecond; `stall` delays answers. */
class Link {
  nowMs = 1_000;
  rate: number;
  readonly oneWayMs: number;
  readonly clock = { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs };
  readonly queueMs: number[] = [];
  readonly flows: Flow[] = [];
  stall: (nowMs: number) => number = () => 0;
  carriedBytes = 0;
  #queue: { flow: Flow; bytes: number; token: number | undefined }[] = [];
  #queuedBytes = 0;
  #credit = 0;
  #pongs: { flow: Flow; token: number; atMs: number; bytes: number }[] = [];

  constructor(rateMbit: number, roundTripMs: number) {
    this.rate = rateMbit * mbit;
    this.oneWayMs = roundTripMs / 2;
  }

  flow(bytes: number, limit?: () => number | undefined): Flow {
    const options = limit === undefined ? {} : { limitBytesPerSecond: limit };
    const flow: Flow = {
      pace: new SendPace({ clock: this.clock, roundTripMs: 2 * this.oneWayMs, ...options }),
      left: bytes,
      delivered: 0,
      nextToken: 1,
    };
    this.flows.push(flow);
    return flow;
  }

  run(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs += 0.25) {
      for (const flow of this.flows) this.#send(flow);
      this.#carry();
      this.#pongs = this.#pongs.filter(({ flow, token, atMs, bytes }) => {
        if (atMs > this.nowMs) return true;
        flow.delivered = Math.max(flow.delivered, bytes);
        flow.pace.answered(token);
        return false;
      });
      this.queueMs.push(this.#queuedBytes / this.rate);
    }
  }

  #send(flow: Flow): void {
    while (flow.left > 0 && flow.pace.isOpen) {
      const bytes = Math.min(flow.left, flow.pace.pieceBytes);
      flow.left -= bytes;
      flow.pace.sent(bytes);
      const token = flow.pace.wantsMark ? flow.nextToken++ : undefined;
      if (token !== undefined) flow.pace.marked(token);
      this.#queue.push({ flow, bytes, token });
      this.#queuedBytes += bytes;
    }
    if (flow.left === 0) flow.pace.idle();
  }

  #carry(): void {
    this.#credit = Math.min(this.#credit + this.rate / 4, this.#queuedBytes === 0 ? this.rate / 4 : Infinity);
    for (
      let first = this.#queue[0];
      first !== undefined && first.bytes <= this.#credit;
      first = this.#queue[0]
    ) {
      this.#queue.shift();
      this.#credit -= first.bytes;
      this.#queuedBytes -= first.bytes;
      this.carriedBytes += first.bytes;
      if (first.token === undefined) continue;
      const atMs = this.nowMs + 2 * this.oneWayMs + this.stall(this.nowMs);
      this.#pongs.push({ flow: first.flow, token: first.token, atMs, bytes: this.carriedBytes });
    }
  }

  /** Of the samples since `from`. */
  p95(from = 0): number {
    const sorted = this.queueMs.slice(from).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.95)] ?? 0;
  }
}

const endless = 1e12;

describe("a full link keeps a short queue", () => {
  for (const [rateMbit, roundTripMs] of [
    [0.5, 30],
    [1, 80],
    [5, 30],
    [5, 100],
    [10, 30],
    [40, 30],
    [200, 10],
  ] as const) {
    test(`${rateMbit} Mbit/s, ${roundTripMs} ms`, () => {
      const link = new Link(rateMbit, roundTripMs);
      const { pace } = link.flow(endless);
      link.run(40_000);
      const share = link.carriedBytes / (link.rate * 40_000);
      const pieceMs = pace.pieceBytes / link.rate;
      assert.ok(share >= 0.9, `${(share * 100).toFixed(1)} % of the link`);
      assert.ok(link.p95() <= 16 + 2.4 * pieceMs, `${link.p95().toFixed(1)} ms of queue`);
      const measured = (pace.bytesPerSecond ?? 0) / 1000 / link.rate;
      assert.ok(measured > 0.85 && measured < 1.15, `measured ${measured.toFixed(2)} of the link`);
    });
  }
});

describe("a link is paced by its round trip", () => {
  for (const [roundTripMs, isNear] of [
    [0.1, true],
    [3.9, true],
    [4, false],
    [30, false],
  ] as const) {
    test(`${roundTripMs} ms`, () => {
      const clock = { wallMs: () => 0, monotonicMs: () => 0 };
      const pace = new SendPace({ clock, roundTripMs });
      assert.equal(pace.isNear, isNear);
      for (let n = 0; n < 1_000 && pace.isOpen; n++) pace.sent(100_000);
      assert.equal(pace.isOpen, isNear);
      assert.equal(pace.wantsMark, !isNear);
      assert.equal(pace.pieceBytes === Infinity, isNear);
    });
  }
});

test("one short round trip is enough to know that a link is near, whatever a busy peer does later", () => {
  let nowMs = 0;
  const pace = new SendPace({ clock: { wallMs: () => nowMs, monotonicMs: () => nowMs }, roundTripMs: 40 });
  while (pace.isOpen) pace.sent(1_400);
  for (const [token, tookMs] of [40, 2, 90, 300].entries()) {
    pace.marked(token);
    nowMs += tookMs;
    pace.answered(token);
    assert.equal(pace.isNear, token > 0);
  }
  for (let n = 0; n < 1_000; n++) {
    assert.ok(pace.isOpen);
    pace.sent(100_000);
  }
  assert.equal(pace.bytesPerSecond, undefined);
});

test("a limit that was set holds on a near link, too", () => {
  const link = new Link(100, 1);
  let limit: number | undefined;
  const flow = link.flow(1e6, () => limit);
  link.run(1);
  assert.equal(flow.left, 0);
  limit = 100_000;
  flow.left = endless;
  const before = flow.left;
  link.run(5_000);
  const sent = before - flow.left;
  assert.ok(sent < 1.1 * 500_000 && sent > 0.85 * 500_000, `${sent}`);
});

test("a rate is told once a quarter of a megabyte was sent without a pause", () => {
  const link = new Link(5, 30);
  const { pace } = link.flow(endless);
  while (link.carriedBytes < 200_000) link.run(10);
  assert.equal(pace.bytesPerSecond, undefined);
  link.run(2_000);
  assert.ok((pace.bytesPerSecond ?? 0) > 0.8 * link.rate * 1000);
});

test("a peer that is busy now and then is not taken for a slow link", () => {
  const link = new Link(5, 30);
  // Its event loop answers 60 ms late during a fifth of the time.
  link.stall = (nowMs) => (nowMs % 300 < 60 ? 60 - (nowMs % 300) : 0);
  link.flow(endless);
  link.run(20_000);
  assert.ok(link.carriedBytes > 0.85 * link.rate * 20_000, `${link.carriedBytes / link.rate / 20_000}`);
});

test("two connections share one uplink and its short queue", () => {
  const link = new Link(5, 30);
  const one = link.flow(3e6);
  const other = link.flow(3e6);
  link.run(6_000);
  assert.ok(link.carriedBytes > 0.9 * link.rate * 6_000);
  assert.ok(link.p95() <= 30, `${link.p95()} ms`);
  const sent = [one, other].map(({ left }) => 3e6 - left).toSorted((a, b) => a - b);
  assert.ok((sent[0] ?? 0) > 0.25 * (sent[1] ?? 0), sent.join(" and "));
});

test("a link that changes is followed both ways", () => {
  const link = new Link(10, 30);
  const { pace } = link.flow(endless);
  link.run(5_000);
  link.rate = 1 * mbit;
  link.run(15_000);
  const before = link.queueMs.length;
  link.run(5_000);
  assert.ok(link.p95(before) <= 40, `${link.p95(before)} ms of queue at 1 Mbit/s`);
  link.rate = 20 * mbit;
  link.run(3_000);
  const carried = link.carriedBytes;
  link.run(5_000);
  assert.ok(link.carriedBytes - carried > 0.9 * link.rate * 5_000);
  assert.ok((pace.bytesPerSecond ?? 0) > 0.8 * link.rate * 1000);
});

test("a limit only lowers the rate", () => {
  const link = new Link(5, 30);
  let limit = 100_000;
  link.flow(endless, () => limit);
  link.run(5_000);
  assert.ok(link.carriedBytes < 1.1 * 500_000 && link.carriedBytes > 0.85 * 500_000, `${link.carriedBytes}`);
  limit = 1e9;
  const carried = link.carriedBytes;
  link.run(10_000);
  assert.ok(link.carriedBytes - carried > 0.85 * link.rate * 10_000);
  assert.ok(link.carriedBytes - carried <= 1.01 * link.rate * 10_000);
});

test("what is small is never held up, and says nothing about the link", () => {
  const link = new Link(10, 30);
  const flow = link.flow(0);
  for (let job = 0; job < 50; job++) {
    flow.left = 400;
    link.run(0.5);
    assert.equal(flow.left, 0);
    link.run(100);
  }
  assert.equal(flow.pace.bytesPerSecond, undefined);
});

test("a mark whose pong was lost is asked for again", () => {
  let nowMs = 0;
  const pace = new SendPace({ clock: { wallMs: () => nowMs, monotonicMs: () => nowMs }, roundTripMs: 10 });
  let token = 0;
  while (token < 1_000) {
    nowMs += 1;
    while (pace.isOpen) {
      pace.sent(pace.pieceBytes);
      if (pace.wantsMark) pace.marked(++token);
    }
    if (pace.delayMs >= 250) break;
  }
  assert.equal(pace.wantsMark, false);
  nowMs += pace.delayMs;
  assert.equal(pace.wantsMark, true);
  pace.marked(++token);
  assert.equal(pace.answered(token), 0);
  nowMs += 1;
  assert.equal(pace.isOpen, true);
});

test("a server is far when none of eight round trips was short: a busy one answers late at first", () => {
  let nowMs = 0;
  const pace = new SendPace({ clock: { wallMs: () => nowMs, monotonicMs: () => nowMs }, roundTripMs: 80 });
  const answer = (token: number, roundTripMs: number): void => {
    pace.marked(token);
    nowMs += roundTripMs;
    pace.answered(token);
  };
  answer(1, 50);
  assert.equal(pace.likelyDistanceMs, undefined);
  answer(2, 50);
  assert.equal(pace.likelyDistanceMs, 50, "three are enough for a guess");
  for (let token = 3; token < 7; token += 1) answer(token, 50);
  assert.deepEqual([pace.wantsRoundTrip, pace.distanceMs, pace.roundTripMs], [true, undefined, 50]);
  answer(7, 30);
  assert.deepEqual([pace.wantsRoundTrip, pace.distanceMs], [false, 30]);
  const near = new SendPace({ clock: { wallMs: () => nowMs, monotonicMs: () => nowMs }, roundTripMs: 1 });
  assert.deepEqual([near.wantsRoundTrip, near.distanceMs, near.likelyDistanceMs], [false, 1, 1]);
});
