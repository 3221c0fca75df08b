import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { OutputWriter } from "./output-writer.ts";
import { scratchFolder } from "./scratch-folder.fixture.ts";

const isOutputError = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_OUTPUT");

test("the old file stays whole until the new one is in its place", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.o");
  await writeFile(path, "old");
  const before = await stat(path);
  const writer = new OutputWriter(path, 0o644);
  await writer.write(Buffer.from("ne"));
  await writer.write(Buffer.from("w"));
  assert.equal(await readFile(path, "utf8"), "old");
  await writer.finish();
  assert.equal(await readFile(path, "utf8"), "old");
  await writer.commit();
  assert.equal(await readFile(path, "utf8"), "new");
  assert.notEqual((await stat(path)).ino, before.ino);
  await writer.discard();
  assert.deepEqual(await readdir(folder.path), ["a.o"]);
});

test("the mode is the given one, whatever our umask", async () => {
  await using folder = await scratchFolder();
  const ours = process.umask(0o077);
  try {
    for (const mode of [0o644, 0o666, 0o400, 0o755]) {
      const path = join(folder.path, mode.toString(8));
      const writer = new OutputWriter(path, mode);
      await writer.finish();
      await writer.commit();
      const status = await stat(path);
      assert.deepEqual([status.mode & 0o7777, status.size], [mode, 0]);
    }
  } finally {
    process.umask(ours);
  }
});

test("discarded in any state it leaves nothing behind", async () => {
  await using folder = await scratchFolder();
  const make = (): OutputWriter => new OutputWriter(join(folder.path, "a.o"), 0o644);
  await make().discard();
  const written = make();
  await written.write(Buffer.from("x"));
  await written.discard();
  const finished = make();
  await finished.finish();
  await finished.discard();
  await finished.discard();
  assert.deepEqual(await readdir(folder.path), []);
});

test("discarded while a write, or the end, is under way it leaves nothing behind", async () => {
  await using folder = await scratchFolder();
  for (let round = 0; round < 50; round += 1) {
    const writer = new OutputWriter(join(folder.path, "a.o"), 0o644);
    const steps = [writer.write(Buffer.alloc(1000))];
    if (round % 3 === 1) steps.push(writer.finish());
    if (round % 3 === 2) await steps[0];
    if (round % 3 === 2) steps.push(writer.finish());
    await writer.discard();
    await Promise.allSettled(steps);
    await assert.rejects(writer.write(Buffer.from("late")), isOutputError);
    assert.deepEqual(await readdir(folder.path), []);
  }
});

test("a name of 255 bytes, and one that is not ASCII", async () => {
  await using folder = await scratchFolder();
  for (const name of ["x".repeat(255), "ü".repeat(127), "a b\n'.o"]) {
    const writer = new OutputWriter(join(folder.path, name), 0o644);
    await writer.write(Buffer.from(name));
    await writer.finish();
    await writer.commit();
    assert.equal(await readFile(join(folder.path, name), "utf8"), name);
  }
});

test("a folder that is gone, and a folder in the output's place", async () => {
  await using folder = await scratchFolder();
  const gone = new OutputWriter(join(folder.path, "gone", "a.o"), 0o644);
  await assert.rejects(gone.write(Buffer.from("x")), isOutputError);
  await gone.discard();
  await mkdir(join(folder.path, "taken"));
  const blocked = new OutputWriter(join(folder.path, "taken"), 0o644);
  await blocked.finish();
  await assert.rejects(blocked.commit(), isOutputError);
  await blocked.discard();
  assert.deepEqual(await readdir(folder.path), ["taken"]);
});

test("a folder that takes no files, from root either", async () => {
  const writer = new OutputWriter("/proc/self/a.o", 0o644);
  await assert.rejects(writer.write(Buffer.from("x")), isOutputError);
});

test("a full disk", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root");
  await using folder = await scratchFolder();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder.path], { stdio: "ignore" });
  } catch {
    return t.skip("needs the right to mount");
  }
  try {
    const path = join(folder.path, "a.o");
    await writeFile(path, "old");
    const writer = new OutputWriter(path, 0o644);
    await assert.rejects(writer.write(Buffer.alloc(1 << 20)), isOutputError);
    await writer.discard();
    assert.deepEqual(await readdir(folder.path), ["a.o"]);
    assert.equal(await readFile(path, "utf8"), "old");
  } finally {
    execFileSync("umount", [folder.path]);
  }
});
