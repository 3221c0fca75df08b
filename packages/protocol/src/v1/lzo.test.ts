import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { hasCode } from "@homcc/observability/error";
import fc from "fast-check";
import { lzoCompress, lzoDecompress, lzoStepBytes } from "./lzo.ts";

/** Bytes with long runs, repetitions near and far, and noise: every kind of instruction. */
const compressible = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(fc.nat(255), fc.nat(3000)).map(([byte, count]) => new Uint8Array(count).fill(byte)),
      fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 60 })).map(([period, times]) => {
        const piece = Uint8Array.from({ length: period }, (_, index) => (index * 37) % 251);
        return Buffer.concat(Array.from({ length: times }, () => piece));
      }),
    ),
    { maxLength: 30 },
  )
  .map((parts) => Buffer.concat(parts));

const samples = (): Buffer[] => [
  Buffer.alloc(0),
  ...[1, 2, 3, 4, 5, 17, 18, 19, 238, 239, 300, 1000].map((length) => randomBytes(length)),
  Buffer.alloc(1_000_000),
  Buffer.concat([randomBytes(20_000), Buffer.alloc(20_000), randomBytes(100)]),
  far(0x800),
  far(0x801),
  far(0x4000),
  far(0x4001),
  far(0xbfff),
  far(0xc000),
  readFileSync(process.execPath).subarray(0, 2_000_000),
  readFileSync(import.meta.filename),
];

/** The same 100 bytes twice, this far from each other. */
function far(distance: number): Buffer {
  const piece = randomBytes(100);
  return Buffer.concat([piece, randomBytes(distance - 100), piece]);
}

test("what was compressed comes back", async () => {
  for (const bytes of samples())
    assert.ok(bytes.equals(await lzoDecompress(await lzoCompress(bytes), bytes.length)));
  await fc.assert(
    fc.asyncProperty(fc.oneof(compressible, fc.uint8Array({ maxLength: 3000 })), async (bytes) => {
      const back = await lzoDecompress(await lzoCompress(bytes), bytes.length);
      assert.deepEqual(Buffer.from(back), Buffer.from(bytes));
    }),
  );
});

test("text and objects become smaller, noise hardly larger", async () => {
  const text = readFileSync(import.meta.filename);
  assert.ok((await lzoCompress(text)).length < text.length * 0.7);
  assert.ok((await lzoCompress(Buffer.alloc(1_000_000))).length < 5000);
  assert.ok((await lzoCompress(randomBytes(1_000_000))).length < 1_010_000);
});

/** What `work` comes to, and how often somebody else had the event loop meanwhile. */
async function countTurns<T>(work: Promise<T>): Promise<{ result: T; turns: number }> {
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    if (isOver) return;
    turns += 1;
    setImmediate(count);
  };
  setImmediate(count);
  const result = await work;
  isOver = true;
  return { result, turns };
}

test("others have the event loop between the steps, whatever the bytes are, and both ways", async () => {
  // A match or a literal run may carry a step beyond its bytes, at most to twice as many in these.
  const steps = 12;
  const size = steps * lzoStepBytes;
  for (const [what, bytes] of Object.entries({
    "a program": readFileSync(process.execPath).subarray(0, size),
    "one long run": Buffer.alloc(size),
    "far repetitions": Buffer.alloc(size, randomBytes(3000)),
  })) {
    const packed = await countTurns(lzoCompress(bytes));
    assert.ok(packed.turns >= steps / 2, `${what}: ${packed.turns} turns to compress`);
    const unpacked = await countTurns(lzoDecompress(packed.result, size));
    assert.ok(unpacked.turns >= steps / 2, `${what}: ${unpacked.turns} turns to decompress`);
    assert.ok(bytes.equals(unpacked.result), what);
  }
  // Noise is passed in strides, so that its steps are fewer and shorter.
  const noise = randomBytes(size);
  const packed = await countTurns(lzoCompress(noise));
  assert.ok(packed.turns > 1, `${packed.turns} turns to compress noise`);
  assert.ok(noise.equals(await lzoDecompress(packed.result, size)));
});

/** Length-prefixed blobs through a Python program, which answers in the same form. */
function python(t: TestContext, expression: string, blobs: readonly Uint8Array[]): Buffer[] | undefined {
  const script = `import lzo, struct, sys
data, at = sys.stdin.buffer.read(), 0
while at < len(data):
    size, = struct.unpack_from("<I", data, at)
    blob = data[at + 4:at + 4 + size]
    out = ${expression}
    sys.stdout.buffer.write(struct.pack("<I", len(out)) + out)
    at += 4 + size`;
  const input = Buffer.concat(blobs.flatMap((blob) => [sizeOf(blob), blob]));
  const run = spawnSync("/usr/bin/python3", ["-c", script], { input, maxBuffer: 1 << 30 });
  if (run.error !== undefined || run.stderr.includes("No module named 'lzo'")) {
    t.skip("needs python3-lzo");
    return undefined;
  }
  assert.equal(run.status, 0, run.stderr.toString());
  const answers: Buffer[] = [];
  for (let at = 0; at < run.stdout.length;) {
    const size = run.stdout.readUInt32LE(at);
    answers.push(run.stdout.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  return answers;
}

function sizeOf(blob: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(blob.byteLength);
  return size;
}

/** What python-lzo's functions take and give: a mark, the size big-endian, the stream. */
function framed(stream: Uint8Array, sizeBytes: number): Buffer {
  const header = Buffer.from([0xf0, 0, 0, 0, 0]);
  header.writeUInt32BE(sizeBytes, 1);
  return Buffer.concat([header, stream]);
}

test("liblzo2 decompresses what we compress", async (t) => {
  // More than a step of one byte: a match that is continued by another one.
  const blobs = [...samples(), Buffer.alloc(3 * lzoStepBytes + 1), ...fc.sample(compressible, 300)];
  const framedBlobs = await Promise.all(
    blobs.map(async (blob) => framed(await lzoCompress(blob), blob.length)),
  );
  const answers = python(t, "lzo.decompress(blob)", framedBlobs);
  answers?.forEach((answer, index) =>
    assert.ok(answer.equals(blobs[index] ?? Buffer.alloc(1)), `blob ${index}`),
  );
});

test("we decompress what liblzo2 compresses, at its fastest and its best", async (t) => {
  const blobs = [...samples(), Buffer.alloc(3 * lzoStepBytes + 1), ...fc.sample(compressible, 300)];
  for (const level of [1, 9]) {
    const answers = python(t, `lzo.compress(blob, ${level})`, blobs);
    for (const [index, answer] of answers?.entries() ?? []) {
      const blob = blobs[index] ?? Buffer.alloc(1);
      const back = await lzoDecompress(answer.subarray(5), blob.length);
      assert.ok(blob.equals(back), `level ${level}, blob ${index}`);
    }
  }
});

test("damaged streams end in an error, or in as many bytes as were wanted", async () => {
  await fc.assert(
    fc.asyncProperty(
      compressible,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: -3, max: 3 }),
      async (bytes, damages, off) => {
        const stream = Uint8Array.from(await lzoCompress(bytes));
        for (const [at, byte] of damages) stream[at % stream.length] = byte;
        const sizeBytes = Math.max(0, bytes.length + off);
        try {
          assert.equal((await lzoDecompress(stream, sizeBytes)).length, sizeBytes);
        } catch (error) {
          assert.ok(hasCode(error, "ERR_HOMCC_PROTOCOL"), String(error));
        }
      },
    ),
  );
  await assert.rejects(lzoDecompress(new Uint8Array(0), 0), (error) => hasCode(error, "ERR_HOMCC_PROTOCOL"));
});
