import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { diskOf } from "./disk-space.ts";

test("the disk of a folder, and nothing about a folder that is not there", () => {
  const { disk } = diskOf(tmpdir());
  assert.ok(
    disk !== undefined && disk.freeBytes > 0 && disk.freeBytes <= disk.totalBytes,
    JSON.stringify(disk),
  );
  assert.deepEqual(diskOf("/nonexistent/store"), {});
});
