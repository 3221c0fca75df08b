import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HomccError } from "@homcc/observability/error";
import { type Frame, frameFlags, frameHeaderBytes, frameTypes } from "@homcc/protocol/frame";
import { maxOpenStreams } from "@homcc/protocol/limits";
import type { Role } from "./channel-options.ts";
import type { StreamHandler } from "./inbound-stream.ts";
import { InboundStreams } from "./inbound-streams.ts";

/** Messages are the text of their frames; `?` is one of a later version. */
class Scene {
  readonly events: string[] = [];
  waitingBytes = 0;
  reason: HomccError | undefined;
  isBusy = false;
  readonly streams: InboundStreams<string>;

  constructor(role: Role) {
    this.streams = new InboundStreams<string>({
      role,
      peer: "peer:1",
      reader: {
        remember: ({ payload }) => payload,
        read: (_frame, text) => {
          const message = Buffer.from(text ?? []).toString();
          return message === "?" ? undefined : message;
        },
      },
      inbox: {
        waits: (bytes) => (this.waitingBytes += bytes),
        delivered: (bytes) => (this.waitingBytes -= bytes),
      },
      end: this.#end(),
      setBusy: (isBusy) => (this.isBusy = isBusy),
    });
  }

  /** Says what it is called with. */
  handler(name: string): StreamHandler<string> {
    return {
      onMessage: (message) => this.events.push(`${name} ${message}`),
      onData: (bytes) => void this.events.push(`${name} data ${Buffer.from(bytes).toString()}`),
      onEnd: () => this.events.push(`${name} end`),
      onClose: ({ message }) => this.events.push(`${name} closed: ${message}`),
    };
  }

  message(stream: number, text: string, flags = 0): void {
    this.streams.receiveMessage(frameOf(frameTypes.message, stream, text, flags));
  }

  data(stream: number, text: string, flags = 0): void {
    this.streams.receiveData(frameOf(frameTypes.data, stream, text, flags));
  }

  end(message: string): HomccError {
    this.reason ??= new HomccError("ERR_HOMCC_CONNECTION_LOST", message);
    this.streams.closeAll(this.reason);
    return this.reason;
  }

  #end(): { reason: HomccError | undefined; fail: (error: unknown) => HomccError } {
    const reason = (): HomccError | undefined => this.reason;
    return {
      get reason() {
        return reason();
      },
      fail: (error) => this.end(String(error)),
    };
  }
}

function frameOf(type: number, stream: number, text: string, flags = 0): Frame {
  return { type, stream, flags, payload: Buffer.from(text) };
}

/** A server that takes every stream. */
function openServer(): Scene {
  const scene = new Scene("server");
  scene.streams.accept((stream, message) => {
    scene.events.push(`accepts ${stream} ${message}`);
    return scene.handler(String(stream));
  });
  return scene;
}

