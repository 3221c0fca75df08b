import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import {
  mkdir,
  mkdtemp,
  open as openFile,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  statfs,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { createLogger } from "@homcc/observability/log";
import { type Digest, digestOf, hashOf, sizeBytesOf } from "./digest.ts";
import { DiskBlobStore } from "./disk-blob-store.ts";

const blockBytes = 4096;

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-disk-store-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function putText(store: DiskBlobStore, text: string): Promise<Digest> {
  const bytes = Buffer.from(text);
  await store.put(digestOf(bytes), [bytes]);
  return digestOf(bytes);
}

function fileOf(folder: string, digest: Digest): string {
  const hash = hashOf(digest);
  return join(folder, "blobs", hash.slice(0, 2), `${hash}-${sizeBytesOf(digest)}`);
}

/** Changes one byte in place: size and name stay right. Returns when the file's change time tells of it. */
async function flipByte(path: string): Promise<void> {
  const before = (await stat(path)).ctimeMs;
  const file = await openFile(path, "r+");
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 0);
  await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, 0);
  await file.close();
  while ((await stat(path)).ctimeMs === before) await utimes(path, 1, 1);
}

test("keeps blobs and the order of their use over a restart", async (t) => {
  const folder = await temporaryFolder(t);
  const options = { folder, maxBytes: 3 * blockBytes };
  const first = await DiskBlobStore.open(options);
  const [a, b, c] = [await putText(first, "a"), await putText(first, "b"), await putText(first, "c")];
  await first.read(a);
  await first.close();
  const second = await DiskBlobStore.open(options);
  assert.deepEqual(second.usage, { blobs: 3, usedBytes: 3 * blockBytes, maxBytes: 3 * blockBytes });
  await putText(second, "d");
  await putText(second, "e");
  assert.deepEqual(await second.findMissing([a, b, c]), [b, c]);
  await second.close();
  const third = await DiskBlobStore.open({ folder, maxBytes: blockBytes });
  assert.equal(third.usage.blobs, 1, "a smaller bound is kept at once");
  assert.deepEqual(await third.findMissing([a]), []);
  await third.close();
});

test("lives without its recency log and with a torn one", async (t) => {
  const folder = await temporaryFolder(t);
  const options = { folder, maxBytes: 3 * blockBytes };
  const first = await DiskBlobStore.open(options);
  const [a, b, c] = [await putText(first, "a"), await putText(first, "b"), await putText(first, "c")];
  await first.close();
  await writeFile(
    join(folder, "recency.log"),
    `${c}\n${a}\nnonsense\n\0\0\0\n${"0".repeat(64)}/5\n${b.slice(0, 30)}`,
  );
  const second = await DiskBlobStore.open(options);
  await putText(second, "d");
  assert.deepEqual(await second.findMissing([a, b, c]), [c], "c was the oldest, b in no whole line");
  await second.close();
  await rm(join(folder, "recency.log"));
  const third = await DiskBlobStore.open(options);
  assert.equal(third.usage.blobs, 3);
  await third.close();
});

test("the recency log stays small however often blobs are used", async (t) => {
  const folder = await temporaryFolder(t);
  const store = await DiskBlobStore.open({ folder, maxBytes: 1e6 });
  const digest = await putText(store, "popular");
  for (let use = 0; use < 20_000; use += 1) await store.findMissing([digest]);
  await store.close();
  assert.ok((await stat(join(folder, "recency.log"))).size < 1000);
});

