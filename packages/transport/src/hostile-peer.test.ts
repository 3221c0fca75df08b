/** Peers that send what no client sends, at a server that listens as homccd does. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { zstdCompressSync } from "node:zlib";
import * as fc from "fast-check";
import type { HomccError } from "@homcc/observability/error";
import { encodeFrame, encodeHeader, frameFlags, frameTypes } from "@homcc/protocol/frame";
import { encodeHello, knownCapabilities } from "@homcc/protocol/hello";
import {
  maxFrameBytes,
  maxMessageBytes,
  maxOpenStreams,
  maxPingBytes,
  maxTextLength,
} from "@homcc/protocol/limits";
import { encodeMessage } from "@homcc/protocol/message-codec";
import { MessageHistory } from "@homcc/protocol/message-history";
import { type ClientMessage, clientMessages } from "@homcc/protocol/messages";
import { EntryTable } from "@homcc/protocol/session-entries";
import type { ServerChannel } from "./channel.ts";
import { connectToServer } from "./connect.ts";
import { exampleBlob, exampleJob, exampleResult } from "./fixtures/example-messages.ts";
import { dial, type LoopbackServer, startLoopbackServer } from "./fixtures/loopback-server.ts";

const hello = encodeHello({ versions: [2], agent: "hostile", capabilities: ["zstd"] });

const fullHello = encodeHello({ versions: [2], agent: "hostile", capabilities: knownCapabilities });

const pace = { pingIntervalMs: 100, deadAfterMs: 600 };

let server: LoopbackServer;
/** Reasons of all connections that got past the handshake. */
const reasons: HomccError[] = [];

before(async () => {
  server = await startLoopbackServer({
    handshakeTimeoutMs: 500,
    channel: { busyPace: pace, idlePace: pace },
  });
});
after(() => server[Symbol.asyncDispose]());

/** What homccd's session does with messages, without the compiler. */
function serve(channel: ServerChannel): void {
  const entries = new EntryTable();
  channel.serve((stream, message) => {
    if (message.kind === "cancel") return undefined;
    if (message.kind === "job") {
      entries.resolve(message);
      channel.send(stream, exampleResult(70_000));
      channel.sendData(stream, [Buffer.alloc(70_000)], { priority: "large", end: true }).catch(() => {});
    }
    return {
      onMessage: () => {},
      onData: async () => {
        await sleep(1);
      },
      onEnd: () => channel.send(stream, { kind: "stored" }, { end: true }),
    };
  });
  void channel.closed.then((reason) => reasons.push(reason));
}

/** Sends `bytes` and closes; gives the server's reason for the end, in words. */
async function attack(bytes: Uint8Array, { half = false } = {}): Promise<string> {
  const { socket, closed } = await dial(server.port);
  socket.resume();
  if (half) socket.write(bytes);
  else socket.end(bytes);
  const accepted = await server.next();
  if (accepted.kind === "rejected") {
    socket.destroy();
    return accepted.why;
  }
  assert.ok(accepted.kind === "v2");
  serve(accepted.channel);
  const reason = await accepted.channel.closed;
  socket.destroy();
  await closed;
  assert.equal(accepted.channel.openStreams, 0);
  return reason.message;
}

const text = (message: ClientMessage): Buffer => encodeMessage(clientMessages, message);
const frame = (type: number, flags: number, stream: number, payload: Uint8Array): Buffer =>
  encodeFrame({ type, flags, stream, payload });

/** A conversation as a client has it: a job, an upload, a compressed message, pings, a cancel. */
const conversation = Buffer.concat([
  hello,
  frame(frameTypes.message, 0, 1, text(exampleJob())),
  frame(frameTypes.message, 0, 2, text(exampleBlob)),
  frame(frameTypes.data, 0, 2, Buffer.alloc(500, "x")),
  frame(frameTypes.ping, 0, 0, Buffer.from("ping")),
  frame(frameTypes.data, frameFlags.zstd | frameFlags.end, 2, zstdCompressSync(Buffer.alloc(3000, "abc"))),
  frame(
    frameTypes.message,
    frameFlags.zstd,
    3,
    zstdCompressSync(text(exampleJob({ declareFrom: 1, declare: [], inputs: [0], label: "b.cpp" }))),
  ),
  frame(frameTypes.message, 0, 3, text({ kind: "cancel" })),
]);

