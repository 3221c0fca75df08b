import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesText, durationText } from "./quantities.ts";

test("bytes and durations as people read them", () => {
  assert.deepEqual([0, 1023, 1024, 1.5 * 2 ** 20, 3 * 2 ** 50].map(bytesText), [
    "0 bytes",
    "1023 bytes",
    "1.0 KiB",
    "1.5 MiB",
    "3072.0 TiB",
  ]);
  assert.deepEqual([0, 450, 75_000, 600_000, 18_000_000, 31_536_000_000].map(durationText), [
    "0.0 s",
    "0.5 s",
    "75 s",
    "10 min",
    "5.0 h",
    "365 d",
  ]);
});
