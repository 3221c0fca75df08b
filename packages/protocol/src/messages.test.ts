import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { digestOf } from "@homcc/cas/digest";
import { hasCode } from "@homcc/observability/error";
import { maxMessageBytes, maxPathLength, maxTextLength } from "./limits.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import { isPlainObject } from "./schema.ts";
import { clientMessages, type JobMessage, type ServerMessage, serverMessages } from "./messages.ts";

const emptyDigest = digestOf(new Uint8Array(0));
const isProtocolError = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_PROTOCOL");

const job: JobMessage = {
  kind: "job",
  toolchain: {
    digest: emptyDigest,
    driver: "/opt/x/../bin/g++",
    family: "gcc",
    version: "g++ (Debian) 12.2.0",
  },
  steps: [{ program: "/usr/bin/g++", argv: ["g++", "-c", "a b.cpp", '-DX="ä\n"', ""] }],
  cwd: "/home/dev/päckage",
  environment: { LANG: "de_DE.UTF-8", PWD: "/home/dev", EMPTY: "" },
  umask: 0o022,
  terminal: { stderr: { columns: 80, rows: 24 } },
  declareFrom: 3,
  declare: [
    { kind: "file", path: "/a.cpp", digest: emptyDigest, mtimeNs: "1700000000123456789" },
    { kind: "directory", path: "/include" },
    { kind: "symlink", path: "/link", target: "../x" },
    { kind: "absent", path: "/include/optional.h" },
  ],
  inputs: [0, 3, 1, 1, 1],
  outputs: [{ path: "/home/dev/a.o", exists: true }],
  timeoutMs: 240_000,
  locale: "de_DE.UTF-8",
  label: "a b.cpp",
};

test("a job travels unchanged", () => {
  assert.deepEqual(decodeMessage(clientMessages, encodeMessage(clientMessages, job)), job);
});

test("unknown members are dropped on both ends, an unknown kind is no message", () => {
  const withMore = { ...job, future: true, toolchain: { ...job.toolchain, extra: [1] } };
  assert.deepEqual(JSON.parse(encodeMessage(clientMessages, withMore).toString()), job);
  assert.deepEqual(decodeMessage(clientMessages, Buffer.from(JSON.stringify(withMore))), job);
  assert.equal(decodeMessage(clientMessages, Buffer.from('{"kind":"resume","from":7}')), undefined);
  assert.equal(
    decodeMessage(clientMessages, Buffer.from('{"kind":"result"}')),
    undefined,
    "of the other direction",
  );
});

test("a refusal for a reason of a newer server reads as `refused`", () => {
  const text = Buffer.from('{"kind":"refused","reason":"quota","message":"later"}');
  const expected: ServerMessage = { kind: "refused", reason: "refused", message: "later" };
  assert.deepEqual(decodeMessage(serverMessages, text), expected);
});

test("text for people is cut and cleaned, never refused", () => {
  const message = `\0\u001b[31m\ud800${"x".repeat(10_000)}`;
  const text = encodeMessage(serverMessages, { kind: "refused", reason: "bad-job", message });
  const read = decodeMessage(serverMessages, text);
  assert.ok(read?.kind === "refused" && read.message.startsWith("  [31m\ufffdxxx"));
  assert.equal(read.message.length, maxTextLength);
});

test("paths that could leave the job's root or mean two things are refused", () => {
  const bad = [
    "",
    "a",
    "./a",
    "/a/",
    "//a",
    "/a//b",
    "/a/.",
    "/./a",
    "/a/..",
    "/../a",
    "/a/../b",
    "/..",
    "/.",
    "/a\0b",
  ];
  for (const path of [...bad, `/${"x".repeat(maxPathLength)}`]) {
    const broken: JobMessage[] = [
      { ...job, cwd: path },
      { ...job, outputs: [{ path, exists: false }] },
      ...(["directory", "absent"] as const).map((kind): JobMessage => ({
        ...job,
        declare: [{ kind, path }],
      })),
    ];
    for (const message of broken)
      assert.throws(() => encodeMessage(clientMessages, message), isProtocolError, path);
  }
  for (const path of ["/", "/a", "/a.b/...", "/.a/..b", "/a b/\n", "/ü"]) {
    encodeMessage(clientMessages, { ...job, cwd: path });
  }
});

