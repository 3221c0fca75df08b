import assert from "node:assert/strict";
import { test } from "node:test";
import { isClientName } from "./client-name.ts";
import { parseExpiry, timeText } from "./lifetime.ts";

const nowMs = Date.UTC(2026, 10, 26, 12);

test("an expiry is a time from now, or the end of a day", () => {
  for (const [text, expected] of [
    ["12h", "2026-11-27 00:00 UTC"],
    ["90d", "2027-02-24 12:00 UTC"],
    ["2w", "2026-12-10 12:00 UTC"],
    ["1y", "2027-11-26 12:00 UTC"],
    ["2026-11-26", "2026-11-26 23:59 UTC"],
    ["2028-02-29", "2028-02-29 23:59 UTC"],
  ] as const) {
    assert.equal(timeText(parseExpiry(text, nowMs) ?? 0), expected, text);
  }
});

test("what is no time to come is none", () => {
  for (const text of [
    "",
    "90",
    "d",
    "-1d",
    "0d",
    "1.5d",
    "90 d",
    "90D",
    "11y",
    "9999999d",
    "2026-11-25",
    "2027-02-30",
    "2027-2-1",
    "2099-01-01",
    "tomorrow",
  ])
    assert.equal(parseExpiry(text, nowMs), undefined, text);
});

test("names are words that no table, file or shell trips over", () => {
  for (const name of ["alice", "alice@laptop", "a.b-c_d", "7", "x".repeat(64)])
    assert.ok(isClientName(name), name);
  for (const name of ["", "-a", ".a", "a b", "a/b", "..", "a\n", "é", "x".repeat(65), "a'b"])
    assert.ok(!isClientName(name), name);
});
