/**
 * test/vectors/protocol/*.hex are the examples of docs/protocol.md: the same text, annotated. UPDATE_VECTORS=1 writes
 * both anew from the examples below; review the difference, since other implementations rely on these bytes.
 */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { digestOf } from "@homcc/cas/digest";
import { packNow, unpackNow } from "./compression.ts";
import { encodeDrain } from "./drain.ts";
import { encodeFrame, type Frame, FrameDecoder, frameFlags, frameHeaderBytes, frameTypes } from "./frame.ts";
import {
  encodeHello,
  encodeRefusal,
  encodeWelcome,
  readClientGreeting,
  readServerGreeting,
  v1PrefixBytes,
} from "./hello.ts";
import * as limits from "./limits.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import { MessageHistory } from "./message-history.ts";
import { PossessionProof } from "./possession-proof.ts";
import {
  type ClientMessage,
  clientMessages,
  refusalReasons,
  type ServerMessage,
  serverMessages,
} from "./messages.ts";

const repository = join(import.meta.dirname, "../../..");
const folder = join(repository, "test/vectors/protocol");
const documentFile = join(repository, "docs/protocol.md");

const sourceText = Buffer.from("int main() {}\n");
const headerText = Buffer.from("#pragma once\n");
const source = digestOf(sourceText);
const header = digestOf(headerText);
const nonce = "5a".repeat(32);
const clientToolchain = digestOf(Buffer.from("client"));
const serverToolchain = digestOf(Buffer.from("server"));

const clientExamples: { readonly [K in ClientMessage["kind"]]: Extract<ClientMessage, { kind: K }> } = {
  job: {
    kind: "job",
    toolchain: {
      digest: clientToolchain,
      driver: "/usr/bin/g++",
      family: "gcc",
      version: "g++ (Debian 12.2.0-14) 12.2.0",
    },
    steps: [{ program: "/usr/bin/g++", argv: ["g++", "-c", "a.cpp"] }],
    cwd: "/w",
    environment: { PATH: "/usr/bin", PWD: "/w" },
    umask: 0o022,
    terminal: { stderr: { columns: 80, rows: 24 } },
    declareFrom: 4,
    declare: [
      { kind: "file", path: "/w/a.cpp", digest: source, mtimeNs: "1700000000123456789" },
      { kind: "directory", path: "/w/include" },
      { kind: "symlink", path: "/w/lib", target: "../lib" },
      { kind: "absent", path: "/w/include/b.h" },
    ],
    inputs: [0, 3, 1, 1, 1, 1],
    outputs: [{ path: "/w/a.o", exists: false }],
    timeoutMs: 120_000,
    locale: "de_DE.UTF-8",
    sandbox: { kind: "schroot", profile: "jammy" },
    mappedVeto: "--coverage",
    label: "a.cpp",
  },
  blob: { kind: "blob", digest: header },
  proof: { kind: "proof", hash: proofOfBoth(), changed: [] },
  toolchain: {
    kind: "toolchain",
    toolchain: {
      digest: clientToolchain,
      driver: "/usr/bin/g++",
      family: "gcc",
      version: "g++ (Debian 12.2.0-14) 12.2.0",
    },
  },
  pieces: { kind: "pieces", digest: source, pieces: [header, source] },
  cancel: { kind: "cancel" },
  survey: { kind: "survey" },
};

const serverExamples: { readonly [K in ServerMessage["kind"]]: Extract<ServerMessage, { kind: K }> } = {
  missing: { kind: "missing", digests: [header] },
  prove: { kind: "prove", nonce, digests: [source, header] },
  queued: { kind: "queued", ahead: 3 },
  started: { kind: "started" },
  result: {
    kind: "result",
    termination: { kind: "exited", status: 0 },
    stdoutBytes: 0,
    stderrBytes: 9,
    outputs: [
      { kind: "written", path: "/w/a.o", sizeBytes: 3, mode: 0o644 },
      { kind: "removed", path: "/w/a.d" },
    ],
    undeclared: [],
    usage: { wallMs: 812, cpuMs: 790, maxRssKiB: 65_536 },
    executor: "namespace",
    localeKnown: true,
    sandboxToolchain: { digest: serverToolchain, version: "g++ (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0" },
    reuse: { fromCache: false, reusable: true, note: "a.o names its folder" },
  },
  refused: {
    kind: "refused",
    reason: "toolchain-differs",
    message: "/usr/bin/g++ is another compiler here",
    identities: {
      client: { digest: clientToolchain, version: "g++ (Debian 12.2.0-14) 12.2.0" },
      server: { digest: serverToolchain, version: "g++ (Debian 14.2.0-19) 14.2.0" },
    },
  },
  inventory: {
    kind: "inventory",
    toolchains: [
      {
        names: ["g++", "g++-12"],
        version: "g++ (Debian 12.2.0-14) 12.2.0",
        target: "x86_64-linux-gnu",
      },
    ],
    profiles: [{ name: "jammy" }],
    containers: [{ name: "box" }, { name: "old", problem: "exited, not running" }],
    problems: [],
    omitted: 0,
  },
  stored: { kind: "stored" },
  rejected: { kind: "rejected", reason: "digest-mismatch", message: "the bytes have another digest" },
};

