import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, lstat, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { hasCode } from "@homcc/observability/error";
import fc from "fast-check";
import { type Account, groupsOf, handOver, parseAccounts, serviceAccount } from "./privileges.ts";

const nobody: Account = { name: "nobody", uid: 65_534, gid: 65_534 };
const isConfigurationError = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_CONFIGURATION");

/** Runs `body` with a store that every account can reach; only root can give it away. */
async function asRoot(t: TestContext, body: (store: string, folder: string) => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return t.skip("needs root");
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    await chmod(folder, 0o755);
    await body(join(folder, "store"), folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function ownersOf(paths: readonly string[]): Promise<number[]> {
  return await Promise.all(paths.map(async (path) => (await lstat(path)).uid));
}

/** Becomes nobody in a process of its own, then runs `code`; a thrown error's code is printed. */
function become(store: string, code: string): { readonly stdout: string; readonly stderr: string } {
  const module = new URL("privileges.ts", import.meta.url).href;
  const script = `
    import { becomeAccount, serviceAccount } from ${JSON.stringify(module)};
    import { readFileSync, writeFileSync } from "node:fs";
    const store = ${JSON.stringify(store)};
    try {
      becomeAccount(${JSON.stringify(nobody)}, store);
      ${code}
    } catch (error) {
      console.log(error.code, error.hint);
    }`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: "/",
    encoding: "utf8",
    // Under a coverage run too (Node hands that variable on unless it is given): nobody may not write the report.
    env: { NODE_V8_COVERAGE: "" },
  });
  return { stdout, stderr };
}

test("the store and all in it is handed over, links themselves, and a second time too", (t) =>
  asRoot(t, async (store, folder) => {
    await handOver(store, nobody);
    assert.deepEqual(await ownersOf([store]), [nobody.uid]);
    await rm(store, { recursive: true });
    await mkdir(join(store, "blobs", "ab"), { recursive: true });
    await writeFile(join(store, "blobs", "ab", "cd"), "x");
    await writeFile(join(folder, "outside"), "x");
    await symlink(join(folder, "outside"), join(store, "blobs", "link"));
    const inside = ["", "blobs", "blobs/ab", "blobs/ab/cd", "blobs/link"].map((name) => join(store, name));
    await handOver(store, nobody);
    assert.deepEqual(new Set(await ownersOf(inside)), new Set([nobody.uid]));
    assert.deepEqual(await ownersOf([join(folder, "outside")]), [0]);
    await handOver(store, nobody);
  }));

test("a hand-over that was interrupted is made up for", (t) =>
  asRoot(t, async (store) => {
    await mkdir(join(store, "blobs"), { recursive: true });
    for (let n = 0; n < 100; n += 1) await writeFile(join(store, "blobs", String(n)), "");
    const giving = handOver(store, nobody);
    const seen: boolean[] = [];
    const paths = Array.from({ length: 100 }, (_, n) => join(store, "blobs", String(n)));
    for (let round = 0; round < 200; round += 1) {
      const [folderOwner] = await ownersOf([store]);
      // Who finds the folder handed over believes that its files are.
      if (folderOwner === nobody.uid) seen.push((await ownersOf(paths)).every((uid) => uid === nobody.uid));
    }
    await giving;
    assert.ok(seen.every(Boolean));
  }));

test("a folder that is no store keeps its owner", (t) =>
  asRoot(t, async (store) => {
    await mkdir(join(store, "home"), { recursive: true });
    await assert.rejects(handOver(store, nobody), isConfigurationError);
    assert.deepEqual(await ownersOf([store, join(store, "home")]), [0, 0]);
  }));

test("root becomes the account for good", (t) =>
  asRoot(t, async (store) => {
    await handOver(store, nobody);
    const { stdout, stderr } = become(
      store,
      `writeFileSync(store + "/file", "");
      const attempts = ["setuid", "seteuid", "setgid"].map((name) => {
        try { process[name](0); return "root again"; } catch (error) { return error.code; }
      });
      const capabilities = /^CapEff:\\s*(\\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))[1];
      console.log(JSON.stringify({ ids: [process.getuid(), process.geteuid(), process.getgid(), process.getegid()],
        groups: process.getgroups(), attempts, capabilities: Number.parseInt(capabilities, 16) }));`,
    );
    assert.equal(stderr, "");
    assert.deepEqual(JSON.parse(stdout), {
      ids: [nobody.uid, nobody.uid, nobody.gid, nobody.gid],
      groups: [nobody.gid],
      attempts: ["EPERM", "EPERM", "EPERM"],
      capabilities: 0,
    });
    assert.deepEqual(await ownersOf([join(store, "file")]), [nobody.uid]);
  }));

test("a store that the account cannot reach or write is an error of the configuration", (t) =>
  asRoot(t, async (store, folder) => {
    await handOver(store, nobody);
    await chmod(folder, 0o700);
    assert.match(become(store, 'console.log("went on")').stdout, /^ERR_HOMCC_CONFIGURATION .*--store/);
    await chmod(folder, 0o755);
    assert.match(become(folder, 'console.log("went on")').stdout, /^ERR_HOMCC_CONFIGURATION /);
    assert.match(become(store, 'console.log("went on")').stdout, /^went on/);
  }));

test("the account: configured, default, missing, root", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root");
  assert.notEqual((await serviceAccount(undefined))?.uid ?? 0, 0);
  assert.equal((await serviceAccount("nobody"))?.name, "nobody");
  await assert.rejects(serviceAccount("nobody-of-that-name"), isConfigurationError);
  await assert.rejects(serviceAccount("root"), isConfigurationError);
});

test("who is not root stays who they are", (t) =>
  asRoot(t, async (store) => {
    await handOver(store, nobody);
    const { stdout, stderr } = become(store, 'console.log(await serviceAccount("nobody"));');
    assert.deepEqual([stdout, stderr], ["undefined\n", ""]);
  }));

test("accounts of /etc/passwd, and lines that are none", () => {
  const passwd =
    "root:x:0:0:root:/root:/bin/sh\n\n# comment\nhomcc:x:998:997::/var:/bin/false\n+::::::\nodd:x:-1:5::\n";
  assert.deepEqual(
    [...parseAccounts(passwd).values()],
    [
      { name: "root", uid: 0, gid: 0 },
      { name: "homcc", uid: 998, gid: 997 },
    ],
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const { uid, gid } of parseAccounts(text).values()) assert.ok(uid >= 0 && gid >= 0);
    }),
  );
});

test("the groups that name an account", () => {
  const groups = "root:x:0:\ndocker:x:121:homcc,other\nsbuild:x:122:homcc\nbad:x:no:homcc\nhomcc:x:1000:\n";
  assert.deepEqual(groupsOf("homcc", groups), [121, 122]);
  assert.deepEqual(groupsOf("hom", groups), []);
});
