import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { type Frame, frameFlags, frameTypes } from "./frame.ts";
import { FramePieces } from "./frame-pieces.ts";
import { maxFrameBytes, maxOpenPieces } from "./limits.ts";

function piece(stream: number, text: string | Uint8Array, flags: number = frameFlags.more): Frame {
  return { type: frameTypes.data, flags, stream, payload: Buffer.from(text) };
}

test("pieces become one frame with the flags of the last, whatever comes between", () => {
  const pieces = new FramePieces();
  assert.equal(pieces.take(piece(1, "one ")), undefined);
  assert.equal(pieces.take(piece(2, "other ")), undefined);
  assert.equal(pieces.take(piece(3, "whole", 0))?.payload.toString(), "whole");
  assert.equal(pieces.take(piece(1, "two ")), undefined);
  assert.deepEqual(
    pieces.take(piece(1, "three", frameFlags.zstd | frameFlags.end)),
    piece(1, "one two three", frameFlags.zstd | frameFlags.end),
  );
  assert.equal(pieces.take(piece(2, "", 0))?.payload.toString(), "other ");
  assert.equal(pieces.take(piece(1, "next", 0))?.payload.toString(), "next");
});

test("neither long frames nor many of them are collected", () => {
  const long = new FramePieces();
  assert.equal(long.take(piece(1, Buffer.alloc(maxFrameBytes))), undefined);
  assert.throws(
    () => long.take(piece(1, "x", 0)),
    (error) => hasCode(error, "ERR_HOMCC_PROTOCOL"),
  );
  const many = new FramePieces();
  for (let stream = 1; stream <= maxOpenPieces; stream++) many.take(piece(stream, "x"));
  assert.throws(
    () => many.take(piece(99, "x")),
    (error) => hasCode(error, "ERR_HOMCC_PROTOCOL"),
  );
  assert.equal(many.take(piece(1, "y", 0))?.payload.toString(), "xy");
});
