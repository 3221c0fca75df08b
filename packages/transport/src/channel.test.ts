import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import * as fc from "fast-check";
import { systemClock } from "@homcc/observability/clock";
import { hasCode, HomccError } from "@homcc/observability/error";
import { agree, knownCapabilities } from "@homcc/protocol/hello";
import { maxFrameBytes, minFrameBytes } from "@homcc/protocol/limits";
import type { ClientMessage, ServerMessage } from "@homcc/protocol/messages";
import { Duplex } from "node:stream";
import { openClientChannel, openServerChannel, type ServerChannel, type StreamHandler } from "./channel.ts";
import { exampleBlob, exampleJob, exampleResult } from "./fixtures/example-messages.ts";
import { connectPair, startLoopbackServer } from "./fixtures/loopback-server.ts";
import { startPath } from "./fixtures/path.ts";
import { connectToServer } from "./connect.ts";
import { systemTimers, type Timers } from "./timers.ts";

/** With a peer of this version. */
const agreement = agree({ capabilities: knownCapabilities });

/** A handler that gathers everything and says when it is over. */
function collector<M>(): {
  handler: StreamHandler<M>;
  messages: M[];
  over: Promise<HomccError | "ended">;
  bytes: () => Buffer;
} {
  const messages: M[] = [];
  const chunks: Uint8Array[] = [];
  const over = Promise.withResolvers<HomccError | "ended">();
  return {
    handler: {
      onMessage: (message) => messages.push(message),
      onData: (bytes) => {
        chunks.push(bytes);
      },
      onEnd: () => over.resolve("ended"),
      onClose: (reason) => over.resolve(reason),
    },
    messages,
    over: over.promise,
    bytes: () => Buffer.concat(chunks),
  };
}

/** Serves every job with `answer`'s bytes and takes every upload. */
function serveJobs(server: ServerChannel, answer: (label: string) => Uint8Array[]): void {
  server.serve((stream, message) => {
    if (message.kind === "job") {
      const chunks = answer(message.label);
      const sizeBytes = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
      server.send(stream, exampleResult(sizeBytes));
      void server.sendData(stream, chunks, { priority: "large", end: true });
    }
    return {
      onMessage: () => {},
      onEnd: () => server.send(stream, { kind: "stored" }, { end: true }),
    };
  });
}

test("a job and its result", async () => {
  await using pair = await connectPair();
  serveJobs(pair.server, (label) => [Buffer.from(label), Buffer.alloc(0), Buffer.from("!")]);
  const job = collector<ServerMessage>();
  const stream = pair.client.openStream(job.handler);
  pair.client.send(stream, exampleJob({ label: "hello" }));
  assert.equal(await job.over, "ended");
  assert.deepEqual(job.messages, [exampleResult(6)]);
  assert.equal(job.bytes().toString(), "hello!");
  assert.deepEqual(
    [pair.client.openStreams, pair.server.openStreams],
    [0, 0],
    "the server's end closes both ends",
  );
  assert.ok((pair.client.roundTripMs ?? -1) >= 0);
});

test("many jobs at once, of any size, arrive byte for byte", async () => {
  await using pair = await connectPair();
  const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 700_000 })), {
    maxLength: 5,
  });
  const bodies = new Map<string, Buffer[]>();
  serveJobs(pair.server, (label) => bodies.get(label) ?? []);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(sizes, fc.boolean()), { maxLength: 8 }), async (jobs) => {
      const results = jobs.map(async ([chunkSizes, isRandom], index) => {
        const label = `job ${index}`;
        const chunks = chunkSizes.map((size) => (isRandom ? randomBytes(size) : Buffer.alloc(size, label)));
        bodies.set(label, chunks);
        const job = collector<ServerMessage>();
        pair.client.send(pair.client.openStream(job.handler), exampleJob({ label }));
        assert.equal(await job.over, "ended");
        assert.equal(sha(job.bytes()), sha(Buffer.concat(chunks)));
      });
      await Promise.all(results);
    }),
    { numRuns: 15 },
  );
});