const deltaExample: ClientMessage = { kind: "blob", digest: header, base: source };

const byBaseExample: ServerMessage = {
  kind: "result",
  termination: { kind: "exited", status: 0 },
  stdoutBytes: 0,
  stderrBytes: 0,
  outputs: [
    { kind: "delta", output: 0, mode: 0o644, digest: source, deltaBytes: 59 },
    { kind: "unchanged", output: 1, mode: 0o644 },
    { kind: "written", path: "/w/a.gcno", sizeBytes: 13, mode: 0o644, digest: header },
  ],
  undeclared: [],
  usage: { wallMs: 812, cpuMs: 790, maxRssKiB: 65_536 },
  executor: "namespace",
  localeKnown: true,
};

const unlistedExample: ServerMessage = {
  kind: "result",
  termination: { kind: "exited", status: 0 },
  stdoutBytes: 0,
  stderrBytes: 0,
  outputs: [{ kind: "written", path: "/w/a.o", sizeBytes: 3, mode: 0o644 }],
  undeclared: [],
  unlisted: ["/w/include/late.h"],
  usage: { wallMs: 812, cpuMs: 790, maxRssKiB: 65_536 },
  executor: "namespace",
  localeKnown: true,
};

const hello = {
  versions: [2],
  agent: "homcc 2.0.0",
  capabilities: ["zstd"],
  maxFrameBytes: limits.maxFrameBytes,
};
const welcome = {
  version: 2,
  server: "homccd 2.0.0",
  capabilities: ["zstd"],
  executors: ["namespace"],
  slots: 8,
  maxFrameBytes: limits.maxFrameBytes,
};
const fullWelcome = {
  ...welcome,
  executors: ["mapped"],
  unavailable: [{ executor: "namespace", reason: "no user namespaces" }],
  timeMs: 1_700_000_000_123,
  disk: { freeBytes: 1 << 30, totalBytes: 1 << 30 },
};
const refusal = {
  info: "homcc 3.0.0 speaks protocol version 3, homccd 2.0.0 2",
  server: "homccd 2.0.0",
  versions: [2],
};

const message = (text: Buffer, flags = 0, stream = 1): Frame => ({
  type: frameTypes.message,
  flags,
  stream,
  payload: text,
});
const connectionFrame = (type: number, payload: string): Frame => ({
  type,
  flags: 0,
  stream: 0,
  payload: Buffer.from(payload),
});

const lastMessages: ReadonlySet<string> = new Set(["refused", "stored", "rejected", "inventory"]);
/** Those of a job are on stream 1. */
const streams: Readonly<Record<string, number>> = {
  blob: 2,
  stored: 2,
  rejected: 2,
  survey: 3,
  toolchain: 4,
  pieces: 5,
  inventory: 3,
};
const streamOf = (kind: string): number => streams[kind] ?? 1;

/** Frames by the name of their file. Messages that close their stream carry the end flag. */
const frames: ReadonlyMap<string, Frame> = new Map([
  ...Object.values(clientExamples).map((example): [string, Frame] => [
    example.kind,
    message(encodeMessage(clientMessages, example), 0, streamOf(example.kind)),
  ]),
  ...Object.values(serverExamples).map((example): [string, Frame] => {
    const flags = lastMessages.has(example.kind) ? frameFlags.end : 0;
    return [example.kind, message(encodeMessage(serverMessages, example), flags, streamOf(example.kind))];
  }),
  ["result-by-base", message(encodeMessage(serverMessages, byBaseExample))],
  ["result-with-unlisted", message(encodeMessage(serverMessages, unlistedExample))],
  ["blob-delta", message(encodeMessage(clientMessages, deltaExample), 0, 2)],
  [
    "data",
    { type: frameTypes.data, flags: frameFlags.end, stream: 1, payload: Buffer.from("warning: \x7fEL") },
  ],
  ["ping", connectionFrame(frameTypes.ping, "\x07\0\0\0")],
  ["pong", connectionFrame(frameTypes.pong, "\x07\0\0\0")],
  ["goodbye", connectionFrame(frameTypes.goodbye, "homccd is ending")],
  ["drain", { type: frameTypes.drain, flags: 0, stream: 0, payload: encodeDrain("returning") }],
]);

