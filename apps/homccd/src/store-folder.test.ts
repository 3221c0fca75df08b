import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode, HomccError } from "@homcc/observability/error";
import { makeStoreFolder, requireStore, usingStore } from "./store-folder.ts";

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a store is made with the folders above it, and found again", () =>
  inFolder(async (folder) => {
    const store = join(folder, "a", "b", "store");
    await makeStoreFolder(store);
    await makeStoreFolder(store);
    assert.ok((await stat(store)).isDirectory());
  }));

test("a place that cannot hold a store ends with an error that names it", () =>
  inFolder(async (folder) => {
    const file = join(folder, "file");
    await writeFile(file, "");
    for (const store of [file, join(file, "store"), "/proc/store", "/proc/1/store", "/dev/null"]) {
      await assert.rejects(
        usingStore(store, () => makeStoreFolder(store)),
        (error) => {
          assert.ok(error instanceof HomccError && error.code === "ERR_HOMCC_CONFIGURATION");
          assert.equal(error.message, `the store ${store} cannot be used`);
          assert.ok(error.cause instanceof Error);
          return true;
        },
      );
    }
  }));

test("errors that say it already, and bugs, stay as they are", async () => {
  const full = new HomccError("ERR_HOMCC_STORE_FULL", "full");
  await assert.rejects(
    usingStore("/s", () => Promise.reject(full)),
    full,
  );
  const bug = new TypeError("bug");
  await assert.rejects(
    usingStore("/s", () => Promise.reject(bug)),
    bug,
  );
});

test("only a homccd's own folder, or an empty one, is a store", () =>
  inFolder(async (folder) => {
    await requireStore(folder);
    for (const name of ["blobs", "sessions", "lost+found"]) await mkdir(join(folder, name));
    for (const name of ["runner", "runner.new", "toolchain-file-digests.12.tmp"])
      await writeFile(join(folder, name), "");
    await requireStore(folder);
    await writeFile(join(folder, "thesis.tex"), "");
    await assert.rejects(requireStore(folder), (error) => hasCode(error, "ERR_HOMCC_CONFIGURATION"));
  }));
