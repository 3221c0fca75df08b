/** Who loses what when a store is full: random uses of it against rules that hold for every order of eviction. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import * as fc from "fast-check";
import { chargeOf } from "./charge.ts";
import { type Digest, digestOf, parseDigest } from "./digest.ts";
import { LruIndex } from "./lru-index.ts";
import { StorageAccounts } from "./storage-accounts.ts";

const blockBytes = 4096;

/** A digest of so many blocks; the content does not matter here. */
function blobOf(name: string, blocks = 1): Digest {
  const hash = digestOf(Buffer.from(name)).split("/")[0];
  const digest = parseDigest(`${hash}/${blocks * blockBytes}`);
  assert.ok(digest !== undefined);
  return digest;
}

function indexOf(maxBlocks: number, limitBlocks: number, maxClients = 100): LruIndex<number> {
  const accounts = new StorageAccounts({ maxBytesPerClient: () => limitBlocks * blockBytes, maxClients });
  return new LruIndex<number>(maxBlocks * blockBytes, { accounts });
}

/** As a store does it. */
function put(index: LruIndex<number>, digest: Digest, client?: string): readonly Digest[] {
  const reservation = index.reserve(digest, client);
  try {
    const victims = reservation.grow(chargeOf(digest));
    reservation.release();
    index.set(digest, 0);
    if (client !== undefined) index.countFor(client, digest);
    return victims;
  } finally {
    reservation.release();
  }
}

function isFull(error: unknown): boolean {
  return hasCode(error, "ERR_HOMCC_STORE_FULL");
}

test("nothing goes while there is room; then a client beyond its limit loses its own, oldest use first", () => {
  const index = indexOf(8, 4);
  const [alice1, alice2] = [blobOf("alice 1"), blobOf("alice 2")];
  put(index, alice1, "alice");
  put(index, alice2, "alice");
  const own = Array.from({ length: 6 }, (_, number) => blobOf(`greedy ${number}`));
  for (const digest of own) assert.deepEqual(put(index, digest, "greedy"), []);
  assert.equal(index.accounts.bytesOf("greedy"), 6 * blockBytes);
  const [first, second, third] = own;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  index.touch(first);
  assert.deepEqual(put(index, blobOf("more"), "greedy"), [second]);
  assert.deepEqual(put(index, blobOf("alice 3"), "alice"), [third], "whoever needs the room");
  assert.ok(index.has(alice1) && index.has(alice2));
});

test("a store of small blobs holds no more of them than its index may know, whatever their sizes leave free", () => {
  const index = new LruIndex<number>(1000 * blockBytes, { maxBlobs: 10 });
  const digests = Array.from({ length: 15 }, (_, number) => blobOf(`small ${number}`));
  for (const digest of digests) put(index, digest);
  assert.deepEqual([...index.digests()], digests.slice(5));
  put(index, blobOf("large", 900));
  assert.equal(index.size, 2, "a large one counts as what it takes");
  for (let number = 0; number < 30; number += 1) put(index, blobOf(`later ${number}`));
  assert.equal(index.size, 10);
  assert.equal(index.evict(2 * blockBytes).length, 2, "a full disk is given back what they take of it");
});

test("three times a store of one client, in large blobs or in small ones, takes nothing of another's share", () => {
  for (const blocks of [1, 3, 40]) {
    const index = indexOf(100, 50);
    const theirs = Array.from({ length: 45 }, (_, number) => blobOf(`theirs ${number}`));
    for (const digest of theirs) put(index, digest, "modest");
    for (let number = 0; number * blocks < 300; number += 1)
      put(index, blobOf(`${number}`, blocks), "greedy");
    assert.deepEqual(index.findMissing(theirs), [], `blobs of ${blocks} blocks`);
    assert.throws(() => put(index, blobOf("too large", 60), "greedy"), isFull);
    assert.deepEqual(index.findMissing(theirs), []);
  }
});

test("what is being written counts: a blob of which the end never comes pushes nobody out", () => {
  const index = indexOf(10, 5);
  const theirs = Array.from({ length: 5 }, (_, number) => blobOf(`theirs ${number}`));
  for (const digest of theirs) put(index, digest, "modest");
  const endless = Array.from({ length: 6 }, (_, number) => blobOf(`endless ${number}`, 2));
  const open = endless.flatMap((digest) => {
    try {
      const reservation = index.reserve(digest, "greedy");
      reservation.grow(2 * blockBytes - 1);
      return [reservation];
    } catch (error) {
      assert.ok(isFull(error));
      return [];
    }
  });
  assert.equal(open.length, 2);
  assert.deepEqual(index.findMissing(theirs), []);
  for (const reservation of open) reservation.release();
  assert.deepEqual(put(index, blobOf("after"), "greedy"), []);
});

test("pinned blobs of a client beyond its limit stay; it gets no more then but what counts for nobody", () => {
  const index = indexOf(6, 2);
  const [nobodys, theirs] = [blobOf("nobody's"), blobOf("theirs")];
  put(index, nobodys);
  put(index, theirs, "modest");
  const own = Array.from({ length: 4 }, (_, number) => blobOf(`greedy ${number}`));
  for (const digest of own) put(index, digest, "greedy");
  const pin = index.pin(own);
  assert.deepEqual(put(index, blobOf("a"), "greedy"), [nobodys]);
  index.pin([blobOf("a")]);
  assert.throws(() => put(index, blobOf("b"), "greedy"), isFull);
  assert.ok(index.has(theirs));
  pin.release();
  assert.deepEqual(put(index, blobOf("b"), "greedy"), [own[0]]);
});

