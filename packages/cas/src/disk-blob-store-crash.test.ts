/** `kill -9` while the store writes, and a disk without space. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { appendFile, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { type Digest, digestOf, parseDigest } from "./digest.ts";
import { DiskBlobStore } from "./disk-blob-store.ts";

const maxBytes = 64 * 4096;

/** Puts, reads and evicts as fast as it can; says each digest when the store has it. */
const writer = `
  import { randomBytes } from "node:crypto";
  import { digestOf } from "${import.meta.resolve("./digest.ts")}";
  import { DiskBlobStore } from "${import.meta.resolve("./disk-blob-store.ts")}";
  const store = await DiskBlobStore.open({ folder: process.argv[1], maxBytes: ${maxBytes} });
  const work = async () => {
    for (;;) {
      const bytes = randomBytes(1 + Math.floor(Math.random() * 9000));
      const digest = digestOf(bytes);
      await store.put(digest, [bytes.subarray(0, 100), bytes.subarray(100)]);
      process.stdout.write(digest + "\\n");
    }
  };
  await Promise.all([work(), work(), work(), work()]);
`;

async function killWhileWriting(folder: string, afterBlobs: number): Promise<Digest[]> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", writer, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const put: Digest[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const digest = parseDigest(line);
    if (digest !== undefined) put.push(digest);
    if (put.length === afterBlobs) child.kill("SIGKILL");
  }
  await exited;
  assert.equal(child.signalCode, "SIGKILL");
  return put;
}

test("kill -9 leaves only whole blobs, within the bound, and a store that opens", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-killed-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const afterBlobs of [1, 10, 57, 150, 301]) {
    const put = await killWhileWriting(folder, afterBlobs);
    const store = await DiskBlobStore.open({ folder, maxBytes });
    assert.ok(store.usage.blobs > 0);
    assert.ok(store.usage.usedBytes <= maxBytes);
    assert.deepEqual(await readdir(join(folder, "incoming")), []);
    let held = 0;
    for (const digest of put) {
      const [missing] = await store.findMissing([digest]);
      const bytes = await store.read(digest);
      assert.equal(bytes === undefined, missing === digest, "what the store names present is whole");
      if (bytes === undefined) continue;
      held += 1;
      assert.equal(digestOf(bytes), digest);
    }
    // The newest is held: only what was told last may not have been written when the killer struck.
    assert.ok(held > 0 || put.length === 0);
    await store.close();
  }
});

/** A file system of 4 MB of its own, or `undefined` where none can be mounted. */
async function mountSmallDisk(t: TestContext): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-small-disk-"));
  const run = promisify(execFile);
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=4m,nr_inodes=600", "homcc-test", folder]);
  } catch {
    await rm(folder, { recursive: true });
    return undefined;
  }
  t.after(async () => {
    await run("umount", [folder]);
    await rm(folder, { recursive: true });
  });
  return folder;
}

test("a full disk evicts, then refuses, and the store stays whole", async (t) => {
  const disk = await mountSmallDisk(t);
  if (disk === undefined) return t.skip("needs root, to mount a small file system");
  const folder = join(disk, "store");
  const filler = join(disk, "filler");
  await writeFile(filler, "");
  const store = await DiskBlobStore.open({ folder, maxBytes: 1e9 });
  const put = async (sizeBytes: number): Promise<Digest> => {
    const bytes = randomBytes(sizeBytes);
    const digest = digestOf(bytes);
    await store.put(digest, [bytes.subarray(0, 50_000), bytes.subarray(50_000)]);
    return digest;
  };

  for (let number = 0; number < 40; number += 1) {
    const digest = await put(300_000);
    assert.equal((await store.read(digest))?.byteLength, 300_000);
  }
  assert.ok(store.usage.usedBytes < 4e6);

  await Promise.all(Array.from({ length: 6 }, () => put(100_000)));
  for (let number = 0; number < 500; number += 1) await put(100);
  assert.ok(store.usage.blobs < 400, "runs out of inodes before it runs out of bytes");

  const digest = await put(1_000_000);
  const target = join(disk, "copy");
  const pin = store.pin([digest]);
  await appendFile(filler, Buffer.alloc(1_500_000));
  await assert.rejects(put(2_000_000), { code: "ERR_HOMCC_STORE_FULL" });
  assert.equal((await store.read(digest))?.byteLength, 1_000_000, "pinned");
  await fillUp(filler);
  await assert.rejects(store.copyTo(digest, target), { code: "ERR_HOMCC_STORE_FULL" });
  await assert.rejects(stat(target), { code: "ENOENT" });
  assert.deepEqual(await readdir(join(folder, "incoming")), []);
  await store.close();

  await fillUp(filler);
  const again = await DiskBlobStore.open({ folder, maxBytes: 1e9 });
  assert.deepEqual(await again.findMissing([digest]), []);
  await rm(filler);
  assert.ok(await again.copyTo(digest, target), "there is room again");
  pin.release();
  await again.close();
});

async function fillUp(file: string): Promise<void> {
  for (;;) {
    try {
      await appendFile(file, Buffer.alloc(4096));
    } catch {
      return;
    }
  }
}
