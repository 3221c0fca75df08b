import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock, test } from "node:test";
import { SandboxIdentities } from "./identities.ts";

test("a compiler that was killed before it said its version is asked again", async () => {
  const root = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    await mkdir(join(root, "bin"));
    await writeFile(join(root, "bin", "gcc"), "", { mode: 0o755 });
    let version = "";
    const asked: string[] = [];
    const identities = new SandboxIdentities("/bin", async (_program, args) => {
      asked.push(args[0] ?? "");
      const stdout = args[0] === "--version" ? Buffer.from(version) : Buffer.alloc(0);
      return { stdout, stderr: Buffer.alloc(0) };
    });
    assert.equal(await identities.of("/bin/gcc", root), undefined);
    assert.equal(await identities.of("/bin/gcc", root), undefined);
    assert.deepEqual(asked, ["--version"]);
    version = "gcc (Debian 12) 12\n";
    const laterMs = performance.now() + 60_000;
    mock.method(performance, "now", () => laterMs);
    assert.equal((await identities.of("/bin/gcc", root))?.version, "gcc (Debian 12) 12");
  } finally {
    mock.restoreAll();
    await rm(root, { recursive: true });
  }
});
