/** What every BlobStore has to do, run on each implementation. */
import assert from "node:assert/strict";
import { link, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { BlobStore } from "@homcc/cas/blob-store";
import { DeduplicatingBlobStore } from "@homcc/cas/deduplicating-blob-store";
import { type Digest, digestOf, emptyDigest, parseDigest } from "@homcc/cas/digest";
import { DiskBlobStore } from "@homcc/cas/disk-blob-store";
import { MemoryBlobStore } from "@homcc/cas/memory-blob-store";

interface Subject {
  readonly store: BlobStore;
  /** An empty folder for copies. */
  readonly folder: string;
}

type Open = (folder: string, maxBytes: number) => Promise<BlobStore & Partial<AsyncDisposable>>;

const implementations: Record<string, Open> = {
  memory: (_folder, maxBytes) => Promise.resolve(new MemoryBlobStore({ maxBytes })),
  disk: (folder, maxBytes) => DiskBlobStore.open({ folder, maxBytes }),
  "deduplicating disk": async (folder, maxBytes) => {
    const disk = await DiskBlobStore.open({ folder, maxBytes });
    return Object.assign(new DeduplicatingBlobStore(disk), {
      [Symbol.asyncDispose]: () => disk.close(),
    });
  },
};

const blockBytes = 4096;

/** Distinct content of exactly one block, so that a bound of N blocks holds N of them. */
function block(number: number): { readonly bytes: Uint8Array; readonly digest: Digest } {
  const bytes = new Uint8Array(blockBytes).fill(number);
  return { bytes, digest: digestOf(bytes) };
}

function text(content: string): { readonly bytes: Uint8Array; readonly digest: Digest } {
  const bytes = new TextEncoder().encode(content);
  return { bytes, digest: digestOf(bytes) };
}

async function* chunksOf(bytes: Uint8Array, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.byteLength; start += sizeBytes) {
    yield bytes.subarray(start, start + sizeBytes);
    await Promise.resolve();
  }
}