test("what was packed before arrives as what it was, among what was not", async () => {
  await using pair = await connectPair();
  const { client, server } = pair;
  const text = Buffer.from("a line of the object\n".repeat(10_000));
  const payload = zstdCompressSync(text);
  server.serve((stream) => {
    server.send(stream, exampleResult(2 * text.byteLength));
    const pieces = [text, { payload, zstd: true }];
    void server.sendData(stream, pieces, { priority: "large", end: true });
    return { onMessage: () => {} };
  });
  const answer = collector<ServerMessage>();
  client.send(client.openStream(answer.handler), exampleJob());
  assert.equal(await answer.over, "ended");
  assert.deepEqual(answer.bytes(), Buffer.concat([text, text]));
});

test("messages keep their order over all streams, whatever their size", async () => {
  await using pair = await connectPair();
  const labels: string[] = [];
  const all = Promise.withResolvers<void>();
  pair.server.serve((_stream, message) => {
    if (message.kind === "job") labels.push(message.label);
    if (labels.length === 40) all.resolve();
    return undefined;
  });
  for (let index = 0; index < 40; index++) {
    const argv = [index % 3 === 0 ? randomBytes(60_000).toString("hex") : "g++"];
    const stream = pair.client.openStream(collector<ServerMessage>().handler);
    pair.client.send(stream, exampleJob({ label: `${index}`, steps: [{ program: "/g++", argv }] }));
  }
  await all.promise;
  assert.deepEqual(
    labels,
    Array.from({ length: 40 }, (_, index) => `${index}`),
  );
});

test("messages overtake data, small data overtakes large, large data takes turns", async () => {
  await using pair = await connectPair();
  const events: string[] = [];
  const done = Promise.withResolvers<void>();
  let open = 3;
  pair.server.serve((stream, message) => {
    events.push(`${message.kind} ${stream}`);
    if (message.kind !== "blob") return undefined;
    return {
      onMessage: () => {},
      onData: () => {
        if (events.at(-1) !== `data ${stream}`) events.push(`data ${stream}`);
      },
      onEnd: () => {
        events.push(`end ${stream}`);
        if (--open === 0) done.resolve();
      },
    };
  });
  const upload = (bytes: Buffer, priority: "small" | "large"): Promise<boolean> => {
    const stream = pair.client.openStream({ onMessage: () => {} });
    pair.client.send(stream, exampleBlob);
    return pair.client.sendData(stream, [bytes], { priority, end: true });
  };
  const first = upload(randomBytes(24 << 20), "large");
  const second = upload(randomBytes(24 << 20), "large");
  await sleep(20);
  const small = upload(randomBytes(30_000), "small");
  pair.client.send(pair.client.openStream({ onMessage: () => {} }), exampleJob());
  await Promise.all([first, second, small, done.promise]);

  const at = (event: string): number => events.indexOf(event);
  assert.ok(at("job 4") < at("end 1") && at("job 4") < at("end 2"), "the job waited for uploads");
  assert.ok(at("end 3") < at("end 1") && at("end 3") < at("end 2"), "the small upload waited for large ones");
  const turns = events.filter((event) => event === "data 1" || event === "data 2");
  assert.ok(turns.length > 20, `the uploads did not take turns: ${turns.length}`);
});

test("a slow consumer stops the sender, and nothing is lost", async () => {
  await using pair = await connectPair();
  const bytes = randomBytes(48 << 20);
  const hash = createHash("sha256");
  const gate = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  pair.server.serve(() => ({
    onMessage: () => {},
    onData: async (part) => {
      await gate.promise;
      hash.update(part);
    },
    onEnd: ended.resolve,
  }));
  const stream = pair.client.openStream({ onMessage: () => {} });
  pair.client.send(stream, exampleBlob);
  let sent = false;
  const sending = pair.client
    .sendData(stream, [bytes], { priority: "large", end: true })
    .then(() => (sent = true));
  let receivedBytes = -1;
  while (receivedBytes !== pair.server.receivedBytes) {
    receivedBytes = pair.server.receivedBytes;
    await sleep(150);
  }
  assert.equal(sent, false);
  assert.ok(receivedBytes < 8 << 20, `${receivedBytes} bytes were taken in for a consumer that takes none`);
  gate.resolve();
  await Promise.all([sending, ended.promise]);
  assert.equal(hash.digest("hex"), sha(bytes));
});

