import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { filesOf } from "./profile-files.ts";

test("a profile is another one once its section's file or its archive changes, whatever becomes of others", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homccd-profiles-"));
  try {
    const path = (name: string): string => join(folder, name);
    await mkdir(path("chroot.d"));
    await writeFile(path("schroot.conf"), "[jammy.old]\ntype=directory\n");
    await writeFile(path("chroot.d/one"), "[jammy]\naliases=ubuntu, default\n");
    await writeFile(path("chroot.d/other"), "[noble]\n");
    await writeFile(path("tree.tar"), "");
    const of = (name: string) => filesOf({ name, text: `type=file\nfile=${path("tree.tar")}\n` }, folder);
    const [own, alias, other] = [of("jammy"), of("default"), of("noble")];
    await appendFile(path("chroot.d/one"), "users=homcc\n");
    await appendFile(path("schroot.conf"), "users=homcc\n");
    assert.deepEqual(
      [own, alias, other].map((files) => files.unchanged()),
      [false, false, true],
    );
    await appendFile(path("tree.tar"), "x");
    assert.equal(other.unchanged(), false);
  } finally {
    await rm(folder, { recursive: true });
  }
});