test("drops what is damaged on disk and takes it again", async (t) => {
  const folder = await temporaryFolder(t);
  const store = await DiskBlobStore.open({ folder, maxBytes: 1e6 });
  const damages: Record<string, (path: string) => Promise<void>> = {
    truncated: (path) => truncate(path, 3),
    grown: (path) => writeFile(path, "more", { flag: "a" }),
    emptied: (path) => truncate(path, 0),
    gone: (path) => rm(path),
    "changed in place": flipByte,
  };
  for (const [title, damage] of Object.entries(damages)) {
    for (const use of ["read", "copyTo"] as const) {
      const digest = await putText(store, `content that will be ${title}`);
      assert.deepEqual(await store.findMissing([digest]), []);
      await damage(fileOf(folder, digest));
      const target = join(folder, "copy");
      const found = use === "read" ? await store.read(digest) : await store.copyTo(digest, target);
      assert.ok(found === undefined || found === false, `${title}: ${use}`);
      await assert.rejects(stat(target), { code: "ENOENT" });
      assert.deepEqual(await store.findMissing([digest]), [digest]);
      await putText(store, `content that will be ${title}`);
      assert.ok(await store.copyTo(digest, target));
      await rm(target);
    }
  }
  await store.close();
});

test("does not trust what was damaged while it was closed", async (t) => {
  const folder = await temporaryFolder(t);
  const first = await DiskBlobStore.open({ folder, maxBytes: 5e6 });
  const digest = await putText(first, "int x;");
  const large = await putText(first, "large".repeat(500_000));
  await first.close();
  await flipByte(fileOf(folder, digest));
  await flipByte(fileOf(folder, large));
  const second = await DiskBlobStore.open({ folder, maxBytes: 5e6 });
  for (const damaged of [digest, large]) {
    assert.equal(await second.copyTo(damaged, join(folder, "copy")), false);
    assert.deepEqual(await second.findMissing([damaged]), [damaged]);
  }
  await second.close();
});

test("removes what a crash left half-written and ignores foreign files", async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "incoming"), { recursive: true });
  await writeFile(join(folder, "incoming", "7"), "half a bl");
  await mkdir(join(folder, "blobs", "ab"), { recursive: true });
  await writeFile(join(folder, "blobs", "ab", "README"), "");
  await writeFile(join(folder, "blobs", "ab", `${"c".repeat(64)}-5`), "wrong folder");
  const store = await DiskBlobStore.open({ folder, maxBytes: 1e6 });
  assert.deepEqual(await readdir(join(folder, "incoming")), []);
  assert.equal(store.usage.blobs, 0);
  await store.close();
});

test("leaves no file behind for a put that failed", async (t) => {
  const folder = await temporaryFolder(t);
  const store = await DiskBlobStore.open({ folder, maxBytes: 1e6 });
  const digest = digestOf(Buffer.from("right"));
  await assert.rejects(store.put(digest, [Buffer.from("wrong")]), { code: "ERR_HOMCC_DIGEST_MISMATCH" });
  assert.deepEqual(await readdir(join(folder, "incoming")), []);
  assert.deepEqual(store.usage.usedBytes, 0);
  await store.close();
});

test("one process at a time has the folder", async (t) => {
  const folder = await temporaryFolder(t);
  const store = await DiskBlobStore.open({ folder, maxBytes: 1e6 });
  const message = new RegExp(`${folder} is in use by process ${process.pid}`);
  await assert.rejects(DiskBlobStore.open({ folder, maxBytes: 1e6 }), {
    code: "ERR_HOMCC_CONFIGURATION",
    message,
  });
  await store.close();
  const again = await DiskBlobStore.open({ folder, maxBytes: 1e6 });
  await again.close();
});

test("takes over the lock of a process that is gone, or whose number another one has", async (t) => {
  const folder = await temporaryFolder(t);
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  for (const holder of [`${child.pid}:1:00000000`, `${process.pid}:1:00000000`, "1:1:00000000", "nonsense"]) {
    await symlink(holder, join(folder, "lock"));
    const store = await DiskBlobStore.open({ folder, maxBytes: 1e6 });
    assert.match(await readlink(join(folder, "lock")), new RegExp(`^${process.pid}:`));
    await store.close();
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith("lock")),
      [],
    );
  }
});

test("of many that open a folder with a stale lock exactly one gets it", async (t) => {
  const folder = await temporaryFolder(t);
  await symlink("1:1:00000000", join(folder, "lock"));
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, () => DiskBlobStore.open({ folder, maxBytes: 1e6 })),
  );
  const opened = results.filter((result) => result.status === "fulfilled");
  assert.equal(opened.length, 1);
  await opened[0]?.value.close();
});