test("a slow job does not make the peer look dead", async () => {
  const pace = { pingIntervalMs: 60, deadAfterMs: 500 };
  await using pair = await connectPair({ channel: { busyPace: pace } });
  const gate = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  pair.server.serve(() => ({ onMessage: () => {}, onData: () => gate.promise, onEnd: ended.resolve }));
  const stream = pair.client.openStream({ onMessage: () => {} });
  pair.client.send(stream, exampleBlob);
  const sending = pair.client.sendData(stream, [randomBytes(16 << 20)], { priority: "large", end: true });
  await sleep(1_200);
  assert.ok(pair.client.isOpen && pair.server.isOpen);
  gate.resolve();
  await Promise.all([sending, ended.promise]);
});

test("an idle connection lives on the server's pings, which the client answers without a timer", async () => {
  let timers = 0;
  const counting: Timers = {
    after(delayMs, run) {
      timers++;
      return systemTimers.after(delayMs, run);
    },
  };
  const channel = { idlePace: { pingIntervalMs: 50, deadAfterMs: 400 } };
  await using pair = await connectPair({ channel, client: { timers: counting } });
  serveJobs(pair.server, () => []);
  const start = pair.server.receivedBytes;
  await sleep(900);
  assert.ok(pair.client.isOpen && pair.server.isOpen);
  assert.ok(pair.server.receivedBytes > start);
  assert.equal(timers, 0);
  const job = collector<ServerMessage>();
  pair.client.send(pair.client.openStream(job.handler), exampleJob());
  assert.equal(timers, 1, "the heartbeat of a connection with a job");
  assert.equal(await job.over, "ended");
  await sleep(300);
  assert.equal(timers, 1);
});

test("a stream on a connection that leads nowhere is noticed, and so is the answer that comes after all", async () => {
  await using server = await startLoopbackServer();
  await using path = await startPath(server.port);
  const connection = { host: "127.0.0.1", port: path.port, connectTimeoutMs: 5_000 };
  const [{ channel: client }, accepted] = await Promise.all([connectToServer(connection), server.next()]);
  assert.ok(accepted.kind === "v2");
  serveJobs(accepted.channel, () => []);
  const events: string[] = [];
  client.watchSilence({ doubted: () => events.push("doubted"), trusted: () => events.push("trusted") });
  path.hold();
  client.send(client.openStream({ onMessage: () => {} }), exampleJob());
  await sleep(1_100);
  assert.deepEqual(events, [], "nobody asks a connection that has just spoken");
  const job = collector<ServerMessage>();
  client.send(client.openStream(job.handler), exampleJob({ declareFrom: 1, declare: [] }));
  while (events.length === 0) await sleep(10);
  path.release();
  assert.equal(await job.over, "ended");
  assert.deepEqual(events, ["doubted", "trusted"]);
  client.doubt();
  assert.equal(events.at(-1), "doubted");
  while (events.length < 4) await sleep(10);
  assert.equal(events.at(-1), "trusted");
  await client.close("done");
});

test("a closed stream ends its upload early; the connection goes on", async () => {
  await using pair = await connectPair();
  serveJobs(pair.server, () => [Buffer.from("x")]);
  const stream = pair.client.openStream({ onMessage: () => {} });
  let closed = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield randomBytes(100_000);
    } finally {
      closed = true;
    }
  }
  pair.client.send(stream, exampleBlob);
  const sending = pair.client.sendData(stream, endless(), { priority: "large", end: true });
  await sleep(30);
  pair.client.closeStream(stream);
  await sending;
  assert.ok(closed, "its source is closed");
  const job = collector<ServerMessage>();
  pair.client.send(pair.client.openStream(job.handler), exampleJob());
  assert.equal(await job.over, "ended");
});

async function* endlessBytes(): AsyncGenerator<Uint8Array> {
  for (;;) yield randomBytes(100_000);
}

