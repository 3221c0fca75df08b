import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { type Frame, FrameDecoder, frameFlags, frameTypes } from "@homcc/protocol/frame";
import { FramePieces } from "@homcc/protocol/frame-pieces";
import { LinkRate } from "./link-rate.ts";
import { Outbox } from "./outbox.ts";
import { SendPace } from "./send-pace.ts";

interface Sender {
  readonly outbox: Outbox;
  readonly sent: Frame[];
  /** Lets time pass and what was queued leave. */
  readonly pass: (ms: number) => Promise<void>;
  /** Answers every ping that was sent. */
  readonly pong: () => void;
}

function startSender({ pieces = true, roundTripMs = 20 } = {}): Sender {
  let nowMs = 0;
  let due: { atMs: number; run: () => void } | undefined;
  let tokens = 0;
  const sent: Frame[] = [];
  const decoder = new FrameDecoder();
  const socket = new Duplex({
    read: () => {},
    writableHighWaterMark: 1 << 30,
    write: (chunk: Buffer, _encoding, done) => {
      sent.push(...decoder.push(Buffer.from(chunk)));
      done();
    },
  });
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
  const pace = new SendPace({ clock, roundTripMs });
  const outbox = new Outbox(socket, {
    rate: new LinkRate(clock),
    pace,
    clock,
    pieces,
    timers: {
      after: (delayMs, run) => {
        const timer = { atMs: nowMs + delayMs, run };
        due = timer;
        return () => {
          if (due === timer) due = undefined;
        };
      },
    },
    mark: () => {
      pace.marked(++tokens);
      return { type: frameTypes.ping, flags: 0, stream: 0, payload: Buffer.alloc(4) };
    },
  });
  const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
  return {
    outbox,
    sent,
    pass: async (ms) => {
      await turn();
      for (const endMs = nowMs + ms; nowMs < endMs; nowMs++) {
        if (due === undefined || due.atMs > nowMs) continue;
        const { run } = due;
        due = undefined;
        run();
        await turn();
      }
    },
    pong: () => {
      pace.answered(tokens);
      outbox.resume();
    },
  };
}

function data(stream: number, bytes: number, flags = 0): Frame {
  return { type: frameTypes.data, flags, stream, payload: Buffer.alloc(bytes, stream) };
}

const job: Frame = { type: frameTypes.message, flags: 0, stream: 9, payload: Buffer.from("{}") };

test("what is urgent leaves between the pieces of what is large, and what was large arrives whole", async () => {
  const { outbox, sent, pass, pong } = startSender();
  let written = 0;
  outbox.push("large", data(1, 100_000, frameFlags.zstd | frameFlags.end), () => written++);
  await pass(5);
  assert.ok(sent.length > 1 && sent.every(({ payload }) => payload.byteLength < 20_000));
  const before = sent.length;
  outbox.push("small", data(2, 300));
  outbox.push("control", job);
  for (let round = 0; round < 200 && outbox.queuedBytes > 0; round++) {
    pong();
    await pass(10);
  }
  const later = sent.slice(before).filter(({ type }) => type !== frameTypes.ping);
  assert.deepEqual(
    later.slice(0, 2).map(({ stream }) => stream),
    [9, 2],
  );
  assert.equal(written, 1);
  const pieces = new FramePieces();
  const whole = sent.filter(({ stream }) => stream === 1).map((piece) => pieces.take(piece));
  assert.deepEqual(
    whole.filter((frame) => frame !== undefined),
    [data(1, 100_000, frameFlags.zstd | frameFlags.end)],
  );
  assert.equal(outbox.queuedBytes, 0);
});

test("a peer that cannot put pieces together gets whole frames", async () => {
  const { outbox, sent, pass } = startSender({ pieces: false });
  outbox.push("large", data(1, 100_000));
  await pass(1);
  assert.equal(sent[0]?.payload.byteLength, 100_000);
});

test("no more leaves than the peer has answered for, and a pong lets it go on", async () => {
  const { outbox, sent, pass, pong } = startSender();
  for (let stream = 1; stream <= 100; stream++) outbox.push("small", data(stream, 5_000));
  await pass(200);
  const count = (): number => sent.filter(({ type }) => type === frameTypes.data).length;
  const first = count();
  assert.ok(first >= 3 && first <= 12, `${first} frames of 5 kB into an unknown link`);
  await pass(200);
  assert.equal(count(), first);
  pong();
  await pass(20);
  assert.ok(count() > first);
});

test("in a LAN everything leaves at once and whole, and nothing is measured", async () => {
  const { outbox, sent, pass } = startSender({ roundTripMs: 3 });
  for (let stream = 1; stream <= 100; stream++) outbox.push("large", data(stream, 100_000));
  await pass(0);
  assert.deepEqual(
    sent.map(({ type, flags, payload }) => [type, flags, payload.byteLength]),
    Array.from({ length: 100 }, () => [frameTypes.data, 0, 100_000]),
  );
});

test("what is discarded is over for those who wait", () => {
  const { outbox } = startSender();
  let written = 0;
  outbox.push("large", data(1, 100_000), () => written++);
  outbox.discard();
  assert.equal(written, 1);
  assert.equal(outbox.queuedBytes, 0);
});

test("what nobody waits for leaves behind everything else, between its own pieces too", async () => {
  const { outbox, sent, pass, pong } = startSender();
  outbox.push("background", data(1, 60_000));
  outbox.push("background", data(2, 60_000));
  await pass(5);
  const begun = sent.length;
  outbox.push("large", data(3, 60_000));
  outbox.push("small", data(4, 300));
  outbox.push("control", job);
  for (let round = 0; round < 300 && outbox.queuedBytes > 0; round++) {
    pong();
    await pass(10);
  }
  const later = sent.slice(begun).filter(({ type }) => type !== frameTypes.ping);
  const order = [...new Set(later.map(({ stream }) => stream))];
  assert.deepEqual(order, [9, 4, 3, 1, 2]);
  const lastLarge = later.findLastIndex(({ stream }) => stream === 3);
  assert.ok(later.slice(0, lastLarge).every(({ stream }) => stream !== 1 && stream !== 2));
  // No more begun at a time than a peer of any version puts together.
  const pieces = new FramePieces();
  const whole = sent
    .filter(({ type }) => type === frameTypes.data)
    .flatMap((piece) => pieces.take(piece) ?? []);
  assert.equal(whole.length, 4);
});
