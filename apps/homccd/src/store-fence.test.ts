import assert from "node:assert/strict";
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { StoreFence } from "./store-fence.ts";

test("what lies in the store, however a path leads there", async () => {
  const folder = await mkdtemp(join(await realpath(tmpdir()), "homcc-test-"));
  try {
    const store = join(folder, "real", "store");
    await mkdir(join(store, "sessions", "bin"), { recursive: true });
    await mkdir(join(folder, "tools"));
    await writeFile(join(folder, "tools", "gcc"), "");
    await writeFile(join(store, "sessions", "bin", "gcc"), "");
    await symlink(store, join(folder, "alias"));
    await symlink(join(store, "sessions"), join(folder, "deep"));
    await symlink(join(folder, "tools"), join(folder, "toolbox"));
    // A job made this one: it leads out of the store again, for now.
    await symlink(join(folder, "tools"), join(store, "sessions", "way-out"));
    const fence = new StoreFence(join(folder, "alias"));
    for (const path of [
      store,
      `${store}/sessions/bin/gcc`,
      `${folder}/alias/sessions/bin/gcc`,
      `${folder}/deep/bin/gcc`,
      `${folder}/tools/../real//store/sessions/bin`,
      `${store}/sessions/way-out/gcc`,
      `${folder}/deep/way-out`,
      `/proc/self/root${store}/sessions/bin/gcc`,
      "/proc/self/root/usr/bin/gcc",
      "/dev/fd",
      "usr/bin",
      "",
    ]) {
      assert.equal(await fence.encloses(path), true, path);
    }
    for (const path of [
      "/usr/bin",
      "/usr/bin/gcc",
      "/",
      `${folder}/tools/gcc`,
      `${folder}/toolbox/gcc`,
      `${store}-2/gcc`,
      "/none/gcc",
    ]) {
      assert.equal(await fence.encloses(path), false, path);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a store that does not exist yet", async () => {
  const fence = new StoreFence("/none/store");
  assert.equal(await fence.encloses("/usr/bin/gcc"), false);
});
