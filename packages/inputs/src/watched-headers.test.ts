/** Headers of a compiler's own folder that are changed in all ways, and asked for at once: each answer has to know. */
import assert from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  futimesSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { digestOf } from "@homcc/cas/digest";
import type { Clock } from "@homcc/observability/clock";
import { compilers, Project } from "./discovery.fixture.ts";
import { FileDigests } from "./file-digests.ts";
import { FolderWatches } from "./folder-watches.ts";
import { notFound } from "./include-finder.ts";
import { ScanningIncludeFinder } from "./scanning-include-finder.ts";

const headers = 30;
const rounds = 40;
const gcc = compilers.find(({ family, path }) => family === "gcc" && path !== undefined)?.path;
const skip = gcc === undefined && "no gcc";
/** For which every file is old enough to be known by its stat, and every folder to be watched. */
const laterClock: Clock = { wallMs: () => Date.now() + 60_000, monotonicMs: () => performance.now() };

/** Counts the waits after which nothing needed a look. */
class CountedWatches extends FolderWatches {
  certain = 0;

  override async catchUp(): Promise<boolean> {
    const isCertain = await super.catchUp();
    if (isCertain) this.certain += 1;
    return isCertain;
  }
}

/** A compiler whose own folders are `early` and `late`, and a source that includes all in them. */
function setUp(t: TestContext) {
  const umask = process.umask(0o022);
  t.after(() => process.umask(umask));
  const project = new Project(t);
  const late = project.makeFolder("late");
  const early = project.makeFolder("early");
  const names = Array.from({ length: headers }, (_, index) => `h${index}.h`);
  for (const name of names) writeFileSync(join(late, name), "int a;\n");
  const optional = "#if __has_include(<optional.h>)\n#include <optional.h>\n#endif\n";
  project.write("a.cpp", `${names.map((name) => `#include <${name}>\n`).join("")}${optional}`);
  const compiler = project.write(
    "g++",
    `#!/bin/sh\nexec ${gcc} -nostdinc -isystem ${early} -isystem ${late} "$@"\n`,
  );
  chmodSync(compiler, 0o755);
  const watches = new CountedWatches({
    cookieFolder: project.folder,
    clock: laterClock,
    owner: process.getuid?.() ?? 0,
    // Whatever the temporary folder is on, it is changed from here.
    isLocal: () => true,
    onProblem: (error) => assert.fail(String(error)),
  });
  const finder = new ScanningIncludeFinder(
    { find: () => Promise.resolve(notFound("inputs-unknown", "not scanned")) },
    { digests: new FileDigests({ clock: laterClock }), clock: laterClock, verifyEvery: Infinity, watches },
  );
  t.after(() => finder.release());
  const scan = async (): Promise<string[]> => {
    const found = await finder.find(project.compilation("a.cpp"), project.context(compiler, "gcc"));
    assert.ok(found.kind === "found", [...finder.counters.reasons.keys()].join("\n"));
    for (const { entry } of found.files)
      assert.equal(entry.digest, digestOf(readFileSync(entry.path)), entry.path);
    return found.files.map(({ entry }) => entry.path);
  };
  return { project, late, early, watches, scan };
}

/** Again until the file's stat is another: some file systems' clocks stand still for 4 ms. */
function change(path: string, write: () => void): void {
  const before = lstatSync(path, { bigint: true });
  do write();
  while (lstatSync(path, { bigint: true }).ctimeNs === before.ctimeNs);
}

function writeInPlace(path: string, text: string): void {
  const file = openSync(path, "r+");
  writeSync(file, text);
  closeSync(file);
}

/** By round: texts of one size. */
function textOf(round: number): string {
  return `int ${round % 2 === 0 ? "b" : "c"};\n`;
}

test("nothing is looked at while nothing changes, and every answer is right", { skip }, async (t) => {
  const { scan, watches } = setUp(t);
  const first = await scan();
  for (let round = 0; round < rounds; round += 1) assert.deepEqual(await scan(), first);
  assert.equal(watches.size, 1);
  assert.equal(watches.certain, rounds);
});

test("written in place", { skip }, async (t) => {
  const { scan, late, watches } = setUp(t);
  await scan();
  for (let round = 0; round < rounds; round += 1) {
    const path = join(late, `h${round % headers}.h`);
    change(path, () => writeInPlace(path, textOf(round)));
    await scan();
  }
  assert.equal(watches.certain, rounds);
});

test("written in place, with the time and size it had", { skip }, async (t) => {
  const { scan, late, watches } = setUp(t);
  await scan();
  for (let round = 0; round < rounds; round += 1) {
    const path = join(late, "h7.h");
    const { atime, mtime } = lstatSync(path);
    change(path, () => {
      writeInPlace(path, textOf(round));
      utimesSync(path, atime, mtime);
    });
    await scan();
  }
  assert.equal(watches.certain, rounds);
});

test("written by a file that was open before", { skip }, async (t) => {
  const { scan, late } = setUp(t);
  const path = join(late, "h7.h");
  const file = openSync(path, "r+");
  t.after(() => closeSync(file));
  await scan();
  for (let round = 0; round < rounds; round += 1) {
    change(path, () => writeSync(file, textOf(round), 0));
    await scan();
  }
});

test("replaced by another file", { skip }, async (t) => {
  const { scan, late, project } = setUp(t);
  await scan();
  for (let round = 0; round < rounds; round += 1) {
    renameSync(project.write("new.h", textOf(round)), join(late, `h${round % headers}.h`));
    await scan();
  }
});

test("a name that came, went, or came earlier in the search order", { skip }, async (t) => {
  const { scan, late, early } = setUp(t);
  await scan();
  for (let round = 0; round < rounds; round += 1) {
    for (const path of [join(early, `h${round % headers}.h`), join(late, "optional.h")]) {
      writeFileSync(path, textOf(round));
      assert.ok((await scan()).includes(path));
      rmSync(path);
      assert.ok(!(await scan()).includes(path));
    }
  }
});

test("replaced by a link, whose target changes", { skip }, async (t) => {
  const { scan, late, project } = setUp(t);
  await scan();
  const target = project.write("target.h", "int a;\n");
  const path = join(late, "h7.h");
  rmSync(path);
  symlinkSync(target, path);
  assert.ok((await scan()).includes(target));
  for (let round = 0; round < rounds; round += 1) {
    change(target, () => writeInPlace(target, textOf(round)));
    await scan();
  }
});

test("written by a second name that it had before", { skip }, async (t) => {
  const { scan, late, project } = setUp(t);
  const path = join(late, "h7.h");
  linkSync(path, project.at("second.h"));
  await scan();
  for (let round = 0; round < rounds; round += 1) {
    change(path, () => writeInPlace(project.at("second.h"), textOf(round)));
    await scan();
  }
});

test("written by a second name, after others were allowed to make one", { skip }, async (t) => {
  const { scan, late, project } = setUp(t);
  const path = join(late, "h7.h");
  await scan();
  chmodSync(path, 0o666);
  await scan();
  linkSync(path, project.at("second.h"));
  for (let round = 0; round < rounds; round += 1) {
    change(path, () => writeInPlace(project.at("second.h"), textOf(round)));
    await scan();
  }
});

test("a whole folder is replaced, and its files are written after that", { skip }, async (t) => {
  const { scan, late, project } = setUp(t);
  await scan();
  for (let round = 0; round < 5; round += 1) {
    renameSync(late, project.at(`old${round}`));
    project.makeFolder("late");
    for (let index = 0; index < headers; index += 1) writeFileSync(join(late, `h${index}.h`), textOf(round));
    await scan();
    await scan();
    const path = join(late, "h7.h");
    change(path, () => writeInPlace(path, "int d;\n"));
    await scan();
  }
});

test("while scans are running", { skip }, async (t) => {
  const { scan, late } = setUp(t);
  await scan();
  const path = join(late, "h7.h");
  for (let round = 0; round < rounds; round += 1) {
    change(path, () => writeInPlace(path, textOf(round)));
    const first = scan();
    // Their answers are compared with what is there when they come.
    await setImmediate();
    await Promise.all([first, scan(), scan()]);
  }
});

const queueSize = Number(readFileSync("/proc/sys/fs/inotify/max_queued_events", "utf8"));
const largeQueue = queueSize > 100_000 && "the kernel keeps more events than a test should make";

for (const [when, turns] of [
  ["not fetched yet", 0],
  ["fetched", 2],
] as const) {
  test(`lost among too many events, which were ${when}`, { skip: skip || largeQueue }, async (t) => {
    const { scan, late, watches } = setUp(t);
    await scan();
    await scan();
    assert.equal(watches.certain, 1);
    const noise = ["h1.h", "h2.h"].map((name) => openSync(join(late, name), "r+"));
    // Equal events in a row count once.
    for (let count = 0; count < 2.5 * queueSize; count += 1) futimesSync(noise[count % 2] ?? 0, 1, 1);
    for (const file of noise) closeSync(file);
    const path = join(late, "h7.h");
    change(path, () => writeInPlace(path, textOf(0)));
    for (let turn = 0; turn < turns; turn += 1) await setImmediate();
    await scan();
    assert.equal(watches.certain, 1);
    for (let round = 1; round < rounds; round += 1) {
      change(path, () => writeInPlace(path, textOf(round)));
      await scan();
    }
    assert.ok(watches.certain > rounds / 2, `${watches.certain}`);
  });
}