test("the server's refusal of an upload ends the upload", async () => {
  await using pair = await connectPair();
  pair.server.serve((stream) => {
    pair.server.send(stream, { kind: "rejected", reason: "server-full", message: "no room" }, { end: true });
    return undefined;
  });
  const upload = collector<ServerMessage>();
  const stream = pair.client.openStream(upload.handler);
  pair.client.send(stream, exampleBlob);
  await pair.client.sendData(stream, endlessBytes(), { priority: "large", end: true });
  assert.equal(await upload.over, "ended");
  assert.deepEqual(upload.messages, [{ kind: "rejected", reason: "server-full", message: "no room" }]);
});

test("a source that fails rejects sendData with its error and leaves the connection alone", async () => {
  await using pair = await connectPair();
  serveJobs(pair.server, () => []);
  const failure = new Error("disk gone");
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield randomBytes(300_000);
    throw failure;
  }
  const stream = pair.client.openStream({ onMessage: () => {} });
  pair.client.send(stream, exampleBlob);
  await assert.rejects(pair.client.sendData(stream, failing(), { priority: "large", end: true }), failure);
  assert.ok(pair.client.isOpen);
});

test("cancel reaches the job's handler, also after the client's end flag", async () => {
  await using pair = await connectPair();
  const cancelled = Promise.withResolvers<ClientMessage>();
  pair.server.serve(() => ({ onMessage: cancelled.resolve }));
  const stream = pair.client.openStream({ onMessage: () => {} });
  pair.client.send(stream, exampleJob(), { end: true });
  pair.client.send(stream, { kind: "cancel" });
  pair.client.closeStream(stream);
  assert.deepEqual(await cancelled.promise, { kind: "cancel" });
});

describe("the end of a connection", () => {
  test("close tells the peer why, and every open stream on both ends", async () => {
    await using pair = await connectPair();
    const serverStream = collector<ClientMessage>();
    const arrived = Promise.withResolvers<void>();
    pair.server.serve(() => {
      arrived.resolve();
      return serverStream.handler;
    });
    const clientStream = collector<ServerMessage>();
    const stream = pair.client.openStream(clientStream.handler);
    pair.client.send(stream, exampleJob());
    await arrived.promise;
    await pair.server.close("homccd is ending");

    const reason = await pair.client.closed;
    assert.ok(hasCode(reason, "ERR_HOMCC_CONNECTION_LOST"));
    assert.match(reason.message, /^127\.0\.0\.1:\d+ closed the connection: homccd is ending$/);
    assert.equal(await clientStream.over, reason);
    assert.equal(pair.client.signal.reason, reason);
    assert.ok((await serverStream.over) instanceof HomccError);
    assert.equal(pair.client.openStreams, 0);
    assert.throws(() => pair.client.openStream(clientStream.handler), reason);
    pair.client.send(stream, exampleJob());
    await assert.rejects(
      pair.client.sendData(stream, [Buffer.alloc(10)], { priority: "small", end: true }),
      reason,
    );
  });

  test("a sender that waits for the socket learns of the end", async () => {
    await using pair = await connectPair();
    pair.server.serve(() => ({ onMessage: () => {}, onData: () => new Promise<void>(() => {}) }));
    const stream = pair.client.openStream({ onMessage: () => {} });
    pair.client.send(stream, exampleBlob);
    const sending = pair.client.sendData(stream, [randomBytes(32 << 20)], { priority: "large", end: true });
    const rejected = assert.rejects(sending, /enough/);
    await sleep(100);
    await pair.client.close("enough");
    await rejected;
  });

  test("a handler that throws ends the connection, not the process, and is told", async () => {
    await using pair = await connectPair();
    const told = Promise.withResolvers<HomccError>();
    pair.server.serve(() => ({
      onMessage: () => {},
      onData: () => {
        throw new Error("a bug");
      },
      onClose: told.resolve,
    }));
    const stream = pair.client.openStream({ onMessage: () => {} });
    pair.client.send(stream, exampleBlob);
    await pair.client.sendData(stream, [Buffer.from("x")], { priority: "small", end: true });
    const reason = await pair.server.closed;
    assert.match(reason.message, /internal error/);
    assert.ok(reason.cause instanceof Error && reason.cause.message === "a bug");
    assert.equal(await told.promise, reason);
    assert.match((await pair.client.closed).message, /internal error/);
  });

  test("an acceptor that throws a protocol error says so to the client", async () => {
    await using pair = await connectPair();
    pair.server.serve(() => {
      throw new HomccError("ERR_HOMCC_PROTOCOL", "job.inputs names entry 7 of 0");
    });
    pair.client.send(pair.client.openStream({ onMessage: () => {} }), exampleJob());
    assert.match((await pair.client.closed).message, /job\.inputs names entry 7 of 0/);
  });

  test("a result that arrived in full is delivered to a slow consumer after the connection is gone", async () => {
    await using pair = await connectPair();
    const body = randomBytes(1 << 20);
    pair.server.serve((stream) => {
      pair.server.send(stream, exampleResult(body.byteLength));
      void pair.server
        .sendData(stream, [body], { priority: "large", end: true })
        .then(() => pair.server.close("bye"));
      return { onMessage: () => {} };
    });
    const chunks: Uint8Array[] = [];
    const over = Promise.withResolvers<string>();
    pair.client.send(
      pair.client.openStream({
        onMessage: () => {},
        onData: async (bytes) => {
          await pair.client.closed;
          await sleep(20);
          chunks.push(bytes);
        },
        onEnd: () => over.resolve("ended"),
        onClose: (reason) => over.resolve(reason.message),
      }),
      exampleJob(),
    );
    assert.equal(await over.promise, "ended");
    assert.ok(Buffer.concat(chunks).equals(body));
  });
});

