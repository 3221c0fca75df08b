import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import fc from "fast-check";
import {
  decodeEnded,
  decodeReply,
  decodeRequest,
  encodeEnded,
  encodeReply,
  encodeRequest,
  peekRequest,
} from "./codec.ts";
import { type Frame, FrameReader, frameTypes } from "./frame.ts";
import type { LaunchReply, LaunchRequest, SupervisedEnd } from "./messages.ts";
import {
  type Answer,
  decodeAnswer,
  decodeQuestion,
  encodeAnswer,
  encodeQuestion,
  type Question,
} from "./question.ts";

const root = join(import.meta.dirname, "../../..");
const vectorFolder = join(root, "test/vectors/launch");

const request: LaunchRequest = {
  argv: ["g++", "-c", "a.cpp"],
  compilerPath: "/usr/bin/g++",
  cwd: "/home/ü",
  environment: { LANG: "C", PWD: "/home/ü" },
  invalidVariables: [],
  notUtf8: false,
  options: { log_level: "DEBUG" },
  umask: 0o022,
  pid: 4242,
  rootIdentity: "2049:2:mnt:[4026531841]",
  agentIdentity: "2049:77:51234:1700000000000000001",
  terminals: [undefined, undefined, { columns: 120, rows: 40 }],
  noticeTerminal: true,
  session: 4100,
};

const replies: readonly LaunchReply[] = [
  { kind: "accepted" },
  { kind: "stdout", bytes: Buffer.from("hi\n") },
  { kind: "stderr", bytes: Buffer.from("a.cpp:1:\xff\n", "latin1") },
  { kind: "exit", status: 1 },
  { kind: "signal", signal: 15 },
  { kind: "execute", program: "/usr/bin/g++", argv: ["g++", "-v"] },
  { kind: "retired" },
  { kind: "supervise", program: "", argv: [] },
  { kind: "notice", bytes: Buffer.from("[HOMCC-INFO] ü\n") },
];

const ended: SupervisedEnd = { kind: "signal", signal: 11 };
const question: Question = { agentIdentity: request.agentIdentity, subject: "status" };
const answer: Answer = { agentIdentity: request.agentIdentity, text: '{"local":{}}' };

test("the golden vectors are what the messages are encoded to", () => {
  assert.deepEqual(Buffer.from(encodeRequest(request)), vector("request"));
  assert.deepEqual(Buffer.from(encodeEnded(ended)), vector("ended"));
  assert.deepEqual(Buffer.from(encodeQuestion(question)), vector("question"));
  assert.deepEqual(Buffer.from(encodeAnswer(answer)), vector("answer"));
  for (const reply of replies)
    assert.deepEqual(Buffer.from(encodeReply(reply)), vector(reply.kind), reply.kind);
  assert.equal(readdirSync(vectorFolder).length, replies.length + 4);
});

test("the golden vectors are decoded whole, byte by byte and at random splits", () => {
  const all = ["request", "ended", "question", "answer", ...replies.map(({ kind }) => kind)];
  const stream = Buffer.concat(all.map((name) => vector(name)));
  const check = (frames: readonly Frame[]): void => {
    const [first, second, third, fourth, ...rest] = frames;
    assert.ok(first !== undefined && second !== undefined && third !== undefined && fourth !== undefined);
    assert.deepEqual(decodeRequest(first), request);
    assert.deepEqual(decodeEnded(second), ended);
    assert.deepEqual(decodeQuestion(third), question);
    assert.deepEqual(decodeAnswer(fourth), answer);
    assert.deepEqual(
      rest.map((frame) => plain(decodeReply(frame))),
      replies.map((reply) => plain(reply)),
    );
  };
  check(new FrameReader().push(stream));
  check(split(stream, stream.length));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: stream.length }), (pieces) => check(split(stream, pieces))),
  );
});

test("docs/launcher-protocol.md shows the golden vectors", () => {
  const text = readFileSync(join(root, "docs/launcher-protocol.md"), "utf8");
  for (const name of readdirSync(vectorFolder)) {
    assert.ok(text.includes(`\`\`\`hex\n${readFileSync(join(vectorFolder, name), "utf8")}\`\`\``), name);
  }
  for (const [name, type] of Object.entries(frameTypes)) {
    assert.ok(text.includes(`${name}, type 0x${type.toString(16).padStart(2, "0")}`), name);
  }
});

const words = fc.string({ unit: "grapheme" }).filter((word) => !word.includes("\0") && word.isWellFormed());
const sizes = fc.option(
  fc.record({ columns: fc.nat(65_535), rows: fc.nat(65_535) }, { noNullPrototype: true }),
  { nil: undefined },
);
const names = words.filter((name) => name !== "" && !name.includes("="));
const requests: fc.Arbitrary<LaunchRequest> = fc.record(
  {
    argv: fc.array(words),
    compilerPath: words,
    cwd: words,
    environment: fc.array(fc.tuple(names, words)).map((entries) => Object.fromEntries(entries)),
    invalidVariables: fc.constant([]),
    notUtf8: fc.constant(false),
    options: fc.array(fc.tuple(words, words)).map((entries) => Object.fromEntries(entries)),
    umask: fc.nat(0o777),
    pid: fc.nat(),
    rootIdentity: words,
    agentIdentity: words,
    terminals: fc.tuple(sizes, sizes, sizes),
    noticeTerminal: fc.boolean(),
    session: fc.nat(),
  },
  { noNullPrototype: true },
);

