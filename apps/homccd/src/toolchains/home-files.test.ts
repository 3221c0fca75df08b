import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import { MemoryBlobStore } from "@homcc/cas/memory-blob-store";
import { silentLogger } from "@homcc/observability/log";
import { HomeFiles } from "./home-files.ts";

interface Machine {
  readonly folder: string;
  readonly store: MemoryBlobStore;
  readonly registered: string[];
  readonly files: HomeFiles;
  readonly write: (path: string, text: string, mode?: number) => Promise<void>;
}

async function onMachine(body: (machine: Machine) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  await chmod(folder, 0o755);
  const store = new MemoryBlobStore();
  const registered: string[] = [];
  const files = new HomeFiles({
    store,
    registered: async () => registered,
    logger: silentLogger,
    folders: [join(folder, "system")],
  });
  try {
    await mkdir(join(folder, "system"));
    await body({
      folder,
      store,
      registered,
      files,
      write: async (path, text, mode = 0o644) => {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), text, { mode });
      },
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

const wanted = (text: string, path = "/usr/lib/gcc/cc1") => ({ path, digest: digestOf(Buffer.from(text)) });

test("found at its path, at another one, and below a registered folder; what is found is in the store", async () => {
  await onMachine(async ({ folder, files, store, registered, write }) => {
    const samePath = wanted("one", join(folder, "system/lib/one"));
    await write("system/lib/one", "one");
    await write("system/deep/er/elsewhere", "twotwo");
    const other = wanted("twotwo");
    const third = wanted("third", "/bin/third");
    await write("tree/bin/third", "third", 0o600);
    assert.deepEqual(await files.find([samePath, other, third]), new Set([samePath.digest, other.digest]));
    registered.push(join(folder, "tree"));
    const all = [samePath, other, third].map(({ digest }) => digest);
    assert.deepEqual(await files.find([samePath, other, third]), new Set(all));
    assert.deepEqual(await store.findMissing(all), []);
  });
});

test("the same size with other bytes is not the file", async () => {
  await onMachine(async ({ files, write }) => {
    await write("system/a", "aaa");
    assert.deepEqual(await files.find([wanted("bbb")]), new Set());
  });
});

test("of the system only what everybody may read, and nothing that links lead out of it", async () => {
  await onMachine(async ({ folder, files, store, write }) => {
    await write("system/secret", "secret", 0o640);
    await write("system/closed/file", "closed");
    await chmod(join(folder, "system/closed"), 0o700);
    await write("outside", "outside");
    await symlink("../outside", join(folder, "system/out"));
    const files3 = [
      wanted("secret", join(folder, "system/secret")),
      wanted("closed", join(folder, "system/closed/file")),
      wanted("outside", join(folder, "system/out")),
    ];
    assert.deepEqual(await files.find(files3), new Set());
    assert.equal((await store.findMissing(files3.map(({ digest }) => digest))).length, 3);
  });
});

test("a file that came with a package a moment later is found when the list of folders changes", async () => {
  await onMachine(async ({ folder, files, registered, write }) => {
    assert.deepEqual(await files.find([wanted("late")]), new Set());
    await write("system/late", "late");
    // Not looked for again at once: walking through a system takes seconds.
    assert.deepEqual(await files.find([wanted("late")]), new Set());
    registered.push(join(folder, "tree"));
    assert.deepEqual(await files.find([wanted("late")]), new Set([wanted("late").digest]));
  });
});

test("what is known to be here is taken again when the store lost it", async () => {
  await onMachine(async ({ folder, write }) => {
    const store = new MemoryBlobStore({ maxBytes: 10_000 });
    const files = new HomeFiles({
      store,
      registered: async () => [],
      logger: silentLogger,
      folders: [join(folder, "system")],
    });
    await write("system/a", "a".repeat(3000));
    const file = wanted("a".repeat(3000));
    assert.equal((await files.find([file])).size, 1);
    const big = Buffer.alloc(8000, 1);
    await store.put(digestOf(big), [big]);
    assert.equal((await store.findMissing([file.digest])).length, 1, "evicted");
    assert.equal((await files.find([file])).size, 1);
    assert.deepEqual(await store.findMissing([file.digest]), []);
  });
});