test("a message beyond the limits is refused with nothing sent", async () => {
  await using pair = await connectPair();
  serveJobs(pair.server, () => []);
  const stream = pair.client.openStream({ onMessage: () => {} });
  // Until then it sends pings.
  while (pair.client.distanceMs === undefined) await sleep(1);
  const sentBytes = pair.client.sentBytes;
  assert.throws(
    () => pair.client.send(stream, exampleJob({ cwd: "relative" })),
    /job\.cwd: expected an absolute path/,
  );
  const argv = Array.from({ length: 30 }, () => randomBytes(60_000).toString("hex"));
  const incompressible = exampleJob({ steps: [{ program: "/g++", argv }] });
  assert.throws(
    () => pair.client.send(stream, incompressible),
    (error) => hasCode(error, "ERR_HOMCC_PROTOCOL"),
  );
  await sleep(20);
  assert.equal(pair.client.sentBytes, sentBytes);
  assert.ok(pair.client.isOpen);
});

test("a warm job takes a fraction of its text, whatever came late or was for nobody in between", async () => {
  await using pair = await connectPair();
  const labels: string[] = [];
  const streams: number[] = [];
  pair.server.serve((stream, message) => {
    if (message.kind !== "job") return undefined;
    labels.push(message.label);
    streams.push(stream);
    // The client has closed each third stream: these messages are late.
    pair.server.send(stream, { kind: "queued", ahead: labels.length });
    pair.server.send(stream, exampleResult(labels.length), { end: true });
    return { onMessage: () => {} };
  });
  const argv = Array.from({ length: 40 }, (_, index) => `-I/home/someone/project/part-${index * index}`);
  const results: ServerMessage[] = [];
  const sent: number[] = [];
  for (let index = 0; index < 60; index++) {
    const job = collector<ServerMessage>();
    const before = pair.client.sentBytes;
    const stream = pair.client.openStream(job.handler);
    const steps = [{ program: "/usr/bin/g++", argv: [...argv, `file-${index}.cpp`] }];
    pair.client.send(stream, exampleJob({ label: `file-${index}.cpp`, steps }));
    if (index % 3 === 0) pair.client.closeStream(stream);
    else {
      assert.equal(await job.over, "ended");
      results.push(...job.messages);
    }
    sent.push(pair.client.sentBytes - before);
  }
  assert.deepEqual(
    labels,
    Array.from({ length: 60 }, (_, index) => `file-${index}.cpp`),
  );
  assert.equal(results.length, 80);
  assert.ok(
    sent.slice(10).every((bytes) => bytes < 150),
    String(sent),
  );
});

