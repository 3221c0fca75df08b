/** Random operations, restarts and damage included, against a model that fits on a page. */
import assert from "node:assert/strict";
import { mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Pin } from "./blob-store.ts";
import { type Digest, digestOf, hashOf, sizeBytesOf } from "./digest.ts";
import { DiskBlobStore } from "./disk-blob-store.ts";

const blockBytes = 4096;
const maxBlocks = 6;
/** Sizes of 1, 2, 3 and 4 blocks in turn. */
const blobs = Array.from({ length: 10 }, (_, number) => {
  const bytes = new Uint8Array(blockBytes * (number % 4) + 100 + number).fill(number);
  return { bytes, digest: digestOf(bytes), blocks: (number % 4) + 1 };
});

/** Held blobs, least recently used first; what is damaged still counts as held until somebody looks. */
class Model {
  held: number[] = [];
  readonly damaged = new Set<number>();
  pinned: number[] = [];

  touch(number: number): boolean {
    const here = this.held.includes(number);
    if (here) this.held = [...this.held.filter((other) => other !== number), number];
    return here;
  }

  /** False when there is no room. */
  put(number: number): boolean {
    if (this.touch(number)) return true;
    let free = maxBlocks - sum(this.held) - sum([number]);
    const victims: number[] = [];
    for (const candidate of this.held) {
      if (free >= 0) break;
      if (this.pinned.includes(candidate)) continue;
      victims.push(candidate);
      free += sum([candidate]);
    }
    if (free < 0) return false;
    this.drop(victims);
    this.held.push(number);
    return true;
  }

  /** True when an intact blob is there; a damaged one is gone afterwards. */
  use(number: number): boolean {
    if (!this.touch(number)) return false;
    if (!this.damaged.has(number)) return true;
    this.drop([number]);
    return false;
  }

  drop(numbers: readonly number[]): void {
    this.held = this.held.filter((number) => !numbers.includes(number));
    for (const number of numbers) this.damaged.delete(number);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + blob(number).blocks, 0);
}

function blob(number: number): (typeof blobs)[number] {
  const found = blobs[number];
  assert.ok(found);
  return found;
}

const operation = fc.tuple(
  fc.constantFrom("put", "put", "put", "find", "read", "copy", "damage", "pin", "unpin", "restart" as const),
  fc.nat(blobs.length - 1),
);

test("behaves like the model", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 40 }), async (operations) => {
      const folder = await mkdtemp(join(tmpdir(), "homcc-model-"));
      const options = { folder, maxBytes: maxBlocks * blockBytes };
      const model = new Model();
      let store = await DiskBlobStore.open(options);
      let pin: Pin = store.pin([]);
      try {
        for (const [kind, number] of operations) {
          const { bytes, digest } = blob(number);
          if (kind === "put") {
            const expected = model.put(number);
            if (expected) await store.put(digest, [bytes]);
            else await assert.rejects(store.put(digest, [bytes]), { code: "ERR_HOMCC_STORE_FULL" });
          } else if (kind === "find") {
            assert.deepEqual(await store.findMissing([digest]), model.touch(number) ? [] : [digest]);
          } else if (kind === "read") {
            const expected = model.use(number) ? bytes : undefined;
            assert.deepEqual(asArray(await store.read(digest)), asArray(expected));
          } else if (kind === "copy") {
            assert.equal(await store.copyTo(digest, join(folder, "copy")), model.use(number));
            await rm(join(folder, "copy"), { force: true });
          } else if (kind === "damage" && model.held.includes(number)) {
            await truncate(fileOf(folder, digest), bytes.byteLength - 1);
            model.damaged.add(number);
          } else if (kind === "pin") {
            pin.release();
            model.pinned = [number, (number + 1) % blobs.length];
            pin = store.pin(model.pinned.map((pinned) => blob(pinned).digest));
          } else if (kind === "unpin") {
            pin.release();
            model.pinned = [];
          } else if (kind === "restart") {
            pin.release();
            model.pinned = [];
            await store.close();
            store = await DiskBlobStore.open(options);
          }
          assert.equal(store.usage.usedBytes, sum(model.held) * blockBytes);
        }
        const missing = new Set(await store.findMissing(blobs.map(({ digest }) => digest)));
        const held = blobs.flatMap(({ digest }, number) => (missing.has(digest) ? [] : [number]));
        assert.deepEqual(new Set(held), new Set(model.held));
      } finally {
        await store.close();
        await rm(folder, { recursive: true, force: true });
      }
    }),
    { numRuns: 100 },
  );
});

function asArray(bytes: Uint8Array | undefined): number[] | undefined {
  return bytes === undefined ? undefined : [...bytes];
}

function fileOf(folder: string, digest: Digest): string {
  const hash = hashOf(digest);
  return join(folder, "blobs", hash.slice(0, 2), `${hash}-${sizeBytesOf(digest)}`);
}