const handshakes: ReadonlyMap<string, Buffer> = new Map([
  ["hello", encodeHello(hello)],
  ["welcome", encodeWelcome(welcome)],
  ["welcome-in-full", encodeWelcome(fullWelcome)],
  ["connection-refused", encodeRefusal(refusal)],
]);

/** What a compressor writes may change with its version; that every version can read these bytes may not. */
const compressedName = "compressed-data";
const compressedText = Buffer.alloc(2000, "0123456789abcdef");

/** Likewise; of the blob example, after itself. */
const historyName = "history";
const storedNames = [compressedName, historyName];

const listings = new Map<string, string>([
  ...[...handshakes].map(([name, bytes]): [string, string] => [name, listHandshake(bytes)]),
  ...[...frames].map(([name, frame]): [string, string] => [name, listFrame(frame)]),
]);

if (process.env["UPDATE_VECTORS"] === "1") updateVectors();

for (const [name, listing] of listings) {
  test(`${name}.hex is what we send`, () => {
    assert.equal(readVector(name), listing);
  });
}

for (const [name, frame] of frames) {
  test(`${name}.hex decodes whole, byte by byte and at random splits`, () => {
    const bytes = parseListing(readVector(name));
    const expected = plain(frame);
    assert.deepEqual(decode([bytes]), [expected]);
    assert.deepEqual(decode([...bytes].map((byte) => Uint8Array.of(byte))), [expected]);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.byteLength)), (cuts) => {
        const borders = [0, ...cuts.sort((a, b) => a - b), bytes.byteLength];
        assert.deepEqual(decode(borders.slice(1).map((end, index) => bytes.subarray(borders[index], end))), [
          expected,
        ]);
      }),
      { numRuns: 30 },
    );
  });
}

test("the messages in the vectors are the examples", () => {
  for (const example of Object.values(clientExamples)) {
    assert.deepEqual(decodeMessage(clientMessages, payloadOf(example.kind)), example);
  }
  for (const example of Object.values(serverExamples)) {
    assert.deepEqual(decodeMessage(serverMessages, payloadOf(example.kind)), example);
  }
  assert.deepEqual(readClientGreeting(jsonOf("hello")), { kind: "v2", hello });
  assert.deepEqual(readServerGreeting(jsonOf("welcome")), { kind: "welcome", welcome });
  assert.deepEqual(readServerGreeting(jsonOf("welcome-in-full")), { kind: "welcome", welcome: fullWelcome });
  assert.deepEqual(readServerGreeting(jsonOf("connection-refused")), { kind: "refused", refusal });
});

test("a compressed frame of any zstd can be read", () => {
  const [frame] = new FrameDecoder().push(parseListing(readVector(compressedName)));
  assert.equal(frame?.flags, frameFlags.zstd);
  assert.deepEqual(unpackNow(frame.payload, limits.maxDataFrameBytes), compressedText);
});

test("a message that is compressed with the one before can be read", () => {
  const [frame] = new FrameDecoder().push(parseListing(readVector(historyName)));
  assert.equal(frame?.flags, frameFlags.history);
  const history = new MessageHistory();
  history.remember(payloadOf("blob"));
  assert.deepEqual(history.unpack(frame.payload, limits.maxMessageBytes), Buffer.from(payloadOf("blob")));
});

test("there are no other vectors", () => {
  const names = [...listings.keys(), ...storedNames].map((name) => `${name}.hex`).sort();
  assert.deepEqual(readdirSync(folder).sort(), names);
});

