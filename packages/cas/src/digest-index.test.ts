import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "@homcc/observability/log";
import { digestOf } from "./digest.ts";
import { DigestIndex } from "./digest-index.ts";

const [first, second] = ["a".repeat(40), "b".repeat(40)];
const digest = digestOf(Buffer.from("text"));

test("what was added is there after a restart, whatever a crash left behind it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  const path = join(folder, "index");
  try {
    const index = await DigestIndex.open(path, silentLogger);
    index.add(first, digest);
    index.add(first, digest);
    index.add(second, digestOf(Buffer.from("other")));
    await index.flush();
    await appendFile(path, `nonsense\n${"c".repeat(40)} torn`);
    const again = await DigestIndex.open(path, silentLogger);
    assert.equal(again.get(first), digest);
    assert.equal(again.get(second), digestOf(Buffer.from("other")));
    assert.equal(again.get("c".repeat(40)), undefined);
    again.add("d".repeat(40), digest);
    await again.flush();
    const after = await DigestIndex.open(path, silentLogger);
    assert.equal(after.get("d".repeat(40)), digest, "no part of the torn line");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a place that cannot be written costs nothing but the memory of it", async () => {
  const index = await DigestIndex.open("/nonexistent/folder/index", silentLogger);
  index.add(first, digest);
  await index.flush();
  assert.equal(index.get(first), digest);
});