/** The same with messages that are compressed with those before them. */
function conversationWithHistory(): Buffer {
  const history = new MessageHistory();
  const jobs = [0, 1, 2].map((index) => {
    const isFirst = index === 0;
    const json = text(
      exampleJob({
        label: `${index}.cpp`,
        declareFrom: isFirst ? 0 : 1,
        ...(isFirst ? {} : { declare: [] }),
      }),
    );
    const payload = history.pack(json);
    history.remember(json);
    assert.ok(payload);
    return frame(frameTypes.message, frameFlags.history, index + 1, payload);
  });
  return Buffer.concat([fullHello, ...jobs, frame(frameTypes.message, 0, 3, text({ kind: "cancel" }))]);
}

const conversations = [conversation, conversationWithHistory()];
/** The second one's hello has the capability `farewell`, and it ends without one. */
const endings = [/closed the connection$/, /was killed$/];

test("the conversations themselves are fine", async () => {
  for (const [index, bytes] of conversations.entries())
    assert.match(await attack(bytes), endings[index] ?? /^$/);
});

test("random bytes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, greeted) => {
      assert.notEqual(await attack(greeted ? Buffer.concat([hello, bytes]) : bytes), "");
    }),
    { numRuns: 150 },
  );
});

test("random frames", async () => {
  const anyFrame = fc
    .record({
      type: fc.integer({ min: 0, max: 6 }),
      flags: fc.integer({ min: 0, max: 15 }),
      stream: fc.integer({ min: 0, max: 4 }),
      payload: fc.oneof(
        fc.uint8Array({ maxLength: 100 }),
        fc.constantFrom(
          text(exampleJob()),
          text(exampleBlob),
          text({ kind: "cancel" }),
          Buffer.from('{"kind":"new"}'),
        ),
        fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
      ),
    })
    .map(encodeFrame);
  await fc.assert(
    fc.asyncProperty(fc.array(anyFrame, { maxLength: 12 }), fc.boolean(), async (frames, isFull) => {
      assert.notEqual(await attack(Buffer.concat([isFull ? fullHello : hello, ...frames])), "");
    }),
    { numRuns: 150 },
  );
});

test("mutated conversations", async () => {
  const mutation = fc.record({
    at: fc.nat(Math.max(...conversations.map(({ byteLength }) => byteLength)) - 1),
    byte: fc.integer({ min: 0, max: 255 }),
    how: fc.constantFrom("replace", "insert", "remove", "truncate", "repeat"),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      fc.nat(1),
      async (mutations, which) => {
        let bytes: Buffer = Buffer.from(conversations[which] ?? conversation);
        for (const { at, byte, how } of mutations)
          bytes = mutate(bytes, Math.min(at, bytes.byteLength), byte, how);
        assert.notEqual(await attack(bytes), "");
      },
    ),
    { numRuns: 300 },
  );
});

test("lengths are checked before anything is reserved", async () => {
  for (const payloadBytes of [maxFrameBytes + 1, 0x7fff_ffff, 0xffff_ffff]) {
    const header = encodeHeader({ type: frameTypes.data, flags: 0, stream: 1, payload: new Uint8Array(0) });
    header.writeUInt32LE(payloadBytes);
    assert.match(
      await attack(Buffer.concat([hello, header]), { half: true }),
      new RegExp(`a frame of ${payloadBytes} bytes`),
    );
  }
});