test("a client hears of a drain once and in order, one without the capability hears nothing", async () => {
  await using pair = await connectPair();
  pair.server.serve(() => ({ onMessage: () => {} }));
  const heard: string[] = [];
  assert.equal(pair.server.announceDrain("returning"), true);
  pair.server.announceDrain("leaving");
  await pair.server.received();
  pair.client.onDrain((drain) => heard.push(drain));
  assert.deepEqual(heard, ["returning"]);
  assert.ok(pair.client.isOpen && pair.server.isOpen, "it ends nothing by itself");
  await using old = await connectPair({ capabilities: ["zstd"] });
  old.server.serve(() => undefined);
  assert.equal(old.server.announceDrain("leaving"), false);
});

test("received: all that was handed over before has been read, however much it was", async () => {
  await using pair = await connectPair();
  const streams: number[] = [];
  pair.server.serve((stream) => {
    streams.push(stream);
    return { onMessage: () => {} };
  });
  const job = collector<ServerMessage>();
  pair.client.send(pair.client.openStream(job.handler), exampleJob({}));
  await pair.server.received();
  const [stream = 0] = streams;
  const bytes = randomBytes(8 << 20);
  await pair.server.sendData(stream, [bytes], { priority: "large", end: true });
  await pair.server.received();
  assert.equal(await job.over, "ended");
  assert.ok(job.bytes().equals(bytes));
  await pair.client.close("done");
  await pair.server.received();
});

test("a connection that is dropped ends for the peer as by a line that drops", async () => {
  await using pair = await connectPair();
  pair.server.serve(() => undefined);
  await pair.server.drop("a restart");
  await pair.client.closed;
  assert.ok(pair.client.isLost);
  assert.equal(pair.server.isOpen, false);
});

test("what the peer lacks is done without: compression, long frames", async () => {
  const [clientSide, serverSide] = pipes();
  const seen: number[] = [];
  clientSide.watch = (chunk) => seen.push(chunk.byteLength);
  const agreement = {
    zstd: false,
    history: false,
    delta: false,
    possession: false,
    pieces: true,
    farewell: false,
    toolchains: false,
    drain: false,
    maxOutgoingFrameBytes: minFrameBytes,
  };
  const client = openClientChannel(clientSide, { peer: "server", agreement });
  const server = openServerChannel(serverSide, {
    peer: "client",
    agreement: {
      zstd: true,
      history: false,
      delta: false,
      possession: false,
      pieces: true,
      farewell: false,
      toolchains: false,
      drain: false,
      maxOutgoingFrameBytes: maxFrameBytes,
    },
  });
  const upload = collector<ClientMessage>();
  server.serve(() => upload.handler);
  const stream = client.openStream({ onMessage: () => {} });
  client.send(stream, exampleBlob);
  await client.sendData(stream, [Buffer.alloc(300_000)], { priority: "large", end: true });
  assert.equal(await upload.over, "ended");
  assert.equal(upload.bytes().byteLength, 300_000);
  assert.ok(seen.reduce((sum, size) => sum + size, 0) > 300_000, "it was compressed");
  assert.ok(Math.max(...seen) <= minFrameBytes);
  assert.deepEqual([client.takesPacked, server.takesPacked], [false, true]);
  await client.close("done");
});