test("the document shows every vector, and names every message, member, reason and limit", () => {
  const document = readFileSync(documentFile, "utf8");
  for (const name of [...listings.keys(), ...storedNames]) {
    assert.ok(
      document.includes(`\`\`\`\n${readVector(name)}\`\`\`\n`),
      `docs/protocol.md lacks the example ${name}`,
    );
  }
  const messages = { ...clientMessages.variants, ...serverMessages.variants };
  for (const [kind, { fields }] of Object.entries(messages)) {
    const section = document.split(/^#{2,3} /m).find((text) => text.startsWith(`\`${kind}\``));
    assert.ok(section, `docs/protocol.md has no section for ${kind}`);
    for (const field of Object.keys(fields)) {
      assert.ok(section.includes(`\`${field}\``), `its section for ${kind} lacks ${field}`);
    }
  }
  for (const reason of refusalReasons) assert.ok(document.includes(`\`${reason}\``), reason);
  for (const [name, value] of Object.entries(limits)) {
    assert.ok(
      document.includes(`| \`${name}\` | ${value} |`),
      `docs/protocol.md lacks | \`${name}\` | ${value} |`,
    );
  }
});

/** What a client that has the contents of the example `prove` answers. */
function proofOfBoth(): string {
  const proof = new PossessionProof(nonce);
  proof.update(sourceText);
  proof.update(headerText);
  return proof.finish();
}

function updateVectors(): void {
  mkdirSync(folder, { recursive: true });
  const { payload } = packNow(compressedText);
  const compressed: Frame = { type: frameTypes.data, flags: frameFlags.zstd, stream: 1, payload };
  const text = encodeMessage(clientMessages, clientExamples.blob);
  const history = new MessageHistory();
  history.remember(text);
  const packed = message(Buffer.from(history.pack(text) ?? []), frameFlags.history, 4);
  let document = readFileSync(documentFile, "utf8");
  for (const [name, listing] of [
    ...listings,
    [compressedName, listFrame(compressed)] as const,
    [historyName, listFrame(packed)] as const,
  ]) {
    writeFileSync(join(folder, `${name}.hex`), listing);
    const block = new RegExp(`(<!-- vector: ${name} -->\n\`\`\`\n)[^\`]*(\`\`\`\n)`);
    document = document.replace(block, (_match, open: string, close: string) => `${open}${listing}${close}`);
  }
  writeFileSync(documentFile, document);
}

function listFrame(frame: Frame): string {
  const bytes = encodeFrame(frame);
  const type = Object.entries(frameTypes).find(([, number]) => number === frame.type)?.[0];
  const flags = Object.entries(frameFlags).flatMap(([name, bit]) =>
    (frame.flags & bit) === 0 ? [] : [name],
  );
  return [
    line(bytes.subarray(0, 4), `payload of ${frame.payload.byteLength} bytes`),
    line(bytes.subarray(4, 5), `type ${type}`),
    line(bytes.subarray(5, 6), `flags: ${flags.join(", ") || "none"}`),
    line(bytes.subarray(6, 8), "reserved"),
    line(bytes.subarray(8, 12), frame.stream === 0 ? "the connection" : `stream ${frame.stream}`),
    ...listBytes(bytes.subarray(frameHeaderBytes)),
    "",
  ].join("\n");
}

function listHandshake(bytes: Buffer): string {
  const jsonBytes = bytes.byteLength - v1PrefixBytes;
  return [
    line(bytes.subarray(0, v1PrefixBytes), `${jsonBytes} bytes of JSON`),
    ...listBytes(bytes.subarray(8)),
    "",
  ].join("\n");
}

function* listBytes(bytes: Buffer): Generator<string, void, undefined> {
  for (let offset = 0; offset < bytes.byteLength; offset += 16) {
    const part = bytes.subarray(offset, offset + 16);
    yield line(part, part.toString("latin1").replaceAll(/[^!-_a-~ ]/g, "."));
  }
}

function line(bytes: Uint8Array, comment: string): string {
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `${hex.padEnd(48)} ${comment}`.trimEnd();
}

/** The first 47 columns of a line are bytes, what follows is a comment. */
function parseListing(listing: string): Buffer {
  const hex = listing.split("\n").map((text) => text.slice(0, 47).replaceAll(" ", ""));
  return Buffer.from(hex.join(""), "hex");
}

function readVector(name: string): string {
  return readFileSync(join(folder, `${name}.hex`), "utf8");
}

function payloadOf(name: string): Uint8Array {
  return parseListing(readVector(name)).subarray(frameHeaderBytes);
}

function jsonOf(name: string): Uint8Array {
  return parseListing(readVector(name)).subarray(v1PrefixBytes);
}

function decode(chunks: Iterable<Uint8Array>): object[] {
  const decoder = new FrameDecoder();
  const decoded: object[] = [];
  for (const chunk of chunks) decoded.push(...decoder.push(chunk).map(plain));
  return decoded;
}

function plain(frame: Frame): object {
  return { ...frame, payload: Buffer.from(frame.payload).toString("latin1") };
}
