import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../../test/support/command.ts";
import { removeFolder } from "../../test/support/remove-folder.ts";
import { systemPath } from "../../test/support/workplace.ts";
import { generateProject, projectFiles, sourceCount } from "./project.ts";

/** Figures of different machines and days are those of the same text: change it only with new figures. */
const digest = "71066fb4a822d9c57dc65815d311b18c9acf4f53e03bb8d3d1f5b8d3f882ddb4";

test("the project is the same text everywhere", () => {
  const files = projectFiles();
  assert.equal([...files.keys()].filter((path) => path.endsWith(".cpp")).length, sourceCount);
  assert.equal(
    createHash("sha256")
      .update(JSON.stringify([...files]))
      .digest("hex"),
    digest,
  );
});

test("its sources compile without a warning", async () => {
  const root = await mkdtemp(join(tmpdir(), "homcc-bench-test-"));
  try {
    const { sources, compiler } = await generateProject(root);
    assert.equal(sources.length, sourceCount);
    // Every kind of method, and each layer: seldom more than the parser is needed to find a mistake.
    for (const source of sources.filter((_, index) => index % 23 === 0)) {
      const command = [...compiler, "-Werror", "-fsyntax-only", source];
      const { status, stderr } = await runCommand(command, { cwd: root, environment: { PATH: systemPath } });
      assert.equal(status, 0, `${source}: ${stderr}`);
    }
  } finally {
    await removeFolder(root);
  }
});