test("a chunk of answers is taken in steps, with turns of the event loop between them", async () => {
  let elapsedMs = 0;
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + elapsedMs };
  await using pair = await connectPair({ clock });
  const opened: number[] = [];
  pair.server.serve((stream) => {
    opened.push(stream);
    // All at once, when the last one is there.
    if (opened.length === jobs)
      for (const one of opened) pair.server.send(one, { kind: "stored" }, { end: true });
    return { onMessage: () => {} };
  });
  const jobs = 40;
  let turn = 0;
  const takenIn = new Map<number, number>();
  const ended: Promise<void>[] = [];
  for (let job = 0; job < jobs; job += 1) {
    const end = Promise.withResolvers<void>();
    ended.push(end.promise);
    const onMessage = (): void => {
      // It takes its handler 4 ms.
      elapsedMs += 4;
      takenIn.set(turn, (takenIn.get(turn) ?? 0) + 1);
    };
    const stream = pair.client.openStream({ onMessage, onEnd: end.resolve, onClose: end.reject });
    pair.client.send(stream, exampleJob());
  }
  let isOver = false;
  const count = (): void => {
    turn += 1;
    if (!isOver) setImmediate(count);
  };
  count();
  await Promise.all(ended);
  isOver = true;
  // Two chunks may come in one turn.
  assert.ok(Math.max(...takenIn.values()) <= 8, JSON.stringify([...takenIn]));
});

test("a link is fast by its round trip, and slow once it is seen to be", async () => {
  for (const [roundTripMs, isFast] of [
    [1, true],
    [20, false],
    [undefined, false],
  ] as const) {
    const [clientSide, serverSide] = pipes();
    const options = { peer: "server", agreement, ...(roundTripMs === undefined ? {} : { roundTripMs }) };
    const client = openClientChannel(clientSide, options);
    assert.equal(client.isFast, isFast);
    serverSide.resume();
    await client.close("done");
  }
  const [clientSide, serverSide] = pipes();
  serverSide.resume();
  // 64 KiB a time, each 25 ms: 2.6 MB/s, less than a busy machine compresses.
  clientSide.delayMs = 25;
  const client = openClientChannel(clientSide, { peer: "server", agreement, roundTripMs: 1 });
  const stream = client.openStream({ onMessage: () => {} });
  client.send(stream, exampleBlob);
  assert.ok(client.isFast);
  await client.sendData(stream, [randomBytes(6 << 20)], { priority: "large", end: true });
  assert.ok(!client.isFast);
  await client.close("done");
});

for (const hasJob of [true, false])
  test(`a client ${hasJob ? "with a job" : "that will have one"} asks for the round trip until it knows how far the server is`, async () => {
    let nowMs = 0;
    // A look at the clock takes 10 ms: so far away is the server.
    const clock = { wallMs: () => nowMs, monotonicMs: () => (nowMs += 10) };
    const [clientSide, serverSide] = pipes();
    const server = openServerChannel(serverSide, { peer: "client", agreement });
    server.serve(() => ({ onMessage: () => {} }));
    const client = openClientChannel(clientSide, { peer: "server", agreement, clock, roundTripMs: 500 });
    assert.equal(client.distanceMs, undefined);
    if (hasJob) client.openStream({ onMessage: () => {} });
    else client.measureDistance();
    while (client.distanceMs === undefined) await sleep(1);
    assert.ok(client.distanceMs < 500, String(client.distanceMs));
    await client.close("done");
  });

test("a client that is closed without a word was killed, if it says goodbye otherwise", async () => {
  for (const [spoken, isLost] of [
    [agreement, false],
    [agree({ capabilities: ["zstd"] }), true],
  ] as const) {
    const [clientSide, serverSide] = pipes();
    const server = openServerChannel(serverSide, { peer: "client", agreement: spoken });
    server.serve(() => undefined);
    clientSide.end();
    await server.closed;
    assert.equal(server.isLost, isLost);
  }
});

/** Two ends without a network. */
class Pipe extends Duplex {
  other: Pipe | undefined;
  watch: (chunk: Buffer) => void = () => {};
  /** What each write takes. */
  delayMs = 0;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.watch(chunk);
    this.other?.push(chunk);
    if (this.delayMs === 0) done();
    else setTimeout(done, this.delayMs);
  }

  override _final(done: () => void): void {
    this.other?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.other?.readableEnded === false) this.other.push(null);
    done(error);
  }
}

function pipes(): [Pipe, Pipe] {
  const pair: [Pipe, Pipe] = [new Pipe(), new Pipe()];
  [pair[0].other, pair[1].other] = [pair[1], pair[0]];
  return pair;
}

function sha(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
