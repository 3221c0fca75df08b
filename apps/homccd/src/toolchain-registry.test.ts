import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import type { Toolchain } from "@homcc/compiler/toolchain";
import { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import { StoreFence } from "./store-fence.ts";
import { ToolchainRegistry } from "./toolchain-registry.ts";

const path = "/usr/bin:/bin";

function newRegistry(store = "/none/store"): ToolchainRegistry {
  return new ToolchainRegistry(new ToolchainInspector(), new StoreFence(store));
}

async function gcc(t: TestContext): Promise<Toolchain | undefined> {
  const driver = await realpath("/usr/bin/gcc").catch(() => undefined);
  if (driver !== undefined) return await new ToolchainInspector().inspect(driver, { family: "gcc", path });
  t.skip("needs gcc");
  return undefined;
}

test("the same toolchain, and another one under its path", async (t) => {
  const ours = await gcc(t);
  if (ours === undefined) return;
  const registry = newRegistry();
  assert.equal(registry.byDigest(ours.digest), undefined);
  const match = await registry.match(ours, path);
  assert.ok(match.kind === "same");
  assert.deepEqual(match.toolchain, ours);
  assert.deepEqual(registry.byDigest(ours.digest), ours);
  const other = digestOf(Buffer.from("other"));
  assert.deepEqual(await registry.match({ ...ours, digest: other, version: "gcc 99" }, path), {
    kind: "differs",
    message: `another toolchain as ${ours.driver}`,
    server: { digest: ours.digest, version: ours.version },
  });
  assert.equal(registry.byDigest(other), undefined);
});

test("only what is called like a compiler is started", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    const wanted = { digest: digestOf(Buffer.from("x")), family: "gcc", version: "gcc 12" } as const;
    const registry = newRegistry();
    const names = [
      "sh",
      "gcc.sh",
      "not-gcc-really",
      "rm",
      "gcc-",
      "xgcc",
      "gcc-12;rm",
      "clang-tidy",
      "ccache",
    ];
    for (const name of names) {
      const driver = join(folder, name);
      await writeFile(driver, `#!/bin/sh\n: > ${folder}/started-${name}\n`);
      await chmod(driver, 0o755);
      const match = await registry.match({ ...wanted, driver }, path);
      assert.ok(match.kind === "differs");
      assert.equal(match.message, `${driver} is not called like a compiler`);
    }
    for (const name of ["gcc", "x86_64-linux-gnu-g++-12", "clang++-14", "cc", "c++", "gcc-12.2"]) {
      const match = await registry.match({ ...wanted, driver: join(folder, "none", name) }, path);
      assert.ok(match.kind === "differs");
      assert.match(match.message, /^no \/.*: /);
      assert.deepEqual(match.server, { version: "none" });
    }
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith("started")),
      [],
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a driver that is a script, a folder or garbage", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    const registry = newRegistry();
    const digest = digestOf(Buffer.from("x"));
    for (const text of ["#!/bin/sh\nexit 0\n", "garbage", ""]) {
      const driver = join(folder, "gcc");
      await writeFile(driver, text);
      await chmod(driver, 0o755);
      const match = await registry.match({ digest, driver, family: "gcc", version: "" }, path);
      assert.equal(match.kind, "differs");
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("nothing is started that a job may have written", async (t) => {
  const ours = await gcc(t);
  if (ours === undefined) return;
  const store = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    for (const name of ["gcc", "as"]) {
      await writeFile(join(store, name), `#!/bin/sh\n: > ${store}/started-${name}\n`);
      await chmod(join(store, name), 0o755);
    }
    const registry = newRegistry(store);
    for (const driver of [`${store}/gcc`, `/proc/self/root${store}/gcc`, "/proc/1/root/usr/bin/gcc"]) {
      const match = await registry.match({ ...ours, driver }, path);
      assert.ok(match.kind === "differs");
      assert.equal(match.message, `${driver} is no place for programs of this server`);
    }
    const match = await registry.match(ours, `/usr/bin:${store}`);
    assert.ok(match.kind === "differs");
    assert.equal(match.message, `${store} is no place for programs of this server`);
    assert.deepEqual((await readdir(store)).sort(), ["as", "gcc"]);
    assert.equal((await registry.match(ours, "/usr/bin:.::relative:/none")).kind, "same");
  } finally {
    await rm(store, { recursive: true });
  }
});
