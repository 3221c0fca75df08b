import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, realpath, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { type Digest, digestOf } from "./digest.ts";
import { LocalFileAdoption } from "./local-file-adoption.ts";
import { MemoryBlobStore } from "./memory-blob-store.ts";

interface Fixture {
  readonly folder: string;
  readonly store: MemoryBlobStore;
  readonly adoption: LocalFileAdoption;
  readonly write: (name: string, text: string) => Promise<Digest>;
  /** Whether `digest` is in the store after adopting it from `name`. */
  readonly adopts: (name: string, digest: Digest) => Promise<boolean>;
}

/** `FOLDER/usr/include` is a configured folder, the rest of FOLDER is not. */
async function fixture(t: TestContext): Promise<Fixture> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "homcc-adoption-")));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "usr/include/sys"), { recursive: true });
  const store = new MemoryBlobStore();
  const adoption = new LocalFileAdoption({
    store,
    folders: [join(folder, "usr/include"), "/no/such/folder"],
  });
  return {
    folder,
    store,
    adoption,
    write: async (name, text) => {
      await writeFile(join(folder, name), text);
      return digestOf(Buffer.from(text));
    },
    adopts: async (name, digest) => {
      await adoption.adopt([{ path: join(folder, name), digest }]);
      return (await store.findMissing([digest])).length === 0;
    },
  };
}

test("takes in a file that is the client's", async (t) => {
  const { write, adopts, store } = await fixture(t);
  const digest = await write("usr/include/sys/types.h", "typedef int pid_t;\n");
  assert.equal(await adopts("usr/include/sys/types.h", digest), true);
  assert.equal(Buffer.from((await store.read(digest)) ?? []).toString(), "typedef int pid_t;\n");
});

test("leaves what differs, by size or only by content, and what is not there", async (t) => {
  const { write, adopts } = await fixture(t);
  await write("usr/include/a.h", "ours");
  for (const theirs of ["their version", "hers"]) {
    assert.equal(await adopts("usr/include/a.h", digestOf(Buffer.from(theirs))), false);
  }
  assert.equal(await adopts("usr/include/b.h", digestOf(Buffer.from("x"))), false);
  assert.equal(await adopts("usr/include/sys", digestOf(Buffer.from("x"))), false);
});

test("stays inside its folders, links and dots included", async (t) => {
  const { folder, write, adopts } = await fixture(t);
  const secret = await write("secret", "secret");
  await symlink("../../secret", join(folder, "usr/include/link.h"));
  await symlink("../..", join(folder, "usr/include/up"));
  for (const path of [
    "secret",
    "usr/include/link.h",
    "usr/include/up/secret",
    "usr/include/../../secret",
    "usr/include/./../../secret",
    "usr/includes/../../secret",
  ]) {
    assert.equal(await adopts(path, secret), false, path);
  }
  const header = await write("usr/include/real.h", "real");
  await symlink("real.h", join(folder, "usr/include/alias.h"));
  assert.equal(await adopts("usr/include/alias.h", header), true);
});

test("does not hang at a pipe", async (t) => {
  const { folder, adopts } = await fixture(t);
  await promisify(execFile)("mkfifo", [join(folder, "usr/include/pipe.h")]);
  assert.equal(await adopts("usr/include/pipe.h", digestOf(Buffer.from("x"))), false);
});

test("sees a change of a file whose digest it knew", async (t) => {
  const { folder, write, adopts } = await fixture(t);
  const path = join(folder, "usr/include/a.h");
  const before = await write("usr/include/a.h", "before");
  await utimes(path, 1000, 1000);
  assert.equal(await adopts("usr/include/a.h", digestOf(Buffer.from("after!"))), false);
  const after = await write("usr/include/a.h", "after!");
  await utimes(path, 1000, 1000);
  assert.equal(await adopts("usr/include/a.h", before), false);
  assert.equal(await adopts("usr/include/a.h", after), true);
  await truncate(path);
  assert.equal(await adopts("usr/include/a.h", after), true, "the store keeps its own copy");
});

test("takes many at once, from the first of several paths that fits", async (t) => {
  const { folder, adoption, store, write } = await fixture(t);
  const texts = Array.from({ length: 100 }, (_, number) => `#define N ${number}\n`);
  const files = await Promise.all(
    texts.map(async (text, number) => ({
      path: join(folder, `usr/include/${number}.h`),
      digest: await write(`usr/include/${number}.h`, text),
    })),
  );
  const elsewhere = files.map(({ digest }) => ({ path: join(folder, "usr/include/moved.h"), digest }));
  await Promise.all([adoption.adopt([...elsewhere, ...files]), adoption.adopt(files)]);
  assert.deepEqual(await store.findMissing(files.map(({ digest }) => digest)), []);
});

test("a store without room is no failure of the adoption", async (t) => {
  const { folder, write } = await fixture(t);
  const digest = await write("usr/include/a.h", "does not fit");
  const adoption = new LocalFileAdoption({
    store: new MemoryBlobStore({ maxBytes: 0 }),
    folders: [join(folder, "usr/include")],
  });
  await adoption.adopt([{ path: join(folder, "usr/include/a.h"), digest }]);
});

test("knows what everybody may read, also what the store has already; not what only some may, or may not reach", async (t) => {
  const { folder, adoption, store, write, adopts } = await fixture(t);
  const inStore = await write("usr/include/a.h", "in the store");
  await store.put(inStore, [Buffer.from("in the store")]);
  await adopts("usr/include/a.h", inStore);
  assert.equal(adoption.isPublic(inStore), false, "the folder for temporary files is private");
  await chmod(folder, 0o755);
  await adopts("usr/include/a.h", inStore);
  assert.equal(adoption.isPublic(inStore), true);
  const guarded = await write("usr/include/b.h", "for a group");
  await chmod(join(folder, "usr/include/b.h"), 0o640);
  assert.equal(await adopts("usr/include/b.h", guarded), true);
  assert.equal(adoption.isPublic(guarded), false);
  const other = await write("secret", "elsewhere");
  await adopts("usr/include/a.h", other);
  assert.equal(adoption.isPublic(other), false);
});
