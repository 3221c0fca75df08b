import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isPrivateFolder, launchPaths, preparePrivateFolder } from "./paths.ts";

const uid = process.getuid?.() ?? 0;

test("HOMCC_DIR, XDG_RUNTIME_DIR and /tmp decide, in this order", (t) => {
  const folder = temporaryFolder(t);
  const inTmp = `/tmp/homcc-${uid}`;
  const file = join(folder, "file");
  writeFileSync(file, "");
  const cases: [Record<string, string>, string][] = [
    [{ HOMCC_DIR: "/h", XDG_RUNTIME_DIR: folder }, "/h/run"],
    [{ HOMCC_DIR: "rel" }, "/work/rel/run"],
    [{ HOMCC_DIR: "", XDG_RUNTIME_DIR: folder }, `${folder}/homcc`],
    [{ XDG_RUNTIME_DIR: "relative" }, inTmp],
    [{ XDG_RUNTIME_DIR: file }, inTmp],
    [{ XDG_RUNTIME_DIR: `${folder}/none` }, inTmp],
    [{ XDG_RUNTIME_DIR: `${file}/below` }, inTmp],
    [{}, inTmp],
  ];
  for (const [environment, expected] of cases) {
    const paths = launchPaths(environment, uid, "/work");
    assert.equal(paths.folder, expected);
    assert.deepEqual(
      [paths.socketPath, paths.socketFolder, paths.lockPath, paths.logPath],
      [`${expected}/agent.sock`, expected, `${expected}/agent.lock`, `${expected}/agent.log`],
    );
  }
  const other = launchPaths({ XDG_RUNTIME_DIR: folder }, uid + 1, "/work");
  assert.equal(other.folder, `/tmp/homcc-${uid + 1}`);
});

test("the log outlives a restart, in a folder of the user's own", (t) => {
  const home = temporaryFolder(t);
  const state = join(home, "state");
  const inTmp = `/tmp/homcc-${uid}`;
  const cases: [Record<string, string>, string][] = [
    [{ HOME: home }, `${home}/.local/state/homcc`],
    [{ HOME: home, XDG_STATE_HOME: state }, `${state}/homcc`],
    [{ HOME: home, XDG_STATE_HOME: "relative" }, `${home}/.local/state/homcc`],
    [{ HOME: home, XDG_STATE_HOME: state, HOMCC_DIR: "/h" }, "/h/run"],
    [{ HOME: `${home}/none` }, inTmp],
    [{ HOME: "relative" }, inTmp],
  ];
  for (const [environment, expected] of cases) {
    const { logFolder, logPath } = launchPaths(environment, uid, "/work");
    assert.deepEqual([logFolder, logPath], [expected, `${expected}/agent.log`]);
  }
  mkdirSync(state);
  for (const kept of [{ HOME: home }, { HOME: home, XDG_STATE_HOME: state }]) {
    assert.equal(launchPaths(kept, uid + 1, "/work").logFolder, `/tmp/homcc-${uid + 1}`);
  }
});

test("a socket's name stays within a hundred bytes", (t) => {
  const runtime = temporaryFolder(t);
  const fits = `/${"x".repeat(84)}`;
  assert.equal(launchPaths({ HOMCC_DIR: fits }, uid, "/").socketPath.length, 100);
  const long = { HOMCC_DIR: `${fits}x`, XDG_RUNTIME_DIR: runtime };
  // FNV-1a as another program computed it; the conformance suite shows that the native launcher agrees.
  assert.equal(launchPaths(long, uid, "/").socketPath, `${runtime}/homcc/e3739b22f962a360.sock`);
  const deep = join(runtime, "y".repeat(90));
  mkdirSync(deep);
  const { socketFolder, folder } = launchPaths({ ...long, XDG_RUNTIME_DIR: deep }, uid, "/");
  assert.deepEqual([socketFolder, folder], [`/tmp/homcc-${uid}`, `${fits}x/run`]);
  // Bytes, not letters.
  assert.ok(
    launchPaths({ HOMCC_DIR: `/${"ü".repeat(60)}` }, uid, "/").socketPath.startsWith(`/tmp/homcc-${uid}/`),
  );
});

test("a private folder is made, or made private, but only the user's own", (t) => {
  const folder = temporaryFolder(t);
  const made = join(folder, "a/b/c");
  assert.equal(isPrivateFolder(made, uid), false);
  assert.equal(preparePrivateFolder(made, uid), true);
  assert.equal(statSync(made).mode & 0o777, 0o700);
  chmodSync(made, 0o755);
  assert.equal(isPrivateFolder(made, uid), false);
  assert.equal(preparePrivateFolder(made, uid), true);
  assert.equal(isPrivateFolder(made, uid), true);
  assert.equal(preparePrivateFolder(made, uid + 1), false);
  symlinkSync(made, join(folder, "link"));
  assert.equal(preparePrivateFolder(join(folder, "link"), uid), false);
  writeFileSync(join(folder, "file"), "");
  for (const impossible of [join(folder, "file"), join(folder, "file/below"), "/proc/homcc/run"]) {
    assert.equal(preparePrivateFolder(impossible, uid), false);
  }
});

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "hp-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
