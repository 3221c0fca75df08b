import assert from "node:assert/strict";
import { lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { RegisteredFolders } from "./registered-folders.ts";
import { parseToolchainCommand, runToolchainCommand } from "./toolchain-command.ts";

async function inStore(body: (store: string) => Promise<void>): Promise<void> {
  const store = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    await body(store);
  } finally {
    await rm(store, { recursive: true });
  }
}

test("folders are added by their real path, once, and removed also when they are gone", async () => {
  await inStore(async (store) => {
    const folders = new RegisteredFolders(store);
    assert.deepEqual(await folders.list(), []);
    await mkdir(join(store, "gcc-14"));
    await symlink("gcc-14", join(store, "link"));
    const place = join(store, "gcc-14");
    assert.equal(await folders.add("link", store), place);
    assert.equal(await folders.add(place, "/"), place);
    assert.deepEqual(await folders.list(), [place]);
    assert.equal(await runToolchainCommand({ kind: "list" }, store, "/"), `${place}\n`);
    await rm(place, { recursive: true });
    await rm(join(store, "link"));
    assert.match(
      await runToolchainCommand({ kind: "remove", path: "gcc-14" }, store, store),
      /not looked at/,
    );
    assert.deepEqual(await new RegisteredFolders(store).list(), []);
  });
});

test("what is no folder, the root, and what is not in the list are refused", async () => {
  await inStore(async (store) => {
    const folders = new RegisteredFolders(store);
    await writeFile(join(store, "file"), "");
    for (const path of ["file", "none", "/"]) {
      await assert.rejects(
        folders.add(path, store),
        (error) => hasCode(error, "ERR_HOMCC_CONFIGURATION"),
        path,
      );
    }
    await assert.rejects(folders.remove("none", store), /not in the list/);
    await assert.rejects(new RegisteredFolders(join(store, "none")).add(store, "/"), /cannot be written/);
  });
});

test("a list that somebody damaged names only absolute folders, and not without end", async () => {
  await inStore(async (store) => {
    const lines = ["relative", "", "/a", "/a", ...Array.from({ length: 300 }, (_, index) => `/b${index}`)];
    await writeFile(join(store, "toolchain-folders"), lines.join("\n"));
    const list = await new RegisteredFolders(store).list();
    assert.equal(list.length, 256);
    assert.deepEqual(list.slice(0, 2), ["/a", "/b0"]);
  });
});

test("the words behind `toolchain`", () => {
  assert.deepEqual(parseToolchainCommand(["list"]), { kind: "list" });
  assert.deepEqual(parseToolchainCommand(["add", "/opt"]), { kind: "add", path: "/opt" });
  assert.deepEqual(parseToolchainCommand(["remove", "x"]), { kind: "remove", path: "x" });
  for (const words of [[], ["add"], ["add", ""], ["list", "x"], ["add", "a", "b"], ["show"]])
    assert.equal(parseToolchainCommand(words), undefined, words.join(" "));
});

test("what somebody else has in the list stays in it, and a list that cannot be read is not written", async () => {
  await inStore(async (store) => {
    const file = join(store, "toolchain-folders");
    await writeFile(file, "# compilers of team A\n/opt/a only=team-a\nfolder: /opt/b\n");
    await mkdir(join(store, "gcc"));
    const folders = new RegisteredFolders(store);
    await folders.add("gcc", store);
    await folders.remove("gcc", store);
    assert.equal(await readFile(file, "utf8"), "# compilers of team A\n/opt/a only=team-a\nfolder: /opt/b\n");
    await rm(file);
    await symlink(file, file);
    assert.deepEqual(await folders.list(), []);
    await assert.rejects(folders.add("gcc", store), /cannot be read/);
    await assert.rejects(folders.remove("gcc", store), /cannot be read/);
    assert.ok((await lstat(file)).isSymbolicLink());
  });
});