async function withStore(open: Open, maxBytes: number, run: Run): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-blobs-"));
  try {
    const store = await open(join(folder, "store"), maxBytes);
    await run({ store, folder });
    await store[Symbol.asyncDispose]?.();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Run = (subject: Subject) => Promise<void>;

function check(open: Open, title: string, maxBytes: number, run: Run): void {
  test(title, () => withStore(open, maxBytes, run));
}

for (const [name, open] of Object.entries(implementations)) {
  describe(`BlobStore: ${name}`, () => {
    check(open, "gives back what was put, in whatever pieces it came", 1e6, async ({ store }) => {
      const { bytes, digest } = text("int main() { return 0; }\n".repeat(500));
      assert.equal(await store.read(digest), undefined);
      await store.put(digest, chunksOf(bytes, 7));
      assert.deepEqual(Buffer.from((await store.read(digest)) ?? []), Buffer.from(bytes));
      await store.put(digest, [bytes]);
      assert.deepEqual(await store.findMissing([digest]), []);
    });

    check(open, "names what is missing once, whatever order", 1e6, async ({ store }) => {
      const [first, second, third] = [text("a"), text("b"), text("c")];
      await store.put(second.digest, [second.bytes]);
      const asked = [first.digest, second.digest, first.digest, third.digest, first.digest];
      assert.deepEqual(new Set(await store.findMissing(asked)), new Set([first.digest, third.digest]));
      assert.equal((await store.findMissing(asked)).length, 2);
    });

    check(open, "always has the empty blob and no other of no bytes", 1e6, async ({ store, folder }) => {
      const impostor = parseDigest(`${"0".repeat(64)}/0`);
      assert.ok(impostor);
      assert.deepEqual(await store.findMissing([emptyDigest, impostor]), [impostor]);
      assert.equal((await store.read(emptyDigest))?.byteLength, 0);
      assert.equal(await store.copyTo(emptyDigest, join(folder, "copy")), true);
      assert.equal((await stat(join(folder, "copy"))).size, 0);
      await store.put(emptyDigest, []);
      await assert.rejects(store.put(emptyDigest, [new Uint8Array(1)]), {
        code: "ERR_HOMCC_DIGEST_MISMATCH",
      });
      await assert.rejects(store.put(impostor, []), { code: "ERR_HOMCC_DIGEST_MISMATCH" });
    });

    check(open, "keeps nothing of content that is not the digest's", 1e6, async ({ store }) => {
      const { bytes, digest } = text("right");
      const wrong: Record<string, Uint8Array[]> = {
        other: [new TextEncoder().encode("wrong")],
        short: [bytes.subarray(1)],
        none: [],
        long: [bytes, new Uint8Array(1)],
      };
      for (const content of Object.values(wrong)) {
        await assert.rejects(store.put(digest, content), { code: "ERR_HOMCC_DIGEST_MISMATCH" });
        assert.deepEqual(await store.findMissing([digest]), [digest]);
      }
      await store.put(digest, [bytes]);
      await assert.rejects(store.put(digest, wrong["other"] ?? []), { code: "ERR_HOMCC_DIGEST_MISMATCH" });
      assert.deepEqual(Buffer.from((await store.read(digest)) ?? []), Buffer.from(bytes));
    });

    check(open, "takes bytes that were hashed, once and of their size", 1e6, async ({ store }) => {
      const { bytes, digest } = text("x".repeat(10_000));
      await assert.rejects(store.putHashed(digest, bytes.subarray(1)), {
        code: "ERR_HOMCC_DIGEST_MISMATCH",
      });
      assert.deepEqual(await store.findMissing([digest]), [digest]);
      await Promise.all([store.putHashed(digest, bytes), store.putHashed(digest, bytes)]);
      await store.putHashed(digest, bytes);
      bytes.fill(0);
      assert.equal(Buffer.from((await store.read(digest)) ?? []).toString(), "x".repeat(10_000));
      await store.putHashed(emptyDigest, new Uint8Array());
    });

    check(open, "lends a file only of what it holds", 1e6, async ({ store }) => {
      const { bytes, digest } = text("x".repeat(10_000));
      assert.equal(await store.fileOf(digest), undefined);
      await store.put(digest, [bytes]);
      const file = await store.fileOf(digest);
      if (file === undefined) return assert.equal(name, "memory");
      assert.equal(await readFile(file, "utf8"), "x".repeat(10_000));
      await writeFile(file, "y".repeat(10_000));
      assert.equal(await store.fileOf(digest), undefined);
      assert.deepEqual(await store.findMissing([digest]), [digest]);
    });

    check(open, "stops reading at the first byte too many", 1e6, async ({ store }) => {
      let yielded = 0;
      const endless = function* (): Generator<Uint8Array> {
        for (;;) {
          yielded += 1;
          yield new Uint8Array(10);
        }
      };
      await assert.rejects(store.put(text("x".repeat(25)).digest, endless()), {
        code: "ERR_HOMCC_DIGEST_MISMATCH",
      });
      assert.equal(yielded, 3);
    });

    check(
      open,
      "passes on the failure of a source and can be given the blob again",
      1e6,
      async ({ store }) => {
        const { bytes, digest } = text("broken off");
        const breaking = async function* (): AsyncGenerator<Uint8Array> {
          yield bytes.subarray(0, 4);
          await Promise.reject(new Error("line lost"));
        };
        await assert.rejects(store.put(digest, breaking()), /line lost/);
        assert.deepEqual(await store.findMissing([digest]), [digest]);
        await store.put(digest, [bytes]);
        assert.deepEqual(await store.findMissing([digest]), []);
      },
    );

    check(open, "copies to an inode of its own and never over a file", 1e6, async ({ store, folder }) => {
      const { bytes, digest } = text("#pragma once\n");
      const [one, two] = [join(folder, "one.h"), join(folder, "two.h")];
      assert.equal(await store.copyTo(digest, one), false);
      assert.deepEqual(
        (await readdir(folder)).filter((entry) => entry !== "store"),
        [],
      );
      await store.put(digest, [bytes]);
      assert.equal(await store.copyTo(digest, one), true);
      assert.equal(await store.copyTo(digest, two), true);
      assert.notEqual((await stat(one)).ino, (await stat(two)).ino);
      assert.equal((await stat(one)).nlink, 1);
      await writeFile(one, "changed by the job");
      assert.deepEqual(await readFile(two), Buffer.from(bytes));
      assert.deepEqual(Buffer.from((await store.read(digest)) ?? []), Buffer.from(bytes));
      await link(two, join(folder, "three.h"));
      await assert.rejects(store.copyTo(digest, two), { code: "EEXIST" });
      await assert.rejects(store.copyTo(digest, join(folder, "no/such/folder")));
      assert.deepEqual(await store.findMissing([digest]), []);
    });

    check(open, "takes many puts of one blob at once", 2e7, async ({ store }) => {
      for (const { bytes, digest } of [text("small"), text("large".repeat(100_000))]) {
        await Promise.all(Array.from({ length: 20 }, () => store.put(digest, chunksOf(bytes, 65_536))));
        assert.deepEqual(Buffer.from((await store.read(digest)) ?? []), Buffer.from(bytes));
      }
    });

    check(open, "a wrong put beside a right one fails alone", 1e6, async ({ store }) => {
      const { bytes, digest } = text("shared");
      const results = await Promise.allSettled([
        store.put(digest, [new TextEncoder().encode("forged")]),
        store.put(digest, chunksOf(bytes, 1)),
        store.put(digest, []),
      ]);
      assert.deepEqual(
        results.map(({ status }) => status),
        ["rejected", "fulfilled", "rejected"],
      );
      assert.deepEqual(Buffer.from((await store.read(digest)) ?? []), Buffer.from(bytes));
    });

    check(open, "makes room by dropping what was not used for longest", 3 * blockBytes, async ({ store }) => {
      const [a, b, c, d, e] = [block(1), block(2), block(3), block(4), block(5)];
      for (const { bytes, digest } of [a, b, c]) await store.put(digest, [bytes]);
      await store.read(a.digest);
      await store.put(d.digest, [d.bytes]);
      assert.deepEqual(await store.findMissing([b.digest]), [b.digest]);
      await store.findMissing([c.digest]);
      await store.put(e.digest, [e.bytes]);
      assert.deepEqual(await store.findMissing([a, b, c, d, e].map(({ digest }) => digest)), [
        a.digest,
        b.digest,
      ]);
    });

    check(
      open,
      "never drops what is pinned, also what came after the pin",
      3 * blockBytes,
      async ({ store }) => {
        const [a, b, c, d] = [block(1), block(2), block(3), block(4)];
        await store.put(a.digest, [a.bytes]);
        const pin = store.pin([a.digest, b.digest]);
        const again = store.pin([b.digest]);
        for (const { bytes, digest } of [b, c, d]) await store.put(digest, [bytes]);
        assert.deepEqual(await store.findMissing([a.digest, b.digest, d.digest]), []);
        assert.deepEqual(await store.findMissing([c.digest]), [c.digest]);
        pin.release();
        pin.release();
        await store.put(c.digest, [c.bytes]);
        assert.deepEqual(await store.findMissing([a.digest]), [a.digest]);
        await store.findMissing([c.digest, d.digest]);
        await store.put(a.digest, [a.bytes]);
        assert.deepEqual(await store.findMissing([b.digest]), [], "still pinned by the second pin");
        again.release();
      },
    );

    check(open, "refuses what cannot fit and keeps the rest", 2 * blockBytes, async ({ store }) => {
      const [a, b, c] = [block(1), block(2), block(3)];
      const huge = text("x".repeat(3 * blockBytes));
      await store.put(a.digest, [a.bytes]);
      await assert.rejects(store.put(huge.digest, [huge.bytes]), { code: "ERR_HOMCC_STORE_FULL" });
      await store.put(b.digest, [b.bytes]);
      const pin = store.pin([a.digest, b.digest]);
      await assert.rejects(store.put(c.digest, [c.bytes]), { code: "ERR_HOMCC_STORE_FULL" });
      assert.deepEqual(await store.findMissing([a.digest, b.digest]), []);
      pin.release();
      await store.put(c.digest, [c.bytes]);
      assert.deepEqual(await store.findMissing([c.digest]), []);
    });

    check(open, "stays within its bound when many come at once", 4 * blockBytes, async ({ store }) => {
      const blobs = Array.from({ length: 40 }, (_, number) => block(number));
      const results = await Promise.allSettled(
        blobs.map(({ bytes, digest }) => store.put(digest, chunksOf(bytes, 1000))),
      );
      for (const result of results) {
        if (result.status === "rejected") {
          assert.equal(result.reason.code, "ERR_HOMCC_STORE_FULL");
        }
      }
      const held = [];
      for (const { digest } of blobs) if ((await store.read(digest)) !== undefined) held.push(digest);
      assert.ok(held.length > 0 && held.length <= 4, `${held.length} blobs`);
    });
  });
}
