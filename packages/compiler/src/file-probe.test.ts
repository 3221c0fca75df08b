import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemFileProbe } from "./file-probe.ts";

test("what is at a path itself, also below a file and under a name that is too long", async () => {
  const folder = mkdtempSync(join(tmpdir(), "homcc-probe-"));
  try {
    writeFileSync(join(folder, "file"), "");
    mkdirSync(join(folder, "folder"));
    symlinkSync("nowhere", join(folder, "link"));
    const names = ["file", "folder", "link", "none", "none/x", "file/x", "x".repeat(300)];
    const kinds = await Promise.all(names.map((name) => systemFileProbe.kind(join(folder, name))));
    assert.deepEqual(kinds, ["file", "directory", "symlink", "absent", "absent", "absent", "other"]);
    assert.equal(await systemFileProbe.kind("/dev/null"), "other");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