test("the rule for paths is the one of a component-wise reading", () => {
  const text = fc.string({ unit: fc.constantFrom("/", ".", "a"), maxLength: 12 });
  fc.assert(
    fc.property(text, (path) => {
      const components = path.slice(1).split("/");
      const isNormal =
        path === "/" || (path.startsWith("/") && components.every((name) => !["", ".", ".."].includes(name)));
      let accepted = true;
      try {
        encodeMessage(clientMessages, { ...job, cwd: path });
      } catch {
        accepted = false;
      }
      assert.equal(accepted, isNormal, path);
    }),
    { numRuns: 2000 },
  );
});

test("variables need a name that an environment can hold", () => {
  for (const name of ["", "A=B"]) {
    assert.throws(
      () => encodeMessage(clientMessages, { ...job, environment: { [name]: "x" } }),
      isProtocolError,
      name,
    );
  }
});

test("a digest has one spelling, times are decimal", () => {
  const [first] = job.declare;
  assert.ok(first?.kind === "file");
  const withFile = (member: object): Buffer =>
    Buffer.from(JSON.stringify({ ...job, declare: [{ ...first, ...member }] }));
  for (const digest of ["", `${"A".repeat(64)}/0`, `${"a".repeat(64)}/01`, `${"a".repeat(63)}/1`, 7]) {
    assert.throws(
      () => decodeMessage(clientMessages, withFile({ digest })),
      /declare\[0\]\.digest: expected a digest/,
    );
  }
  for (const mtimeNs of ["", "1.5", "1e9", "0x1", " 1", "-0", "01", 1, "1".repeat(20)]) {
    assert.throws(
      () => decodeMessage(clientMessages, withFile({ mtimeNs })),
      /mtimeNs: expected nanoseconds/,
    );
  }
  for (const mtimeNs of ["0", "-1", "9223372036854775807"])
    decodeMessage(clientMessages, withFile({ mtimeNs }));
});

test("what is no message is a protocol error", () => {
  const texts = [
    "",
    "{",
    "null",
    "[]",
    "7",
    '"job"',
    "{}",
    '{"kind":7}',
    '{"kind":"job"}',
    '{"kind":"blob","digest":null}',
  ];
  for (const text of texts) {
    assert.throws(() => decodeMessage(clientMessages, Buffer.from(text)), isProtocolError, text);
  }
  const invalidUtf8 = Buffer.from([...Buffer.from('{"kind":"'), 0xff, ...Buffer.from('"}')]);
  assert.throws(() => decodeMessage(clientMessages, invalidUtf8), isProtocolError);
});

test("a message beyond the limit is refused by its sender and by its receiver", () => {
  const argv = Array.from({ length: 80 }, () => "x".repeat(131_072));
  const tooLong: JobMessage = { ...job, steps: [{ program: "/g++", argv }] };
  assert.throws(() => encodeMessage(clientMessages, tooLong), /a message has at most 8388608/);
  const text = Buffer.alloc(maxMessageBytes + 1, " ");
  assert.throws(() => decodeMessage(clientMessages, text), isProtocolError);
});

test("any JSON is a message, an unknown kind or a protocol error, never another failure", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom("job", "blob", "cancel", "x"), (value, kind) => {
      const candidate = isPlainObject(value) ? { ...value, kind } : value;
      try {
        decodeMessage(clientMessages, Buffer.from(JSON.stringify(candidate)));
      } catch (error) {
        assert.ok(isProtocolError(error), String(error));
      }
    }),
  );
});
