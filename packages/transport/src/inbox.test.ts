import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { encodeFrame, frameTypes } from "@homcc/protocol/frame";
import { Inbox } from "./inbox.ts";
import { MessageBudget } from "./message-budget.ts";

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Frames are named by their payload; `costMs` says how long each one takes. */
class Scene {
  nowMs = 0;
  isOpen = true;
  costMs = 0;
  resumed = 0;
  heard = 0;
  readonly taken: string[] = [];
  readonly failures: unknown[] = [];
  readonly timers: { readonly delayMs: number; readonly run: () => void }[] = [];
  readonly socket = new Duplex({ read: () => {} });
  readonly inbox: Inbox;

  constructor({ hasBudget = false } = {}) {
    const clock = { wallMs: () => 0, monotonicMs: () => this.nowMs };
    this.inbox = new Inbox(this.socket, {
      clock,
      timers: { after: (delayMs, run) => (this.timers.push({ delayMs, run }), () => {}) },
      budget: hasBudget ? new MessageBudget(clock) : undefined,
      isOpen: () => this.isOpen,
      heard: () => this.heard++,
      receive: ({ payload }) => {
        const name = Buffer.from(payload).toString();
        if (name === "bad") throw new Error(name);
        this.taken.push(name);
        this.nowMs += this.costMs;
      },
      failed: (error) => this.failures.push(error),
      resumed: () => this.resumed++,
    });
  }

  /** What comes from the peer in one chunk. */
  async send(names: readonly string[], type: number = frameTypes.message): Promise<void> {
    this.socket.push(chunkOf(names, type));
    await turn();
  }

  /** The same, within this turn of the event loop. */
  arrive(names: readonly string[]): void {
    this.socket.emit("data", chunkOf(names));
  }

  get isRead(): boolean {
    assert.equal(this.inbox.isReading, !this.socket.isPaused());
    return this.inbox.isReading;
  }
}

function chunkOf(names: readonly string[], type: number = frameTypes.message): Buffer {
  return Buffer.concat(
    names.map((name) => encodeFrame({ type, flags: 0, stream: 1, payload: Buffer.from(name) })),
  );
}

test("nothing is read before the start, and what came with the handshake is first", async () => {
  const scene = new Scene();
  await scene.send(["b"]);
  assert.deepEqual([scene.taken, scene.isRead], [[], false]);
  scene.inbox.start(chunkOf(["a"]));
  assert.deepEqual(scene.taken, [], "the caller goes on first");
  await turn();
  await turn();
  assert.deepEqual(scene.taken, ["a", "b"]);
  assert.equal(scene.inbox.receivedBytes, chunkOf(["a", "b"]).byteLength);
  assert.equal(scene.heard, 2);
});

test("slow handlers stop the reading, until most of what waits is delivered", async () => {
  const scene = new Scene();
  scene.inbox.start(undefined);
  await turn();
  scene.inbox.waits(5 << 20);
  await scene.send(["a"]);
  assert.equal(scene.isRead, false);
  await scene.send(["b"]);
  scene.inbox.delivered(3 << 20);
  assert.deepEqual([scene.isRead, scene.taken], [false, ["a"]]);
  scene.inbox.delivered((1 << 20) + 1);
  await turn();
  assert.deepEqual([scene.isRead, scene.taken, scene.resumed], [true, ["a", "b"], 1]);
});

test("a long chunk is taken in turns of the event loop", async () => {
  const scene = new Scene();
  scene.inbox.start(undefined);
  await turn();
  scene.costMs = 4;
  scene.arrive(["a", "b", "c", "d", "e"]);
  assert.deepEqual([scene.taken.join(""), scene.inbox.isReading], ["abc", false]);
  await turn();
  assert.deepEqual([scene.taken.join(""), scene.isRead], ["abcde", true]);
  assert.equal(scene.timers.length, 0);
});

test("a peer that has used up its share waits for its next turn, with all that comes behind", async () => {
  const scene = new Scene({ hasBudget: true });
  scene.inbox.start(undefined);
  await turn();
  scene.costMs = 1_000;
  await scene.send(["a", "b"]);
  await scene.send(["c"], frameTypes.data);
  assert.deepEqual([scene.taken, scene.isRead], [["a"], false]);
  const [timer] = scene.timers;
  assert.ok(timer !== undefined && timer.delayMs > 1_000, "five times of what it took, and more");
  scene.costMs = 0;
  scene.nowMs += timer.delayMs;
  timer.run();
  await turn();
  assert.deepEqual([scene.taken, scene.isRead, scene.timers.length], [["a", "b", "c"], true, 1]);
});

test("data costs no turns", async () => {
  const scene = new Scene({ hasBudget: true });
  scene.inbox.start(undefined);
  await turn();
  scene.costMs = 1_000;
  await scene.send(["a"], frameTypes.data);
  assert.deepEqual([scene.isRead, scene.timers.length], [true, 0]);
});

test("a limit is told of every byte and holds the rest back for as long as it says", async () => {
  const scene = new Scene();
  const told: number[] = [];
  scene.inbox.limit((bytes) => {
    told.push(bytes);
    return told.length === 1 ? 50 : 0;
  });
  scene.inbox.start(undefined);
  await turn();
  await scene.send(["a"]);
  await scene.send(["b"]);
  assert.deepEqual([scene.isRead, scene.taken], [false, ["a"]]);
  assert.deepEqual(
    scene.timers.map(({ delayMs }) => delayMs),
    [50],
  );
  scene.timers[0]?.run();
  await turn();
  assert.deepEqual([scene.isRead, scene.taken], [true, ["a", "b"]]);
  assert.deepEqual(told, [chunkOf(["a"]).byteLength, chunkOf(["b"]).byteLength]);
});

test("a frame that is refused says so once, and nothing is taken after the end", async () => {
  const scene = new Scene();
  scene.inbox.start(undefined);
  await turn();
  await scene.send(["bad", "a"]);
  assert.deepEqual([scene.failures.length, scene.taken], [1, []]);
  scene.isOpen = false;
  await scene.send(["b"]);
  assert.deepEqual([scene.failures.length, scene.taken], [1, []]);
});

test("what is held when the connection ends is not taken", async () => {
  const scene = new Scene();
  scene.inbox.start(undefined);
  await turn();
  scene.costMs = 20;
  scene.arrive(["a", "b"]);
  scene.isOpen = false;
  await turn();
  assert.deepEqual([scene.taken, scene.inbox.isReading], [["a"], false]);
});
