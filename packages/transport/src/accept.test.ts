import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeHello, type Hello, readServerGreeting } from "@homcc/protocol/hello";
import type { AcceptedConnection, AcceptOptions } from "./accept.ts";
import { dial, startLoopbackServer } from "./fixtures/loopback-server.ts";

const hello: Hello = { versions: [2], agent: "homcc 2.0.0", capabilities: ["zstd"] };

function v1Frame(json: string): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(Buffer.byteLength(json)));
  return Buffer.concat([size, Buffer.from(json)]);
}

interface Exchange {
  readonly accepted: AcceptedConnection;
  /** Everything the server sent until it closed. */
  readonly answer: Buffer;
}

/** Connects, sends `pieces`, and waits for the verdict and for the server's end. */
async function exchange(pieces: readonly Buffer[], options: Partial<AcceptOptions> = {}): Promise<Exchange> {
  await using server = await startLoopbackServer(options);
  const { socket, closed } = await dial(server.port);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  for (const piece of pieces) {
    socket.write(piece);
    if (pieces.length > 1) await sleep(1);
  }
  const accepted = await server.next();
  if (accepted.kind !== "rejected") socket.destroy();
  await closed;
  return { accepted, answer: Buffer.concat(chunks) };
}

function assertRejected({ accepted }: Exchange, why: RegExp): void {
  assert.ok(accepted.kind === "rejected", accepted.kind);
  assert.match(accepted.why, /^127\.0\.0\.1:\d+: /);
  assert.match(accepted.why, why);
}

function assertRefused(exchanged: Exchange, info: RegExp): void {
  const greeting = readServerGreeting(exchanged.answer.subarray(8));
  assert.ok(greeting.kind === "refused");
  assert.match(greeting.refusal.info, info);
  assert.deepEqual(greeting.refusal.versions, [2]);
}

test("a hello in one piece and byte by byte", async () => {
  const bytes = encodeHello(hello);
  for (const pieces of [[bytes], [...bytes].map((byte) => Buffer.of(byte))]) {
    const { accepted } = await exchange(pieces);
    assert.ok(accepted.kind === "v2");
    assert.deepEqual(accepted.hello, hello);
    assert.deepEqual(accepted.identity, { kind: "address", address: "127.0.0.1" });
  }
});

test("another version is refused with both named", async () => {
  const exchanged = await exchange([encodeHello({ ...hello, agent: "homcc 9.1.0", versions: [9, 8] })]);
  assertRejected(exchanged, /homcc 9\.1\.0 speaks protocol version 9, 8, homccd 2\.0\.0 2$/);
  assertRefused(exchanged, /homcc 9\.1\.0 speaks protocol version 9, 8, homccd 2\.0\.0 2$/);
});

test("an address that is not allowed is refused before it is read", async () => {
  const exchanged = await exchange([], { allow: { allows: () => false } });
  assertRejected(exchanged, /address 127\.0\.0\.1 is not allowed/);
  assertRefused(exchanged, /not allowed \(option 'allow' of homccd\)/);
});

test("a homcc 1.x client is refused in its own language, however long its message", async () => {
  for (const count of [1, 20_000]) {
    const dependencies = Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`/usr/include/${index}.h`, "56ae".repeat(10)]),
    );
    const call = { message_type: "ArgumentMessage", args: ["g++", "-c", "a.cpp"], cwd: "/w", dependencies };
    // Python's separators
    const json = JSON.stringify(call).replaceAll('":', '": ');
    const exchanged = await exchange([v1Frame(json)]);
    assertRejected(exchanged, /a homcc 1\.x client$/);
    assertRefused(exchanged, /does not serve homcc 1\.x clients/);
  }
});

