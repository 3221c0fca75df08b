import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import {
  agree,
  chooseVersion,
  encodeHello,
  encodeRefusal,
  encodeWelcome,
  type Hello,
  mayBeV1Argument,
  knownCapabilities,
  readClientGreeting,
  readPreface,
  readServerGreeting,
  v1PrefixBytes,
  type Welcome,
} from "./hello.ts";
import { maxFrameBytes, maxHelloBytes, minFrameBytes } from "./limits.ts";

const hello: Hello = { versions: [3, 2], agent: "homcc 2.0.0", capabilities: ["zstd"], maxFrameBytes };
const welcome: Welcome = {
  version: 2,
  server: "homccd 2.0.0",
  capabilities: ["zstd"],
  executors: ["namespace", "mapped"],
  slots: 8,
  maxFrameBytes,
};

const json = (frame: Buffer): Buffer => {
  assert.equal(Number(frame.readBigUInt64LE()), frame.byteLength - v1PrefixBytes);
  return frame.subarray(v1PrefixBytes);
};
const isProtocolError = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_PROTOCOL");

test("hello, welcome and refusal travel unchanged in homcc 1.x's frame", () => {
  assert.deepEqual(readClientGreeting(json(encodeHello(hello))), { kind: "v2", hello });
  assert.deepEqual(readServerGreeting(json(encodeWelcome(welcome))), { kind: "welcome", welcome });
  const refusal = { info: "full", server: "homccd 2.0.0", versions: [2] };
  assert.deepEqual(readServerGreeting(json(encodeRefusal(refusal))), { kind: "refused", refusal });
});

test("a 1.x client's call and a 1.x server's refusal are recognised", () => {
  const call =
    '{"message_type": "ArgumentMessage", "args": ["g++", "-c", "a.cpp"], "cwd": "/w", "dependencies": {}}';
  const greeting = readClientGreeting(Buffer.from(call));
  assert.ok(greeting.kind === "v1");
  assert.deepEqual(greeting.argumentMessage["args"], ["g++", "-c", "a.cpp"]);
  const refused = readServerGreeting(
    Buffer.from('{"message_type": "ConnectionRefusedMessage", "info": "limit reached"}'),
  );
  assert.deepEqual(refused, { kind: "refused", refusal: { info: "limit reached" } });
});

test("other first messages are named", () => {
  const other = readClientGreeting(Buffer.from('{"message_type": "DependencyReplyMessage"}'));
  assert.deepEqual(other, { kind: "unknown", why: "a first message of type DependencyReplyMessage" });
  assert.deepEqual(readClientGreeting(Buffer.from("7")), {
    kind: "unknown",
    why: "a first message of type none",
  });
  assert.throws(() => readServerGreeting(Buffer.from("{}")), isProtocolError);
  assert.throws(() => readClientGreeting(Buffer.from("not json")), isProtocolError);
  assert.throws(
    () => readClientGreeting(Buffer.from('{"message_type":"HomccV2Hello"}')),
    /hello\.versions: expected an array/,
  );
});

const preface = (hex: string): string => readPreface(Buffer.from(hex, "hex"), maxHelloBytes).kind;

test("eight bytes tell the protocols apart", () => {
  assert.equal(preface("0040000000000000"), "json");
  assert.equal(preface("0140000000000000"), "unknown", "too long");
  assert.equal(preface("ffffffff00000000"), "unknown");
  assert.equal(preface("16030102000100fc"), "tls");
  assert.equal(preface("1600000000000000"), "json", "22 bytes of JSON, not TLS");
  assert.equal(preface(Buffer.from("GET / HT").toString("hex")), "unknown");
  assert.equal(preface(Buffer.from("SSH-2.0-").toString("hex")), "unknown");
});

test("only a 1.x call may be long", () => {
  const call = Buffer.from('{"message_type": "ArgumentMessage", "args": []');
  for (let length = 0; length <= call.byteLength; length++)
    assert.ok(mayBeV1Argument(call.subarray(0, length)));
  assert.equal(mayBeV1Argument(Buffer.from('{"message_type": "HomccV2Hello"')), false);
  assert.equal(mayBeV1Argument(Buffer.alloc(1)), false);
});

test("both ends agree on what both can", () => {
  assert.equal(chooseVersion([1, 2, 3]), 2);
  assert.equal(chooseVersion([1, 3]), undefined);
  assert.deepEqual(agree({ capabilities: [] }), {
    zstd: false,
    history: false,
    delta: false,
    possession: false,
    pieces: false,
    farewell: false,
    toolchains: false,
    drain: false,
    maxOutgoingFrameBytes: maxFrameBytes,
  });
  assert.deepEqual(agree({ capabilities: ["zstd", "pieces", "future"], maxFrameBytes: minFrameBytes }), {
    zstd: true,
    history: false,
    delta: false,
    possession: false,
    pieces: true,
    farewell: false,
    toolchains: false,
    drain: false,
    maxOutgoingFrameBytes: minFrameBytes,
  });
  assert.deepEqual(agree({ capabilities: knownCapabilities }), {
    zstd: true,
    history: true,
    delta: true,
    possession: true,
    pieces: true,
    farewell: true,
    toolchains: true,
    drain: true,
    maxOutgoingFrameBytes: maxFrameBytes,
  });
  assert.deepEqual(
    agree({ capabilities: [], maxFrameBytes: 0xffff_ffff }).maxOutgoingFrameBytes,
    maxFrameBytes,
  );
});

test("a refusal's text is cut and cleaned rather than refused itself", () => {
  const frame = encodeRefusal({ info: "x".repeat(1_000_000) });
  assert.ok(frame.byteLength < maxHelloBytes);
  assert.ok(encodeRefusal({ info: "\u00e4".repeat(1_000_000) }).byteLength < maxHelloBytes);
  const greeting = readServerGreeting(json(encodeRefusal({ info: "bad\0bytes \ud800 \u001b[2J" })));
  assert.deepEqual(greeting, { kind: "refused", refusal: { info: "bad bytes \ufffd  [2J" } });
});

test("names and types of a peer cannot write into a terminal", () => {
  const bad = "homcc \u001b]0;x\u0007\n2";
  const greeting = readClientGreeting(json(encodeHello({ ...hello, agent: bad })));
  assert.ok(greeting.kind === "v2" && greeting.hello.agent === "homcc  ]0;x \n2");
  const other = readClientGreeting(Buffer.from('{"message_type":"\\u001b[31m"}'));
  assert.deepEqual(other, { kind: "unknown", why: "a first message of type  [31m" });
});
