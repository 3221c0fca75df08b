import assert from "node:assert/strict";
import { type FileHandle, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { digestOf } from "./digest.ts";
import { FileDigests } from "./file-digests.ts";

async function openFile(t: TestContext, text: string): Promise<{ file: FileHandle; path: string }> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-digests-"));
  const path = join(folder, "file");
  await writeFile(path, text);
  const file = await open(path);
  t.after(async () => {
    await file.close();
    await rm(folder, { recursive: true });
  });
  return { file, path };
}

/** A clock by which everything on disk is `ageMs` old, and a count of reads from `file`. */
function digestsAt(ageMs: number): FileDigests {
  return new FileDigests({ wallMs: () => Date.now() + ageMs, monotonicMs: () => 0 });
}

test("reads a settled file once and again after a change", async (t) => {
  const { file, path } = await openFile(t, "before");
  const reads = t.mock.method(file, "read");
  const digests = digestsAt(3_600_000);
  assert.equal(await digests.digestOf(file), digestOf(Buffer.from("before")));
  const once = reads.mock.callCount();
  assert.ok(once > 0);
  assert.equal(await digests.digestOf(file), digestOf(Buffer.from("before")));
  assert.equal(reads.mock.callCount(), once);
  await writeFile(path, "after, and longer");
  assert.equal(await digests.digestOf(file), digestOf(Buffer.from("after, and longer")));
});

test("does not remember a file that may still be changing", async (t) => {
  const { file } = await openFile(t, "young");
  const reads = t.mock.method(file, "read");
  const digests = digestsAt(0);
  await digests.digestOf(file);
  const once = reads.mock.callCount();
  await digests.digestOf(file);
  assert.equal(reads.mock.callCount(), 2 * once);
});
