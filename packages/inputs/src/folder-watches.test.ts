import assert from "node:assert/strict";
import fs, {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  type BigIntStats,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ChangeCookie } from "./change-cookie.ts";
import { FolderWatches, type FolderWatchesOptions } from "./folder-watches.ts";
import { isOnLocalFileSystem } from "./local-file-system.ts";

const ownUser = process.getuid?.() ?? 0;
const later = { wallMs: () => Date.now() + 60_000, monotonicMs: () => performance.now() };

function lstat(path: string): BigIntStats {
  return lstatSync(path, { bigint: true });
}

/** An own folder with a header. */
function setUp(t: TestContext, more: Partial<FolderWatchesOptions> = {}) {
  const umask = process.umask(0o022);
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "watches-")));
  t.after(() => {
    process.umask(umask);
    rmSync(folder, { recursive: true });
  });
  const own = join(folder, "own");
  mkdirSync(own);
  const header = join(own, "a.h");
  writeFileSync(header, "");
  const problems: string[] = [];
  const watches = new FolderWatches({
    cookieFolder: folder,
    clock: later,
    owner: ownUser,
    isLocal: () => true,
    onProblem: (error) => problems.push(String(error)),
    ...more,
  });
  watches.own([own]);
  let told = 0;
  const watch = (path = own) => watches.watch(path, lstat(path), () => (told += 1));
  return { folder, own, header, watches, watch, problems, told: () => told };
}

test("what was changed is told before the wait for it ends", async (t) => {
  const { header, watches, watch, told } = setUp(t);
  using watched = disposable(watch());
  assert.ok(watched.covers(lstat(header)));
  for (let round = 0; round < 100; round += 1) {
    const before = told();
    writeFileSync(header, String(round));
    assert.equal(await watches.catchUp(), true);
    assert.ok(told() > before);
  }
  const before = told();
  assert.equal(await watches.catchUp(), true);
  assert.equal(told(), before);
});

test("a new cookie does not answer before it was touched", async (t) => {
  const { folder, own, header } = setUp(t);
  for (let round = 0; round < 20; round += 1) {
    const { watches, watch, told } = setUp(t, { cookieFolder: folder });
    watches.own([own]);
    using _watched = disposable(watch(own));
    writeFileSync(header, String(round));
    assert.equal(await watches.catchUp(), true);
    assert.ok(told() > 0);
  }
});

test("a cookie leaves no file behind, and knows when its touch is not told", async (t) => {
  const { folder } = setUp(t);
  const cookie = new ChangeCookie(folder);
  assert.deepEqual(readdirSync(folder), ["own"]);
  assert.equal(await cookie.touch(), true);
  const touched = cookie.touch();
  cookie.close();
  assert.equal(await touched, false);
});

test("a cookie that cannot be touched is one whose touch is not told", async (t) => {
  const { watch, watches, problems } = setUp(t);
  using _watched = disposable(watch());
  const touch = t.mock.method(fs, "futimesSync", () => {
    throw new Error("EIO");
  });
  syncBuiltinESMExports();
  for (let round = 0; round < 4; round += 1) assert.equal(await watches.catchUp(), false);
  touch.mock.restore();
  syncBuiltinESMExports();
  // Nobody touches for ever.
  assert.equal(watches.size, 0);
  assert.equal(watch(), undefined);
  assert.deepEqual(problems, ["Error: changes are not told"]);
});

test("folders below an own one are watched, others not", (t) => {
  const { folder, own, watch } = setUp(t);
  const below = join(own, "bits");
  mkdirSync(below);
  using watched = disposable(watch(below));
  assert.ok(watched);
  const beside = join(folder, "own2");
  mkdirSync(beside);
  assert.equal(watch(beside), undefined);
  assert.equal(watch(folder), undefined);
});

test("an own folder is known by its real path", (t) => {
  const { folder, own, watches, watch } = setUp(t);
  const other = join(folder, "other");
  mkdirSync(other);
  symlinkSync(other, join(folder, "link"));
  watches.own([join(folder, "link"), join(folder, "missing")]);
  using watched = disposable(watch(other));
  assert.ok(watched);
  assert.ok(own !== other);
});

