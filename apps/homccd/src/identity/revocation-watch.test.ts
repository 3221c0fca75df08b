import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createLogger } from "@homcc/observability/log";
import { RevocationWatch } from "./revocation-watch.ts";

test("a list that cannot be read lets nobody in before it was read once, and changes nothing after that", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    const path = join(folder, "revoked");
    const lines: string[] = [];
    const logger = createLogger(
      "INFO",
      (_level, text) => text,
      (line) => lines.push(line),
    );
    await symlink(path, path);
    using watch = new RevocationWatch(folder, logger);
    watch.start(() => {});
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /who is revoked cannot be read from .*revoked: ELOOP/);
    assert.deepEqual([watch.current.areKnown, watch.current.includes("alice", 1)], [false, true]);
    await rm(path);
    assert.deepEqual([watch.current.areKnown, watch.current.includes("alice", 1)], [true, false]);
    await writeFile(path, "alice\n[of a newer version]\n");
    assert.deepEqual([watch.current.includes("alice", 1), watch.current.includes("bob", 1)], [true, false]);
    await rm(path);
    await symlink(path, path);
    assert.deepEqual([watch.current.includes("alice", 1), watch.current.includes("bob", 1)], [true, false]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