test("what another uses, too, counts for that one when the first has too much, and so on", () => {
  const index = indexOf(8, 4);
  const shared = [blobOf("shared 1"), blobOf("shared 2")];
  for (const digest of shared) put(index, digest, "greedy");
  for (const digest of shared) index.countFor("modest", digest);
  for (let number = 0; number < 40; number += 1) put(index, blobOf(`${number}`), "greedy");
  assert.deepEqual(index.findMissing(shared), []);
  assert.equal(index.accounts.bytesOf("modest"), 2 * blockBytes);
  assert.equal(index.accounts.bytesOf("greedy"), 6 * blockBytes);
});

test("two that bring the same have two limits, and no more", () => {
  const index = indexOf(100, 20);
  const theirs = Array.from({ length: 50 }, (_, number) => blobOf(`theirs ${number}`));
  for (const [number, digest] of theirs.entries()) put(index, digest, `modest ${number % 5}`);
  for (let number = 0; number < 300; number += 1) {
    const digest = blobOf(`${number}`);
    put(index, digest, number % 2 === 0 ? "one" : "two");
    index.countFor(number % 2 === 0 ? "two" : "one", digest);
  }
  assert.deepEqual(index.findMissing(theirs), []);
});

test("where the disk is full before the store, the limit is that share of what there is", () => {
  const index = indexOf(100, 50);
  const theirs = Array.from({ length: 10 }, (_, number) => blobOf(`theirs ${number}`));
  for (const digest of theirs) put(index, digest, "modest");
  for (let number = 0; number < 30; number += 1) put(index, blobOf(`${number}`), "greedy");
  assert.equal(index.evict(10 * blockBytes, "greedy").length, 10);
  assert.deepEqual(index.findMissing(theirs), []);
});

test("of clients without number some thousand are told apart; what counted for the others counts for nobody", () => {
  const index = indexOf(1000, 500, 16);
  for (let number = 0; number < 100; number += 1) put(index, blobOf(`${number}`), `client ${number}`);
  assert.ok(index.accounts.size <= 16);
  assert.equal(index.accounts.ownerOf(blobOf("99")), "client 99");
  assert.equal(index.accounts.ownerOf(blobOf("0")), undefined);
  assert.equal(index.size, 100);
  index.countFor("new", blobOf("0"));
  assert.equal(index.accounts.bytesOf("new"), blockBytes);
});

const clients = ["a", "b", "c"] as const;
const step = fc.record({
  kind: fc.constantFrom("put", "put", "put", "countFor", "touch", "delete", "pin" as const),
  blob: fc.nat(19),
  client: fc.constantFrom(...clients, undefined),
});
const blobs = Array.from({ length: 20 }, (_, number) => blobOf(`blob ${number}`, (number % 3) + 1));

test("whatever happens, sums are right, and nobody within the limit loses anything to somebody beyond", () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 10, maxLength: 80 }),
      fc.integer({ min: 1, max: 9 }),
      (steps, limit) => {
        const index = indexOf(12, limit);
        let pin = index.pin([]);
        let pinned: readonly Digest[] = [];
        for (const { kind, blob, client } of steps) {
          const digest = blobs[blob];
          assert.ok(digest !== undefined);
          if (kind === "countFor" && client !== undefined) index.countFor(client, digest);
          else if (kind === "touch") index.touch(digest);
          else if (kind === "delete") index.delete(digest);
          else if (kind === "pin") {
            pin.release();
            pinned = [digest, ...blobs.slice(0, blob % 4)];
            pin = index.pin(pinned);
          } else if (kind === "put" && !index.has(digest)) putChecked(index, digest, client, limit, pinned);
          checkSums(index);
        }
      },
    ),
    { numRuns: 400 },
  );
});

function putChecked(
  index: LruIndex<number>,
  digest: Digest,
  client: string | undefined,
  limit: number,
  pinned: readonly Digest[],
): void {
  const order = [...index.digests()];
  const before = new Map(order.map((held) => [held, index.accounts.ownerOf(held)]));
  const usedBytes = index.usedBytes;
  let victims: readonly Digest[];
  try {
    victims = put(index, digest, client);
  } catch (error) {
    assert.ok(isFull(error));
    assert.deepEqual([...index.digests()], order, "a refusal evicts nothing");
    return;
  }
  const freed = victims.reduce((sum, victim) => sum + chargeOf(victim), 0);
  const neededBytes = usedBytes + chargeOf(digest) - index.maxBytes;
  assert.ok(freed >= neededBytes);
  assert.ok(
    victims.length === 0 || freed - chargeOf(victims.at(-1) ?? digest) < neededBytes,
    "no more than needed",
  );
  assert.ok(victims.every((victim) => !pinned.includes(victim)));
  if (client === undefined || index.accounts.bytesOf(client) <= limit * blockBytes) return;
  // It has more than its limit even now: what went was its own, of others beyond theirs, or nobody's.
  for (const victim of victims) {
    const owner = before.get(victim);
    if (owner === undefined || owner === client) continue;
    const lost = victims
      .filter((each) => before.get(each) === owner)
      .reduce((sum, each) => sum + chargeOf(each), 0);
    const hadBytes = index.accounts.bytesOf(owner) + lost;
    assert.ok(hadBytes > limit * blockBytes, `${owner} had ${hadBytes}`);
  }
}

function checkSums(index: LruIndex<number>): void {
  assert.ok(index.usedBytes <= index.maxBytes);
  for (const client of clients) {
    const own = [...index.digests()].filter((digest) => index.accounts.ownerOf(digest) === client);
    assert.equal(
      index.accounts.bytesOf(client),
      own.reduce((sum, digest) => sum + chargeOf(digest), 0),
    );
    const inUse = [...index.accounts.of(client).digests];
    assert.deepEqual(new Set(inUse), new Set(own));
    for (const digest of index.accounts.of(client).shared) assert.ok(own.includes(digest));
  }
}
