import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findHostsPlace } from "./hosts-place.ts";

async function inHome(use: (home: string) => Promise<void>): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), "homcc-hosts-place-"));
  try {
    await use(home);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, text);
}

test("the file that counts is the one that is changed, behind links too", async () => {
  await inHome(async (home) => {
    const placeOf = async (variables: Readonly<Record<string, string>> = {}): Promise<string> =>
      (await findHostsPlace({ HOME: home, ...variables }, "/")).path;
    assert.equal(await placeOf(), join(home, ".homcc/hosts"), "a new one");
    await mkdir(join(home, ".config/homcc"), { recursive: true });
    assert.equal(await placeOf(), join(home, ".config/homcc/hosts"), "where the user has a folder");
    await put(join(home, ".homcc/hosts"), " \n");
    await put(join(home, ".config/homcc/hosts"), "build1\n");
    assert.equal(await placeOf(), join(home, ".config/homcc/hosts"), "an empty one does not count");
    await put(join(home, "dotfiles/hosts"), "build2\n");
    await rm(join(home, ".homcc/hosts"));
    await symlink(join(home, "dotfiles/hosts"), join(home, ".homcc/hosts"));
    assert.equal(await placeOf(), join(home, "dotfiles/hosts"));
    const named = await findHostsPlace({ HOME: home, HOMCC_DIR: join(home, "own") }, "/");
    assert.equal(named.path, join(home, "own/hosts"), "HOMCC_DIR says where everything is");
    assert.equal(named.hides, join(home, ".homcc/hosts"));
    assert.equal(named.mode, 0o644);
    await writeFile(join(home, "dotfiles/hosts"), "build2\n", { mode: 0o600 });
    const { mode } = await stat(join(home, "dotfiles/hosts"));
    assert.equal((await findHostsPlace({ HOME: home }, "/")).mode, mode & 0o777);
  });
});