describe("a server", () => {
  test("each frame goes to its stream; what opened it is not delivered again", () => {
    const scene = openServer();
    scene.message(1, "job");
    scene.message(4, "blob");
    scene.data(4, "abc");
    scene.message(1, "cancel");
    scene.data(4, "def", frameFlags.end);
    assert.deepEqual(scene.events, [
      "accepts 1 job",
      "accepts 4 blob",
      "4 data abc",
      "1 cancel",
      "4 data def",
      "4 end",
    ]);
    assert.deepEqual([scene.streams.size, scene.isBusy, scene.waitingBytes], [2, true, 0]);
    const bytes = scene.streams.bytesOf(4)?.received;
    assert.equal(bytes, 3 * frameHeaderBytes + "blobabcdef".length);
  });

  test("data in pieces is delivered whole", () => {
    const scene = openServer();
    scene.message(1, "blob");
    scene.data(1, "abc", frameFlags.more);
    scene.data(1, "def", frameFlags.more);
    scene.data(1, "g");
    assert.deepEqual(scene.events.slice(1), ["1 data abcdefg"]);
  });

  test("a stream that is not wanted is closed, and what is late for it is ignored", () => {
    const scene = new Scene("server");
    scene.streams.accept(() => undefined);
    scene.message(2, "job");
    assert.deepEqual([scene.streams.has(2), scene.isBusy], [false, false]);
    scene.data(2, "late");
    scene.message(1, "older than the latest");
    scene.message(3, "?");
    assert.deepEqual([scene.streams.size, scene.waitingBytes], [0, 0]);
  });

  test("what no client sends is its mistake", () => {
    const scene = openServer();
    assert.throws(() => scene.message(0, "job"), /a message or data on stream 0/);
    assert.throws(() => scene.data(1, "abc"), /stream 1 begins with data/);
    scene.message(1, "job", frameFlags.end);
    assert.throws(() => scene.data(1, "abc"), /a frame on stream 1 after its end/);
    scene.message(1, "cancel");
    assert.equal(scene.events.at(-1), "1 cancel", "the one message that is welcome then");
    for (let stream = 2; stream <= maxOpenStreams; stream++) scene.message(stream, "job");
    assert.throws(() => scene.message(maxOpenStreams + 1, "job"), /more than \d+ open streams/);
  });

  test("a connection that ends while its acceptor is asked is told to the stream", () => {
    const scene = new Scene("server");
    scene.streams.accept(() => {
      scene.end("gone");
      return scene.handler("1");
    });
    scene.message(1, "job");
    assert.deepEqual(scene.events, ["1 closed: gone"]);
  });

  test("every open stream is told of the end, also one whose client had sent all", () => {
    const scene = openServer();
    scene.message(1, "job", frameFlags.end);
    scene.message(2, "job");
    scene.end("gone");
    assert.deepEqual(scene.events.slice(2), ["accepts 2 job", "1 closed: gone", "2 closed: gone"]);
    assert.equal(scene.streams.size, 0);
  });
});

describe("a client", () => {
  test("streams are numbered from 1, and closed by the peer's end", () => {
    const scene = new Scene("client");
    assert.deepEqual(
      [scene.streams.open(scene.handler("1")), scene.streams.open(scene.handler("2"))],
      [1, 2],
    );
    scene.message(2, "result");
    scene.data(2, "object", frameFlags.end);
    assert.deepEqual(scene.events, ["2 result", "2 data object", "2 end"]);
    assert.deepEqual([scene.streams.size, scene.isBusy], [1, true]);
    scene.streams.close(1);
    assert.deepEqual([scene.streams.size, scene.isBusy], [0, false]);
  });

  test("the server opens no streams", () => {
    const scene = new Scene("client");
    scene.message(7, "job");
    scene.data(7, "abc");
    assert.deepEqual([scene.streams.size, scene.events.length], [0, 0]);
  });

  test("no more streams are opened than a server takes", () => {
    const scene = new Scene("client");
    for (let count = 0; count < maxOpenStreams; count++) scene.streams.open(scene.handler(""));
    assert.throws(() => scene.streams.open(scene.handler("")), /more than \d+ streams open to peer:1/);
  });

  test("what arrived in full is delivered to a slow handler after the end; what did not is told of it", async () => {
    const scene = new Scene("client");
    const gate = Promise.withResolvers<void>();
    for (const name of ["1", "2"])
      scene.streams.open({ ...scene.handler(name), onMessage: () => {}, onData: () => gate.promise });
    scene.data(1, "abc", frameFlags.end);
    scene.data(2, "abc");
    assert.ok(scene.waitingBytes > 0);
    scene.end("gone");
    assert.deepEqual(scene.events, []);
    gate.resolve();
    while (scene.events.length < 2) await gate.promise;
    assert.deepEqual(new Set(scene.events), new Set(["1 end", "2 closed: gone"]));
  });

  test("a handler that throws ends the connection and is told", () => {
    const scene = new Scene("client");
    scene.streams.open({
      ...scene.handler("1"),
      onMessage: () => {
        throw new Error("a bug");
      },
    });
    scene.message(1, "result");
    assert.deepEqual(scene.events, ["1 closed: Error: a bug"]);
  });
});