test("a homcc 1.x client can be handed over", async () => {
  const json = '{"message_type": "ArgumentMessage", "args": ["gcc"], "cwd": "/w", "dependencies": {}}';
  const { accepted } = await exchange([Buffer.concat([v1Frame(json), Buffer.from("more")])], {
    serveV1: true,
  });
  assert.ok(accepted.kind === "v1");
  assert.deepEqual(accepted.argumentMessage["args"], ["gcc"]);
  assert.deepEqual(accepted.identity, { kind: "address", address: "127.0.0.1" });
  assert.equal(accepted.rest.toString(), "more");
});

test("TLS, web browsers, ssh and noise are closed with a line for the log", async () => {
  assertRejected(
    await exchange([Buffer.from("16030102000100fc", "hex")]),
    /a TLS hello, and this server has no TLS to offer/,
  );
  assertRejected(await exchange([Buffer.from("GET / HTTP/1.1\r\n\r\n")]), /begin no protocol of homcc/);
  assertRejected(await exchange([Buffer.from("SSH-2.0-OpenSSH_9.2\r\n")]), /begin no protocol of homcc/);
  assertRejected(
    await exchange([Buffer.from("ffffffff00000000", "hex")]),
    /a first message of 4294967295 bytes/,
  );
  assertRejected(
    await exchange([Buffer.from("0000100000000000", "hex"), Buffer.alloc(10)]),
    /is not a homcc 1\.x call/,
  );
});

test("damaged first messages are refused with what is wrong", async () => {
  for (const [json, why] of [
    ["{", /not JSON/],
    ["null", /first message of type none/],
    // What V8 says about these quotes them.
    ["\0{}", /not JSON/],
    ["{\u001b[31m}", /^\P{Cc}*not JSON\P{Cc}*$/u],
    ['{"message_type":"\\u0000"}', /first message of type  $/],
    ["🙂".repeat(30), /not JSON/],
    ['{"message_type":"HomccV2Hello"}', /hello\.versions: expected an array/],
    ['{"message_type":"DependencyReplyMessage"}', /first message of type DependencyReplyMessage/],
    ["[".repeat(100) + "]".repeat(100), /nested deeper/],
  ] as const) {
    const exchanged = await exchange([v1Frame(json)]);
    assertRejected(exchanged, why);
    assertRefused(exchanged, why);
  }
});

test("who does not finish its hello in time is disconnected", async () => {
  const bytes = encodeHello(hello);
  for (const length of [0, 3, 8, bytes.byteLength - 1]) {
    const startMs = performance.now();
    const exchanged = await exchange([bytes.subarray(0, length)], { handshakeTimeoutMs: 100 });
    assertRejected(exchanged, /no complete hello within 100 ms/);
    assert.ok(performance.now() - startMs < 3_000);
  }
});

test("one byte at a time does not buy more time", async () => {
  await using server = await startLoopbackServer({ handshakeTimeoutMs: 150 });
  const { socket } = await dial(server.port);
  const bytes = encodeHello(hello);
  let offset = 0;
  const timer = setInterval(() => socket.write(bytes.subarray(offset, ++offset)), 20);
  const accepted = await server.next();
  clearInterval(timer);
  assert.ok(accepted.kind === "rejected" && /no complete hello within 150 ms/.test(accepted.why));
  assert.ok(offset < bytes.byteLength);
  socket.destroy();
});

test("who leaves early is logged", async () => {
  await using server = await startLoopbackServer();
  const { socket } = await dial(server.port);
  socket.end(encodeHello(hello).subarray(0, 20));
  const accepted = await server.next();
  assert.ok(
    accepted.kind === "rejected" && /closed after 20 bytes, before its hello was complete/.test(accepted.why),
  );
  const { socket: resetting } = await dial(server.port);
  resetting.resetAndDestroy();
  assert.ok((await server.next()).kind === "rejected");
});

test("a refused client that does not read or close is dropped", async () => {
  await using server = await startLoopbackServer({ allow: { allows: () => false } });
  const socket = connect({ host: "127.0.0.1", port: server.port, allowHalfOpen: true });
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.resume();
  await once(socket, "end");
  const broken = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const timer = setInterval(() => socket.write("still here"), 50);
  await broken;
  clearInterval(timer);
});
