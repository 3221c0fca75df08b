import assert from "node:assert/strict";
import { test } from "node:test";
import { HomccError } from "@homcc/observability/error";
import type { Packed } from "@homcc/protocol/compression";
import { frameFlags, frameTypes } from "@homcc/protocol/frame";
import { dataChunkBytes, DataSender } from "./data-sender.ts";

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** A socket that takes a frame when the test says so. */
class Scene {
  readonly pushed: string[] = [];
  readonly written: (() => void)[] = [];
  readonly ended: number[] = [];
  readonly end: { reason: HomccError | undefined } = { reason: undefined };
  isStreamOpen = true;
  packed = 0;
  readonly sender: DataSender;

  constructor({ maxFrameBytes = 1 << 20 } = {}) {
    this.sender = new DataSender({
      maxFrameBytes,
      compression: {
        pack: (bytes) => {
          this.packed++;
          return Promise.resolve(bytes instanceof Uint8Array ? { payload: bytes, zstd: false } : bytes);
        },
      },
      end: this.end,
      isStreamOpen: () => this.isStreamOpen,
      push: (priority, { type, flags, stream, payload }, written) => {
        assert.deepEqual([type, stream], [frameTypes.data, 7]);
        const words = [`${priority} ${payload.byteLength}`];
        if ((flags & frameFlags.zstd) !== 0) words.push("zstd");
        if ((flags & frameFlags.end) !== 0) words.push("end");
        this.pushed.push(words.join(" "));
        this.written.push(written);
      },
      endSent: (stream) => this.ended.push(stream),
    });
  }

  send(chunks: Iterable<Uint8Array | Packed>, end = true): Promise<boolean> {
    return this.sender.send(7, chunks, { priority: "large", end });
  }

  /** The socket takes all that comes. */
  async takeAll(): Promise<void> {
    for (let idle = 0; idle < 3; idle++) {
      await turn();
      for (const written of this.written.splice(0)) {
        written();
        idle = 0;
      }
    }
  }
}

const megabyte = Buffer.alloc(1 << 20);

test("data leaves in frames, the last of which ends the stream", async () => {
  const scene = new Scene();
  const sending = scene.send([megabyte.subarray(0, 2 * dataChunkBytes + 5)]);
  await scene.takeAll();
  assert.equal(await sending, false, "the frames are the caller's own bytes");
  assert.deepEqual(scene.pushed, [`large ${dataChunkBytes}`, `large ${dataChunkBytes}`, "large 5 end"]);
  assert.deepEqual(scene.ended, [7]);
});

test("frames are no longer than the peer takes them", async () => {
  const scene = new Scene({ maxFrameBytes: 1_000 });
  const sending = scene.send([megabyte.subarray(0, 2_500)], false);
  await scene.takeAll();
  await sending;
  assert.deepEqual(scene.pushed, ["large 1000", "large 1000", "large 500"]);
  assert.deepEqual(scene.ended, []);
});

test("an empty stream is its end; nothing to send without one is no frame", async () => {
  const scene = new Scene();
  const sending = scene.send([]);
  await scene.takeAll();
  assert.equal(await sending, true);
  assert.deepEqual(scene.pushed, ["large 0 end"]);
  assert.equal(await scene.send([], false), true);
  assert.equal(scene.pushed.length, 1);
});

test("what is packed is a copy", async () => {
  const scene = new Scene();
  const sending = scene.send([{ payload: megabyte.subarray(0, 9), zstd: true }]);
  await scene.takeAll();
  assert.equal(await sending, true);
  assert.deepEqual(scene.pushed, ["large 9 zstd", "large 0 end"]);
});

test("one chunk is packed while another waits, and no more", async () => {
  const scene = new Scene();
  let asked = 0;
  function* chunks(): Generator<Uint8Array> {
    for (; asked < 10; asked++) yield megabyte.subarray(0, dataChunkBytes);
  }
  const sending = scene.send(chunks());
  for (let turns = 0; turns < 10; turns++) await turn();
  assert.deepEqual([scene.pushed.length, scene.packed], [1, 2]);
  assert.ok(asked <= 3, String(asked));
  await scene.takeAll();
  await sending;
  assert.equal(scene.pushed.length, 10);
});

test("a stream that is closed ends it early, and its source", async () => {
  const scene = new Scene();
  let isOver = false;
  function* chunks(): Generator<Uint8Array> {
    try {
      for (;;) yield megabyte;
    } finally {
      isOver = true;
    }
  }
  const sending = scene.send(chunks());
  await turn();
  scene.isStreamOpen = false;
  await scene.takeAll();
  assert.equal(await sending, false);
  assert.deepEqual([isOver, scene.pushed.length, scene.ended.length], [true, 1, 0]);
});

test("a connection that ends rejects it with the reason, also while the last frame waits", async () => {
  const scene = new Scene();
  const reason = new HomccError("ERR_HOMCC_CONNECTION_LOST", "gone");
  const rejected = assert.rejects(scene.send([Buffer.from("abc")]), reason);
  await turn();
  assert.equal(scene.pushed.length, 1);
  scene.end.reason = reason;
  await scene.takeAll();
  await rejected;
  assert.deepEqual(scene.ended, []);
});
