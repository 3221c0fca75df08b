import assert from "node:assert/strict";
import { mkdtemp, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import { TargetTriples } from "./target-triples.ts";

test("a target is asked for once, and again where the compiler was killed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    const [mark, driver] = [join(folder, "killed"), join(folder, "cc")];
    const kill = `test -e ${mark} && kill -9 $$\n`;
    await writeFile(driver, `#!/bin/sh\n${kill}echo some-target\n`, { mode: 0o755 });
    await writeFile(mark, "");
    const triples = new TargetTriples("/usr/bin:/bin");
    const toolchain = { digest: digestOf(Buffer.from("cc")), driver };
    assert.equal(await triples.of(toolchain), "");
    await unlink(mark);
    assert.equal(await triples.of(toolchain), "some-target");
    await writeFile(mark, "");
    assert.equal(await triples.of(toolchain), "some-target");
  } finally {
    await rm(folder, { recursive: true });
  }
});