test("what is encoded is decoded", () => {
  fc.assert(
    fc.property(requests, (each) => {
      assert.deepEqual(decodeRequest(frameOf(encodeRequest(each))), each);
    }),
  );
});

test("arbitrary payloads are refused with an error of the protocol, or understood", () => {
  const types = fc.constantFrom(...Object.values(frameTypes), 0, 0x99);
  fc.assert(
    fc.property(types, fc.uint8Array({ maxLength: 300 }), (type, payload) => {
      for (const decode of [
        decodeRequest,
        decodeReply,
        decodeEnded,
        peekRequest,
        decodeQuestion,
        decodeAnswer,
      ])
        refusesOrReturns(() => decode({ type, payload }));
    }),
  );
});

test("a request that is damaged anywhere is refused, or is another request", () => {
  const whole = vector("request").subarray(5);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), (position, byte) => {
      const payload = Buffer.from(whole);
      payload[position] = byte;
      refusesOrReturns(() => decodeRequest({ type: frameTypes.request, payload }));
    }),
  );
});

test("every cut of a request is refused, every addition ignored", () => {
  const whole = vector("request").subarray(5);
  for (let length = 0; length < whole.length; length += 1) {
    const frame = { type: frameTypes.request, payload: whole.subarray(0, length) };
    assert.throws(() => decodeRequest(frame), isProtocolError, String(length));
  }
  const longer = { type: frameTypes.request, payload: Buffer.concat([whole, Buffer.from("later")]) };
  assert.deepEqual(decodeRequest(longer), request);
});

test("a question of another version or about something else is refused", () => {
  const payload = Buffer.from(encodeQuestion(question)).subarray(5);
  const frame = (text: string, other: string) => ({
    type: frameTypes.question,
    payload: Buffer.from(payload.toString("latin1").replace(text, other), "latin1"),
  });
  assert.throws(() => decodeQuestion(frame("status", "statue")), isProtocolError);
  assert.throws(() => decodeQuestion(frame("\x01", "\x02")), isProtocolError);
});

test("a count of billions takes no memory", () => {
  const payload = Buffer.from("\0\0\0\0\xff\xff\xff\xff", "latin1");
  assert.throws(() => decodeReply({ type: frameTypes.execute, payload }), isProtocolError);
});

test("strings with a NUL are neither written nor read", () => {
  assert.throws(() => encodeReply({ kind: "execute", program: "a\0b", argv: [] }), isProtocolError);
  const payload = Buffer.from("\x03\0\0\0a\0b\0\0\0\0", "latin1");
  assert.throws(() => decodeReply({ type: frameTypes.execute, payload }), isProtocolError);
});

test("words that are not UTF-8 are marked, variables that are not are named and left out", () => {
  const encoded = Buffer.from(
    encodeRequest({ ...request, argv: ["cc", "-DÿÿX"], environment: { A: "ÿ", B: "b" } }),
  );
  // "ÿ" is c3 bf; the reverse order is no UTF-8 and as long.
  const damage = (text: string): Buffer => {
    const bytes = Buffer.from(encoded);
    const position = bytes.indexOf(text);
    bytes.writeUInt16BE(0xbfc3, position + text.indexOf("ÿ"));
    return bytes.subarray(5);
  };
  const words = decodeRequest({ type: frameTypes.request, payload: damage("-Dÿ") });
  assert.equal(words.notUtf8, true);
  assert.deepEqual(words.invalidVariables, []);
  const variables = decodeRequest({ type: frameTypes.request, payload: damage("A=ÿ") });
  assert.equal(variables.notUtf8, false);
  assert.deepEqual([variables.environment, variables.invalidVariables], [{ B: "b" }, ["A"]]);
});

test("the first of two variables counts, and one without a name is dropped", () => {
  const encoded = encodeRequest({ ...request, environment: { A: "1", B: "2", "": "3" } });
  const payload = Buffer.from(encoded).subarray(5);
  payload.write("A=2", payload.indexOf("B=2"));
  assert.deepEqual(decodeRequest({ type: frameTypes.request, payload }).environment, { A: "1" });
});

test("a request of another version tells its origin and nothing else", () => {
  const payload = Buffer.from("\x09\x02\0\0\0idwhatever", "latin1");
  const frame = { type: frameTypes.request, payload };
  assert.deepEqual(peekRequest(frame), { version: 9, agentIdentity: "id" });
  assert.throws(() => decodeRequest(frame), isProtocolError);
});

function vector(name: string): Buffer {
  const text = readFileSync(join(vectorFolder, `${name}.hex`), "utf8");
  return Buffer.from(text.replaceAll(/#.*$/gm, "").replaceAll(/\s/g, ""), "hex");
}

function frameOf(bytes: Uint8Array): Frame {
  const [frame] = new FrameReader().push(bytes);
  assert.ok(frame !== undefined);
  return frame;
}

function split(stream: Buffer, pieces: number): Frame[] {
  const reader = new FrameReader();
  const step = Math.ceil(stream.length / pieces);
  const frames: Frame[] = [];
  for (let start = 0; start < stream.length; start += step)
    frames.push(...reader.push(stream.subarray(start, start + step)));
  return frames;
}

/** With text instead of bytes, which are compared by content and not by class. */
function plain(reply: LaunchReply): unknown {
  return "bytes" in reply ? { ...reply, bytes: Buffer.from(reply.bytes).toString("latin1") } : reply;
}

function isProtocolError(error: unknown): boolean {
  return hasCode(error, "ERR_HOMCC_PROTOCOL");
}

function refusesOrReturns(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    if (!isProtocolError(error)) throw error;
  }
}