test("what others may write, or own, is not watched", (t) => {
  const { own, watch } = setUp(t);
  chmodSync(own, 0o775);
  assert.equal(watch(), undefined);
  chmodSync(own, 0o757);
  assert.equal(watch(), undefined);
  const other = setUp(t, { owner: ownUser + 1 });
  assert.equal(other.watch(), undefined);
});

test("a folder that changed just now, or since it was looked at, is not watched", (t) => {
  const { own, watches } = setUp(t);
  const young = setUp(t, { clock: { ...later, wallMs: () => Date.now() } });
  assert.equal(young.watch(), undefined);
  const before = lstat(own);
  const same = () => watches.watch(own, before, () => {});
  disposable(same())[Symbol.dispose]();
  do chmodSync(own, 0o755);
  while (lstat(own).ctimeNs === before.ctimeNs);
  assert.equal(same(), undefined);
});

test("files that others may write, or that have a second name, are not covered", (t) => {
  const { folder, header, watch } = setUp(t);
  using watched = disposable(watch());
  assert.ok(watched.covers(lstat(header)));
  chmodSync(header, 0o664);
  assert.ok(!watched.covers(lstat(header)));
  chmodSync(header, 0o644);
  linkSync(header, join(folder, "second.h"));
  assert.ok(!watched.covers(lstat(header)));
});

test("a file that is mounted from elsewhere is not covered", (t) => {
  const { header, watch } = setUp(t);
  using watched = disposable(watch());
  const stats = lstat(header);
  stats.dev += 1n;
  assert.ok(!watched.covers(stats));
});

test("no more folders than allowed are watched", (t) => {
  const { own, watch, watches } = setUp(t, { maxFolders: 2 });
  const folders = ["x", "y", "z"].map((name) => join(own, name));
  for (const path of folders) mkdirSync(path);
  const watched = folders.map((path) => watch(path));
  assert.deepEqual(
    watched.map((one) => one !== undefined),
    [true, true, false],
  );
  assert.equal(watches.size, 2);
  for (const one of watched) one?.close();
  assert.equal(watches.size, 0);
});

test("after a watch was closed, changes may have been lost once", async (t) => {
  const { own, watch, watches } = setUp(t);
  mkdirSync(join(own, "bits"));
  using _watched = disposable(watch());
  using other = disposable(watch(join(own, "bits")));
  assert.equal(await watches.catchUp(), true);
  other.close();
  assert.equal(await watches.catchUp(), false);
  assert.equal(await watches.catchUp(), true);
});

test("when the last watch is closed nothing can be told, until one begins", async (t) => {
  const { watch, watches } = setUp(t);
  watch()?.close();
  assert.equal(await watches.catchUp(), false);
  using _watched = disposable(watch());
  await watches.catchUp();
  assert.equal(await watches.catchUp(), true);
});

test("watches that are all closed during a wait leave it without an answer", async (t) => {
  const { watch, watches } = setUp(t);
  const first = watch();
  const answer = watches.catchUp();
  first?.close();
  using _watched = disposable(watch());
  assert.equal(await answer, false);
});

test("where there can be no cookie nothing is watched, which is said once", async (t) => {
  const { watch, watches, problems } = setUp(t, { cookieFolder: "/nowhere" });
  assert.equal(watch(), undefined);
  assert.equal(watch(), undefined);
  assert.equal(await watches.catchUp(), false);
  assert.equal(problems.length, 1);
});

test("a remote folder is neither watched nor touched", (t) => {
  const remote = setUp(t, { isLocal: (path) => !path.endsWith("/own") });
  assert.equal(remote.watch(), undefined);
  assert.deepEqual(remote.problems, []);
  const home = setUp(t, { isLocal: (path) => path.endsWith("/own") });
  assert.equal(home.watch(), undefined);
  assert.match(home.problems.join(), /is not on a local disk/);
});

test("only file systems that are known to tell are local", () => {
  assert.equal(isOnLocalFileSystem("/proc"), false);
  assert.equal(isOnLocalFileSystem("/dev/shm"), true);
  assert.equal(isOnLocalFileSystem("/nowhere"), false);
});

function disposable<Watch extends { close(): void }>(watch: Watch | undefined): Watch & Disposable {
  assert.ok(watch !== undefined);
  return Object.assign(watch, { [Symbol.dispose]: () => watch.close() });
}
