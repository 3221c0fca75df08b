import assert from "node:assert/strict";
import { test } from "node:test";
import { knowHeaders } from "./known-headers.fixture.ts";

test("headers beyond the latest are known to the agent in 160 bytes each, with their numbers of a connection", async (t) => {
  const count = 60_000;
  const { reads, declared, tableBytes } = await knowHeaders(t, count, 1000);
  assert.deepEqual(reads, [count, 0]);
  assert.deepEqual(declared, [count, 0]);
  const bytesEach = tableBytes / count;
  t.diagnostic(`${bytesEach.toFixed(0)} bytes for each header`);
  assert.ok(bytesEach > 32 && bytesEach < 160, `${bytesEach}`);
});
