import assert from "node:assert/strict";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { MemoryBlobStore } from "@homcc/cas/memory-blob-store";
import { removeTree } from "@homcc/execution/remove-tree";
import { createLogger } from "@homcc/observability/log";
import { homccdProgram } from "../../../../test/support/repository.ts";
import { enterMapped } from "./mapped-environment.ts";
import { SharedFolder } from "./shared-folder.ts";

/** What the log says when a sandbox is entered whose kernel answers so to the question for Landlock. */
async function entering(version: string): Promise<readonly string[]> {
  const parent = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    const runner = join(homccdProgram, "../../dist/runner");
    await using shared = new SharedFolder(parent, "test", runner);
    const entrance = join(parent, "enter");
    const script = `test "$2" = walls && { echo ${version}; exit; }\nexec "$@"\n`;
    await writeFile(entrance, `#!/bin/sh\n${script}`, { mode: 0o755 });
    const lines: string[] = [];
    const logger = createLogger(
      "INFO",
      (level, text) => `${level} ${text}`,
      (line) => lines.push(line.trimEnd()),
    );
    const folder = join(parent, "store", "sandboxes");
    await mkdir(folder, { recursive: true });
    const environment = await enterMapped({
      kind: "schroot",
      place: "schroot profile jammy",
      path: "/usr/bin:/bin",
      command: { program: entrance, args: [] },
      root: undefined,
      variables: {},
      shared,
      blobs: new MemoryBlobStore(),
      folder,
      startFreeBytes: 0,
      isCurrent: () => true,
      close: async () => {},
      logger,
    });
    await environment.close();
    return lines;
  } finally {
    await removeTree(parent);
  }
}

test("a sandbox whose jobs no wall keeps from files is entered with a warning, any other without a word", async () => {
  assert.deepEqual(await entering("3"), []);
  for (const version of ["0", ""]) {
    assert.deepEqual(await entering(version), [
      "WARNING schroot profile jammy has no Landlock: jobs in it can read whatever homccd's account can there; serve only clients that may",
    ]);
  }
});