test("announced but never sent payloads of 200 connections reserve nothing", async () => {
  const header = encodeHeader({
    type: frameTypes.data,
    flags: 0,
    stream: 1,
    payload: new Uint8Array(maxFrameBytes),
  });
  const beforeBytes = process.memoryUsage().arrayBuffers;
  const attacks = Array.from({ length: 200 }, () => attack(Buffer.concat([hello, header]), { half: true }));
  await sleep(300);
  assert.ok(process.memoryUsage().arrayBuffers - beforeBytes < 40 << 20);
  for (const why of await Promise.all(attacks)) assert.match(why, /was silent for/);
});

test("decompression bombs end early", async () => {
  const bomb = zstdCompressSync(Buffer.alloc(512 << 20));
  assert.ok(bomb.byteLength < maxFrameBytes);
  const asMessage = Buffer.concat([hello, frame(frameTypes.message, frameFlags.zstd, 1, bomb)]);
  assert.match(
    await attack(asMessage, { half: true }),
    new RegExp(`decompresses to more than ${maxMessageBytes} bytes`),
  );
  const asHistory = Buffer.concat([
    fullHello,
    frame(frameTypes.message, frameFlags.history, 1, bomb.subarray(4)),
  ]);
  assert.match(
    await attack(asHistory, { half: true }),
    new RegExp(`decompresses to more than ${maxMessageBytes} bytes`),
  );
  const asData = Buffer.concat([
    hello,
    frame(frameTypes.message, 0, 1, text(exampleBlob)),
    frame(frameTypes.data, frameFlags.zstd, 1, bomb),
  ]);
  assert.match(await attack(asData, { half: true }), /decompresses to more than 1048576 bytes/);
});

test("JSON that is small on the wire and large in memory ends early", async () => {
  const texts: readonly (readonly [string, RegExp])[] = [
    [`{"kind":"job","x":[${"[],".repeat(2_000_000)}0]}`, /more than 524288 values/],
    [`{"kind":"job","x":${"[".repeat(3_000_000)}`, /nested deeper than 16/],
    [`{"kind":"job","inputs":[${"0,".repeat(200_000)}0]}`, /job\.toolchain: expected an object/],
  ];
  for (const [json, why] of texts) {
    const payload = zstdCompressSync(Buffer.from(json));
    assert.match(
      await attack(Buffer.concat([hello, frame(frameTypes.message, frameFlags.zstd, 1, payload)]), {
        half: true,
      }),
      why,
    );
  }
});

test("broken rules are named", async () => {
  const job = frame(frameTypes.message, 0, 1, text(exampleJob()));
  const blob = frame(frameTypes.message, frameFlags.end, 1, text(exampleBlob));
  const cases: readonly (readonly [string, Buffer, RegExp])[] = [
    ["data first", frame(frameTypes.data, 0, 1, Buffer.from("x")), /stream 1 begins with data/],
    ["stream 0", frame(frameTypes.message, 0, 0, text(exampleBlob)), /on stream 0/],
    [
      "after the end",
      Buffer.concat([blob, frame(frameTypes.data, 0, 1, Buffer.from("x"))]),
      /stream 1 after its end|closed/,
    ],
    ["a long ping", frame(frameTypes.ping, 0, 0, Buffer.alloc(maxPingBytes + 1)), /a ping of 65 bytes/],
    [
      "unknown entries",
      frame(frameTypes.message, 0, 1, text(exampleJob({ inputs: [5] }))),
      /job\.inputs names entry 5 of 1/,
    ],
    [
      "twice declared",
      Buffer.concat([job, frame(frameTypes.message, 0, 2, text(exampleJob()))]),
      /declareFrom is 0, but 1/,
    ],
    [
      "no schema",
      frame(frameTypes.message, 0, 1, Buffer.from('{"kind":"blob"}')),
      /blob\.digest: expected a digest .*, found nothing/,
    ],
    [
      "zstd that is none",
      frame(frameTypes.message, frameFlags.zstd, 1, Buffer.from("hello")),
      /not valid zstd/,
    ],
  ];
  for (const [name, bytes, why] of cases) {
    assert.match(await attack(Buffer.concat([hello, bytes]), { half: name !== "after the end" }), why, name);
  }
});