test("a file as a lock, or a folder that cannot be made, is an error and no endless loop", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "lock"), "");
  await assert.rejects(DiskBlobStore.open({ folder, maxBytes: 1e6 }), { code: "EINVAL" });
  assert.equal(await readFile(join(folder, "lock"), "utf8"), "");
  await assert.rejects(DiskBlobStore.open({ folder: join(folder, "lock", "store"), maxBytes: 1e6 }));
});

test("a blob that is put again while it is being evicted stays", async (t) => {
  const folder = await temporaryFolder(t);
  const store = await DiskBlobStore.open({ folder, maxBytes: 400 * blockBytes });
  const small = Array.from({ length: 400 }, (_, number) => `blob ${number}`);
  const digests: Digest[] = [];
  for (const text of small) digests.push(await putText(store, text));
  const large = Buffer.alloc(300 * blockBytes);
  // Evicts 300 blobs, the last of them long after the others; some of those come back before their turn.
  const back = small.slice(280, 300);
  await Promise.all([store.put(digestOf(large), [large]), ...back.map((text) => putText(store, text))]);
  const missing = new Set(await store.findMissing(digests));
  for (const digest of digests) assert.equal(existsSync(fileOf(folder, digest)), !missing.has(digest));
  for (const digest of digests.slice(280, 300)) assert.ok(!missing.has(digest));
  await store.close();
});

test("a large blob that is only announced evicts nothing, and one that comes evicts as it comes", async (t) => {
  const folder = await temporaryFolder(t);
  await using store = await DiskBlobStore.open({ folder, maxBytes: 8 * blockBytes });
  const held = [await putText(store, "a"), await putText(store, "b"), await putText(store, "c")];
  const bytes = Buffer.alloc(7 * blockBytes, "x");
  const started = Promise.withResolvers<void>();
  const next = Promise.withResolvers<void>();
  async function* slowly(): AsyncGenerator<Uint8Array, void, undefined> {
    started.resolve();
    await next.promise;
    yield bytes;
  }
  const putting = store.put(digestOf(bytes), slowly());
  await started.promise;
  assert.deepEqual(await store.findMissing(held), []);
  await putText(store, "d"); // nothing is kept from others either
  next.resolve();
  await putting;
  assert.deepEqual(await store.findMissing(held), held);
  assert.deepEqual(await store.findMissing([digestOf(bytes)]), []);
  assert.equal(store.usage.usedBytes, 8 * blockBytes);
});

