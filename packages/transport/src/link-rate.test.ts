import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkRate } from "./link-rate.ts";

const megabyte = 1 << 20;

/** A rate on a clock of its own, and a link that drains `bytes` in `ms`. */
function linkRate(): { rate: LinkRate; drain: (bytes: number, ms: number) => void } {
  let nowMs = 0;
  const rate = new LinkRate({ wallMs: () => nowMs, monotonicMs: () => nowMs });
  return {
    rate,
    drain: (bytes, ms) => {
      rate.filled();
      nowMs += ms;
      rate.drained(bytes);
    },
  };
}

test("what the kernel puts aside says nothing about the link", () => {
  const { rate, drain } = linkRate();
  for (let n = 0; n < 4; n++) drain(megabyte, 0.1);
  assert.equal(rate.bytesPerSecond, undefined);
  for (let n = 0; n < 8; n++) drain(megabyte, 1000);
  assert.equal(rate.bytesPerSecond, megabyte);
  rate.idle();
  for (let n = 0; n < 4; n++) drain(megabyte, 0.1);
  assert.equal(rate.bytesPerSecond, megabyte, "a fresh burst after a pause");
});

test("a link that changes is believed after some megabytes", () => {
  const { rate, drain } = linkRate();
  for (let n = 0; n < 40; n++) drain(megabyte, 10);
  const fast = rate.bytesPerSecond ?? 0;
  assert.ok(fast > 90 * megabyte && fast < 110 * megabyte, `${fast}`);
  for (let n = 0; n < 40; n++) drain(megabyte, 1000);
  const slow = rate.bytesPerSecond ?? 0;
  assert.ok(slow < 1.5 * megabyte, `${slow}`);
});

test("a drain that nobody waited for counts nothing", () => {
  const { rate } = linkRate();
  rate.drained(100 * megabyte);
  assert.equal(rate.bytesPerSecond, undefined);
});
