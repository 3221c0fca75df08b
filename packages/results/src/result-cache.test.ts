import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import type { Action, ActionResult } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import { DigestIndex } from "@homcc/cas/digest-index";
import { MemoryBlobStore } from "@homcc/cas/memory-blob-store";
import { silentLogger } from "@homcc/observability/log";
import { actionIn } from "./action.fixture.ts";
import { ResultCache } from "./result-cache.ts";
import { resultKeysOf } from "./result-keys.ts";

const [alice, bob] = ["/home/alice/project", "/srv/bob/p"];
const reusable = { kind: "reusable", mentionsName: false, mentionsTypeName: false } as const;
let folder: string;
let store: MemoryBlobStore;
let cache: ResultCache;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  store = new MemoryBlobStore();
  const index = await DigestIndex.open(join(folder, "index"), silentLogger);
  cache = await ResultCache.open({ store, index, folder: join(folder, "results"), logger: silentLogger });
});
afterEach(() => rm(folder, { recursive: true }));

async function keep(
  action: Action,
  object: string | Uint8Array,
  stderr = "",
  client?: string,
): Promise<void> {
  const file = join(folder, "object");
  await writeFile(file, object);
  const outputs = action.outputs.map(({ path }) => ({ path, file, mode: 0o644 }));
  const result = { stdout: Buffer.alloc(0), stderr: Buffer.from(stderr), outputs };
  const whose = client === undefined ? {} : { client };
  await cache.keep(action, resultKeysOf(action, "namespace"), reusable, { ...result, ...whose });
}

async function find(action: Action): Promise<ActionResult | string | undefined> {
  const keys = resultKeysOf(action, "namespace");
  const lookup = await cache.find(action, keys);
  return lookup.kind === "found" ? await cache.restore(lookup.kept, keys.root) : lookup.note;
}

test("a result is found by its own action and by that of another checkout, at that one's path", async () => {
  assert.equal(await find(actionIn(alice)), undefined);
  await keep(actionIn(alice), "object");
  for (const root of [alice, bob]) {
    const result = await find(actionIn(root));
    assert.ok(typeof result === "object");
    await using _result = result;
    const [output] = result.outputs;
    assert.ok(output?.kind === "written");
    assert.deepEqual([output.path, output.sizeBytes, output.mode], [`${root}/build/a.o`, 6, 0o644]);
    assert.equal(await readFile(output.file, "utf8"), "object");
    await result[Symbol.asyncDispose]();
    await assert.rejects(readFile(output.file));
  }
});

test("all that is kept of a result counts for the client whose job it was", async () => {
  const clients: (string | undefined)[] = [];
  const putHashed = store.putHashed.bind(store);
  store.putHashed = (digest, bytes, client?: string) => {
    clients.push(client);
    return putHashed(digest, bytes);
  };
  await keep(actionIn(alice), "object", "warning: x", "paired:alice");
  assert.ok(clients.length > 3);
  assert.deepEqual(new Set(clients), new Set(["paired:alice"]));
});

test("a result that names its folder serves that folder, and says why to others", async () => {
  await keep(actionIn(alice), `comp_dir ${alice}/build`);
  assert.equal(typeof (await find(actionIn(alice))), "object");
  const note = await find(actionIn(bob));
  assert.ok(typeof note === "string");
  assert.match(note, /its \.o file names its folder/);
});

test("messages are given to those who would have got the same", async () => {
  await keep(actionIn(alice), "object", "warning: x");
  const german = { environment: { ...actionIn(bob).environment, LC_ALL: "de_DE.UTF-8" } };
  assert.equal(typeof (await find(actionIn(bob))), "object");
  assert.equal(await find(actionIn(bob, german)), undefined);
});

test("a compressed section that cannot be read binds the result", async () => {
  const object = Buffer.alloc(300);
  object.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  object.writeBigUInt64LE(64n, 40);
  object.writeUInt16LE(64, 58);
  object.writeUInt16LE(1, 60);
  object.writeBigUInt64LE(0x800n, 64 + 8);
  object.writeBigUInt64LE(1000n, 64 + 24);
  await keep(actionIn(alice), object);
  assert.equal(typeof (await find(actionIn(alice))), "object");
  assert.equal(typeof (await find(actionIn(bob))), "string");
});

test("today's date in an object keeps it out", async () => {
  const [, month, day, year] = new Date().toString().split(" ");
  await keep(actionIn(alice), `built ${month} ${String(Number(day)).padStart(2)} ${year}`);
  assert.equal(await find(actionIn(alice)), undefined);
});

test("what was evicted or damaged is not found", async () => {
  await keep(actionIn(alice), "object");
  store.copyTo = () => Promise.resolve(false);
  assert.equal(await find(actionIn(alice)), undefined);
});

test("the packed form of an output is kept beside it, for every folder and the next process", async () => {
  const index = await DigestIndex.open(join(folder, "index"), silentLogger);
  const pack = (bytes: Uint8Array) => Promise.resolve(Buffer.concat([Buffer.from("packed "), bytes]));
  const options = { store, index, folder: join(folder, "results"), logger: silentLogger };
  cache = await ResultCache.open({ ...options, pack });
  await keep(actionIn(alice), "object");
  const packed = digestOf(Buffer.from("packed object"));
  assert.deepEqual(await store.findMissing([packed]), []);
  cache = await ResultCache.open(options);
  const result = await find(actionIn(bob));
  assert.ok(typeof result === "object");
  await using _result = result;
  assert.ok(result.outputs[0]?.kind === "written");
  assert.equal(result.outputs[0].packed, packed);
});

test("an entry that was evicted is not found, although it was looked at before", async () => {
  await keep(actionIn(alice), "object");
  assert.equal(typeof (await find(actionIn(alice))), "object");
  store.findMissing = (digests) => Promise.resolve([...digests]);
  store.read = () => Promise.resolve(undefined);
  assert.equal(await find(actionIn(alice)), undefined);
});

test("a result whose sources look at their names is others' once it was shown that nothing comes of it", async () => {
  const action = actionIn(alice);
  const file = join(folder, "object");
  await writeFile(file, "object");
  const outputs = action.outputs.map(({ path }) => ({ path, file, mode: 0o644 }));
  const made = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), outputs };
  const keepAgain = () =>
    cache.keep(action, resultKeysOf(action, "namespace"), { ...reusable, mentionsName: true }, made);
  const shareable = await keepAgain();
  assert.deepEqual(shareable?.unproven, {
    action,
    root: alice,
    object: { path: `${alice}/build/a.o`, digest: digestOf(Buffer.from("object")), mode: 0o644 },
  });
  assert.equal(typeof (await find(action)), "object");
  assert.equal(await find(actionIn(bob)), "its name (__FILE__) may be in it: not yet looked into");
  assert.ok(await keepAgain(), "not yet settled");
  await shareable.settle("because");
  assert.equal(await find(actionIn(bob)), "because");
  assert.equal(await keepAgain(), undefined, "settled");
  await shareable.settle(undefined);
  assert.equal(typeof (await find(actionIn(bob))), "object");
  assert.equal(await keepAgain(), undefined, "settled");
  store.findMissing = (digests) => Promise.resolve([...digests]);
  assert.ok(await keepAgain(), "evicted");
});