test("room is kept on the disk: older blobs make way, and what they are too small for is not taken", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root to mount a small file system");
  const folder = await mkdtemp(join(tmpdir(), "homcc-disk-store-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]);
  t.after(async () => {
    spawnSync("umount", [folder]);
    await rm(folder, { recursive: true });
  });
  if (mounted.status !== 0) return t.skip("needs the right to mount");
  const minFreeBytes = 1 << 20;
  await using store = await DiskBlobStore.open({ folder, maxBytes: 1 << 30, minFreeBytes });
  const digests: Digest[] = [];
  for (let n = 0; n < 20; n += 1) {
    digests.push(await putText(store, String(n).padEnd(400_000, "x")));
    const { bavail, bsize } = await statfs(folder);
    assert.ok(bavail * bsize >= minFreeBytes, `${bavail * bsize} after ${n}`);
  }
  const missing = await store.findMissing(digests);
  assert.deepEqual(missing, digests.slice(0, missing.length));
  assert.ok(missing.length > 10 && missing.length < 16, String(missing.length));
  await writeFile(join(folder, "of-somebody-else"), Buffer.alloc(1 << 19));
  await assert.rejects(putText(store, "y".repeat(7 << 19)), (error) =>
    hasCode(error, "ERR_HOMCC_STORE_FULL"),
  );
  assert.deepEqual(await store.findMissing(digests), missing, "evicted in vain");
});

test("for whom a blob counts outlives the process; without its log all count for nobody", async (t) => {
  const folder = await temporaryFolder(t);
  const options = { folder, maxBytes: 6 * blockBytes, maxBytesPerClient: () => 3 * blockBytes };
  const put = async (store: DiskBlobStore, text: string, client: string): Promise<Digest> => {
    await store.put(digestOf(Buffer.from(text)), [Buffer.from(text)], client);
    return digestOf(Buffer.from(text));
  };
  const first = await DiskBlobStore.open(options);
  const theirs = [await put(first, "a", "paired:alice b"), await put(first, "b", "paired:alice b")];
  for (const text of ["1", "2", "3", "4"]) await put(first, text, "address:::1");
  await first.close();
  await writeFile(join(folder, "owners.log"), "torn", { flag: "a" });
  const second = await DiskBlobStore.open(options);
  assert.equal(second.bytesOf("paired:alice b"), 2 * blockBytes);
  assert.equal(second.bytesOf("address:::1"), 4 * blockBytes);
  for (const text of ["5", "6", "7", "8", "9"]) await put(second, text, "address:::1");
  assert.deepEqual(await second.findMissing(theirs), []);
  await second.close();
  await rm(join(folder, "owners.log"));
  await using third = await DiskBlobStore.open(options);
  assert.equal(third.usage.blobs, 6);
  assert.equal(third.bytesOf("address:::1"), 0);
  await put(third, "10", "address:::1");
  assert.equal(third.bytesOf("address:::1"), blockBytes);
});

test("what is here already, and what comes with its digest, counts for who brings it; wrong bytes do not", async (t) => {
  await using store = await DiskBlobStore.open({ folder: await temporaryFolder(t), maxBytes: 1 << 20 });
  const digest = await putText(store, "text");
  await assert.rejects(store.put(digest, [Buffer.from("txet")], "alice"), {
    code: "ERR_HOMCC_DIGEST_MISMATCH",
  });
  assert.equal(store.bytesOf("alice"), 0);
  await store.put(digest, [Buffer.from("text")], "alice");
  await store.putHashed(digestOf(Buffer.from("other")), Buffer.from("other"), "alice");
  assert.equal(store.bytesOf("alice"), 2 * blockBytes);
});

test("what lies in a blob's place and is no file, or none that can be read, counts as missing and makes way", async (t) => {
  const folder = await temporaryFolder(t);
  const lines: string[] = [];
  const logger = createLogger(
    "INFO",
    (_level, text) => text,
    (line) => lines.push(line),
  );
  const options = { folder, maxBytes: 100 * blockBytes, logger };
  const first = await DiskBlobStore.open(options);
  const digests = [
    await putText(first, "a folder"),
    await putText(first, "a loop"),
    await putText(first, "a prefix"),
  ];
  await first.close();
  const [inFolder, inLoop, inPrefix] = digests.map((digest) => fileOf(folder, digest));
  assert.ok(inFolder !== undefined && inLoop !== undefined && inPrefix !== undefined);
  for (const path of [inFolder, inLoop]) await rm(path);
  await mkdir(join(inFolder, "more"), { recursive: true });
  await symlink(inLoop, inLoop);
  // All blobs whose names begin so.
  await rm(dirname(inPrefix), { recursive: true });
  await writeFile(dirname(inPrefix), "no folder");
  const store = await DiskBlobStore.open(options);
  for (const [index, text] of ["a folder", "a loop", "a prefix"].entries()) {
    const digest = digestOf(Buffer.from(text));
    if (index === 0) assert.equal(await store.fileOf(digest), undefined);
    assert.equal(await store.read(digest), undefined, text);
    assert.deepEqual(await store.findMissing([digest]), [digest]);
    await putText(store, text);
    assert.equal(String(await store.read(digest)), text);
  }
  assert.equal(lines.filter((line) => line.startsWith("dropped a damaged blob")).length, 2);
  await store.close();
});
