import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { HomccError } from "@homcc/observability/error";
import { type Frame, FrameDecoder, frameTypes } from "@homcc/protocol/frame";
import type { Role } from "./channel-options.ts";
import { FrameSender } from "./frame-sender.ts";

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** A socket that takes frames until the test stops it. */
class Scene {
  nowMs = 0;
  isTaking = true;
  readonly taken: Frame[] = [];
  readonly queued: number[] = [];
  readonly lost: string[] = [];
  readonly end: { reason: HomccError | undefined; lose: (message: string) => void } = {
    reason: undefined,
    lose: (message) => {
      this.lost.push(message);
      this.end.reason = new HomccError("ERR_HOMCC_CONNECTION_LOST", message);
      this.sender.stop();
    },
  };
  readonly sender: FrameSender;

  /** By default so near that nothing is paced. */
  constructor(role: Role, roundTripMs = 1) {
    const decoder = new FrameDecoder();
    const socket = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        this.taken.push(...decoder.push(Buffer.from(chunk)));
        if (this.isTaking) done();
      },
    });
    this.sender = new FrameSender(socket, {
      role,
      peer: "peer:1",
      clock: { wallMs: () => 0, monotonicMs: () => this.nowMs },
      timers: { after: () => () => {} },
      roundTripMs,
      pieces: true,
      end: this.end,
      sending: ({ type }) => this.queued.push(type),
    });
  }

  push(sizeBytes: number, written?: () => void): void {
    const payload = Buffer.alloc(sizeBytes);
    this.sender.push("large", { type: frameTypes.data, flags: 0, stream: 1, payload }, written);
  }
}

test("a frame leaves, is told of, and counted", async () => {
  const scene = new Scene("client");
  let written = 0;
  scene.push(100, () => written++);
  assert.ok(scene.sender.queuedBytes > 100);
  await turn();
  assert.deepEqual(
    scene.taken.map(({ type, payload }) => [type, payload.byteLength]),
    [[frameTypes.data, 100]],
  );
  assert.deepEqual([written, scene.queued, scene.sender.queuedBytes], [1, [frameTypes.data], 0]);
  assert.ok(scene.sender.sentBytes > 100);
});

test("a peer for which too much waits is lost, and whoever waits for it learns that", async () => {
  const scene = new Scene("client");
  scene.isTaking = false;
  let written = 0;
  for (let megabytes = 0; megabytes < 63; megabytes++) scene.push(1 << 20, () => written++);
  assert.deepEqual(scene.lost, []);
  for (let megabytes = 0; megabytes < 3; megabytes++) scene.push(1 << 20, () => written++);
  assert.deepEqual(scene.lost, ["peer:1 does not read: more than 67108864 bytes wait for it"]);
  assert.equal(written, 64);
  assert.equal(scene.queued.length, 64, "nothing is queued after the end");
});

for (const [role, isLost] of [
  ["server", true],
  ["client", false],
] as const)
  test(`a peer that takes nothing for two minutes is ${isLost ? "" : "not "}given up by a ${role}`, async () => {
    const scene = new Scene(role);
    scene.isTaking = false;
    scene.push(1 << 20);
    await turn();
    scene.nowMs += 119_999;
    scene.sender.dropUnlessTaking();
    assert.deepEqual(scene.lost, []);
    scene.nowMs += 1;
    scene.sender.dropUnlessTaking();
    assert.deepEqual(scene.lost, isLost ? ["peer:1 does not read: it took nothing for 120 s"] : []);
  });

test("last words are handed over whatever waits, and nothing is after them", async () => {
  const scene = new Scene("server");
  scene.isTaking = false;
  scene.push(1 << 20);
  await turn();
  scene.push(1 << 20);
  const before = scene.sender.sentBytes;
  scene.sender.pushLast({ type: frameTypes.goodbye, flags: 0, stream: 0, payload: Buffer.from("bye") });
  assert.ok(scene.sender.sentBytes > before);
  scene.sender.stop();
  assert.equal(scene.sender.queuedBytes, 0);
});

test("only a client asks for the distance", () => {
  for (const [role, queued] of [
    ["client", [frameTypes.ping]],
    ["server", []],
  ] as const) {
    const scene = new Scene(role, 50);
    scene.sender.measureDistance();
    assert.deepEqual(scene.queued, queued);
  }
});