test("streams without end are bounded", async () => {
  const opening = Array.from({ length: maxOpenStreams + 1 }, (_, index) =>
    frame(frameTypes.message, 0, index + 1, text(exampleBlob)),
  );
  assert.match(
    await attack(Buffer.concat([hello, ...opening]), { half: true }),
    /more than 4096 open streams/,
  );
});

test("a flood of pings makes no queue of pongs", async () => {
  const { socket } = await dial(server.port);
  let answeredBytes = 0;
  socket.on("data", (chunk: Buffer) => (answeredBytes += chunk.byteLength));
  socket.write(hello);
  const accepted = await server.next();
  assert.ok(accepted.kind === "v2");
  serve(accepted.channel);
  const pings = Buffer.concat(
    Array.from({ length: 100_000 }, () => frame(frameTypes.ping, 0, 0, Buffer.from("ping"))),
  );
  socket.write(pings);
  while (accepted.channel.receivedBytes < pings.byteLength) await sleep(5);
  assert.ok(answeredBytes < pings.byteLength / 2);
  socket.destroy();
  await accepted.channel.closed;
});

test("a client that sends jobs and reads nothing is dropped when too much waits for it, or when it falls silent", async () => {
  const { socket } = await dial(server.port);
  socket.pause();
  socket.write(hello);
  const accepted = await server.next();
  assert.ok(accepted.kind === "v2");
  serve(accepted.channel);
  for (let stream = 1; stream <= 2_000; stream++) {
    const job = exampleJob(stream === 1 ? {} : { declareFrom: 1, declare: [] });
    socket.write(frame(frameTypes.message, 0, stream, text(job)));
  }
  assert.match((await accepted.channel.closed).message, /was silent for|does not read/);
  socket.destroy();
});

test("a half-open peer is noticed", async () => {
  assert.match(await attack(hello, { half: true }), /was silent for \d+ ms/);
});

test("messages that are costly to read do not keep others from being served", async () => {
  const costly = Buffer.from(`{"kind":"unknown","x":[${"12345678901234,".repeat(500_000)}0]}`);
  const payload = zstdCompressSync(costly);
  assert.ok(payload.byteLength < 2000);
  // Some 50 ms each.
  const flood = Array.from({ length: 60 }, (_, at) =>
    frame(frameTypes.message, frameFlags.zstd, at + 1, payload),
  );
  const behindTheFlood = frame(frameTypes.message, 0, flood.length + 1, text(exampleJob()));
  await using shared = await startLoopbackServer({ handshakeTimeoutMs: 10_000 });
  const { socket } = await dial(shared.port);
  socket.resume();
  socket.write(Buffer.concat([hello, ...flood, behindTheFlood]));
  const hostile = await shared.next();
  assert.ok(hostile.kind === "v2");
  let isFloodOver = false;
  hostile.channel.serve(() => {
    isFloodOver = true;
    return undefined;
  });
  const { channel } = await connectToServer({
    host: "127.0.0.1",
    port: shared.port,
    connectTimeoutMs: 60_000,
  });
  const honest = await shared.next();
  assert.ok(honest.kind === "v2");
  serve(honest.channel);
  await new Promise<void>((resolve, reject) => {
    const stream = channel.openStream({ onMessage: () => {}, onEnd: resolve, onClose: reject });
    channel.send(stream, exampleJob());
  });
  assert.equal(isFloodOver, false);
  assert.ok(hostile.channel.isOpen);
  await hostile.channel.close("done");
  socket.destroy();
  await channel.close("done");
});

