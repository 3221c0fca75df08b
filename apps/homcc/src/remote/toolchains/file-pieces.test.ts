import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf, sizeBytesOf } from "@homcc/cas/digest";
import { hasCode } from "@homcc/observability/error";
import { pieceBytes, piecesOfFile, readPiece } from "./file-pieces.ts";
import { UploadRate } from "./upload-rate.ts";

test("the pieces of a file are the file, whatever its length; another file is noticed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    const path = join(folder, "cc1");
    for (const sizeBytes of [0, 1, pieceBytes - 1, pieceBytes, pieceBytes + 1, 2 * pieceBytes]) {
      const bytes = randomBytes(sizeBytes);
      await writeFile(path, bytes);
      const pieces = await piecesOfFile(path, digestOf(bytes));
      const read = await Promise.all(pieces.map(({ offsetBytes }) => readPiece(path, offsetBytes)));
      assert.ok(Buffer.concat(read).equals(bytes));
      for (const [index, piece] of pieces.entries()) {
        assert.equal(digestOf(read[index] ?? bytes), piece.digest);
        assert.ok(sizeBytesOf(piece.digest) <= pieceBytes);
      }
      const other = digestOf(randomBytes(sizeBytes + 1));
      await assert.rejects(piecesOfFile(path, other), (error) => hasCode(error, "ERR_HOMCC_INPUT_CHANGED"));
    }
    await rm(path);
    await assert.rejects(readPiece(path, 0), (error) => hasCode(error, "ERR_HOMCC_INPUT_CHANGED"));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("the rate of an upload is that of its last half minute", () => {
  let nowMs = 0;
  const rate = new UploadRate({ monotonicMs: () => nowMs, wallMs: () => nowMs });
  rate.began();
  assert.equal(rate.bytesPerMs, undefined);
  for (; nowMs < 60_000; nowMs += 1000) rate.moved(1_000_000);
  const fast = rate.bytesPerMs ?? 0;
  assert.ok(fast > 900 && fast < 1100, String(fast));
  for (; nowMs < 120_000; nowMs += 1000) rate.moved(1000);
  const slow = rate.bytesPerMs ?? 0;
  assert.ok(slow > 0.9 && slow < 1.1, String(slow));
});