test("200 clients at once, honest ones among hostile ones", async () => {
  await using mixed = await startLoopbackServer({ handshakeTimeoutMs: 2_000 });
  const served = Promise.withResolvers<void>();
  let connections = 0;
  void (async () => {
    while (connections < 200) {
      const accepted = await mixed.next();
      connections++;
      if (accepted.kind === "v2") serve(accepted.channel);
    }
    served.resolve();
  })();
  const clients = Array.from({ length: 200 }, async (_, index) => {
    if (index % 2 === 0) {
      const { socket, closed } = await dial(mixed.port);
      socket.end(Buffer.from(conversation).fill(index, index * 3, index * 3 + 4));
      socket.resume();
      await closed;
      return;
    }
    const { channel } = await connectToServer({
      host: "127.0.0.1",
      port: mixed.port,
      connectTimeoutMs: 20_000,
    });
    const over = Promise.withResolvers<number>();
    let receivedBytes = 0;
    const stream = channel.openStream({
      onMessage: () => {},
      onData: (bytes) => {
        receivedBytes += bytes.byteLength;
      },
      onEnd: () => over.resolve(receivedBytes),
      onClose: over.reject,
    });
    channel.send(stream, exampleJob());
    assert.equal(await over.promise, 70_000);
    await channel.close("done");
  });
  await Promise.all([...clients, served.promise]);
});

test("every connection of this file ended with a reason", () => {
  assert.ok(reasons.length > 100);
  // The longest is a peer's own goodbye.
  for (const { message } of reasons)
    assert.ok(message.length > 10 && message.length < maxTextLength + 100, message);
});

function mutate(bytes: Buffer, at: number, byte: number, how: string): Buffer {
  const head = bytes.subarray(0, at);
  const tail = bytes.subarray(at);
  switch (how) {
    case "replace":
      return Buffer.concat([head, Buffer.of(byte), tail.subarray(1)]);
    case "insert":
      return Buffer.concat([head, Buffer.of(byte), tail]);
    case "remove":
      return Buffer.concat([head, tail.subarray(1 + (byte % 8))]);
    case "repeat":
      return Buffer.concat([head, tail, tail.subarray(0, byte)]);
    default:
      return head;
  }
}

/** Time that passes when the test says so. */
class ManualTime {
  #nowMs = 0;
  readonly #due = new Set<{ readonly atMs: number; readonly run: () => void }>();
  readonly clock = { wallMs: (): number => this.#nowMs, monotonicMs: (): number => this.#nowMs };
  readonly timers = {
    after: (delayMs: number, run: () => void): (() => void) => {
      const timer = { atMs: this.#nowMs + delayMs, run };
      this.#due.add(timer);
      return () => void this.#due.delete(timer);
    },
  };

  pass(ms: number): void {
    this.#nowMs += ms;
    const due = [...this.#due].filter(({ atMs }) => atMs <= this.#nowMs);
    for (const timer of due) if (this.#due.delete(timer)) timer.run();
  }
}

for (const megabytes of [4, 24]) {
  test(`a peer that sends pings and takes nothing of ${megabytes} MB for two minutes is dropped`, async () => {
    const time = new ManualTime();
    await using own = await startLoopbackServer({ channel: { clock: time.clock, timers: time.timers } });
    const { socket, closed } = await dial(own.port);
    socket.pause();
    socket.write(Buffer.concat([hello, frame(frameTypes.message, 0, 1, text(exampleJob()))]));
    const accepted = await own.next();
    assert.ok(accepted.kind === "v2");
    const { channel } = accepted;
    const begun = Promise.withResolvers<void>();
    channel.serve((stream) => {
      for (let sent = 0; sent < megabytes; sent += 1)
        channel.sendData(stream, [randomBytes(1 << 20)], { priority: "large", end: false }).catch(() => {});
      begun.resolve();
      return { onMessage: () => {} };
    });
    await begun.promise;
    let seconds = 0;
    for (; channel.isOpen && seconds < 1_000; seconds += 1) {
      const before = channel.receivedBytes;
      socket.write(frame(frameTypes.ping, 0, 0, Buffer.from("ping")));
      while (channel.isOpen && channel.receivedBytes === before) await new Promise(setImmediate);
      time.pass(1_000);
      await new Promise(setImmediate);
    }
    assert.ok(!channel.isOpen);
    assert.match((await channel.closed).message, /does not read: it took nothing for 12\d s/);
    // What fits on the way leaves first.
    assert.ok(seconds >= 120, `${seconds}`);
    socket.destroy();
    await closed;
  });
}
