import assert from "node:assert/strict";
import { test } from "node:test";
import type { FolderChanges, FolderWatch } from "./folder-changes.ts";
import { createFacts, MemoryFiles } from "./memory-files.fixture.ts";
import { Scanner } from "./scanner.ts";
import type { SourceRecord } from "./source-files.ts";

const headers = 40;
/** Of the source and its folders: they are looked at whatever is watched. */
const otherLooks = 5;

/** Tells of what the test says. */
class ToldChanges implements FolderChanges {
  readonly onChange = new Map<string, () => void>();
  /** Of files that lie in watched folders. */
  isCovered = true;
  catchUps = 0;
  isCertain = true;
  /** Called by `catchUp`: what happened meanwhile. */
  meanwhile = (): void => {};
  /** Called by `watch`: what happened just before it. */
  beforeWatch = (): void => {};

  watch(path: string, _stats: unknown, onChange: () => void): FolderWatch | undefined {
    if (path !== "/own") return undefined;
    this.beforeWatch();
    this.onChange.set(path, onChange);
    return { covers: () => this.isCovered, close: () => this.onChange.delete(path) };
  }

  async catchUp(): Promise<boolean> {
    this.catchUps += 1;
    await Promise.resolve();
    this.meanwhile();
    return this.isCertain;
  }

  tell(): void {
    this.onChange.get("/own")?.();
  }
}

function setUp(count = headers) {
  const files = new MemoryFiles();
  const names = Array.from({ length: count }, (_, index) => `h${index}.h`);
  for (const name of names) files.write(`/own/${name}`, `#define ${name.replace(".", "_")} 1\n`);
  files.write("/p/a.cpp", names.map((name) => `#include <${name}>\n`).join(""));
  files.wait(60_000);
  const changes = new ToldChanges();
  const scanner = new Scanner<SourceRecord>(files, { changes });
  const facts = createFacts();
  const scan = async (arrival = scanner.arrive()): Promise<{ looks: number; digests: string[] }> => {
    const before = files.looks;
    const closure = await scanner.scan({
      arrival,
      order: { family: "gcc", cwd: "/p", quote: [], angle: ["/own"], embed: [] },
      facts,
      roots: { macros: Buffer.from(""), macroFiles: [], includes: [], preinclude: false },
      source: "/p/a.cpp",
      modules: false,
      key: "",
      lookAround: () => undefined,
      signal: new AbortController().signal,
    });
    return {
      looks: files.looks - before,
      digests: closure.files.map(({ path, record }) => `${path} ${record?.entry.digest ?? ""}`).sort(),
    };
  };
  return { files, changes, scanner, scan };
}

test("files in a folder that tells of its changes are looked at once", async () => {
  const { scan, changes } = setUp();
  const first = await scan();
  assert.ok(first.looks >= headers);
  const second = await scan();
  assert.ok(second.looks <= otherLooks, `${second.looks} looks`);
  assert.deepEqual(second.digests, first.digests);
  assert.equal(changes.catchUps, 1);
});

test("a change that is told while a scan waits is seen by it", async () => {
  const { files, scan, changes } = setUp();
  const first = await scan();
  changes.meanwhile = () => {
    files.write("/own/h3.h", "int changed;\n");
    changes.tell();
  };
  const second = await scan();
  assert.notDeepEqual(second.digests, first.digests);
  changes.meanwhile = () => {};
  const third = await scan();
  assert.ok(third.looks <= otherLooks, `${third.looks} looks`);
  assert.deepEqual(third.digests, second.digests);
});

test("where changes may have been lost, all is looked at again, then and the next time nothing", async () => {
  const { files, scan, changes } = setUp();
  const first = await scan();
  files.write("/own/h3.h", "int changed;\n");
  changes.isCertain = false;
  const second = await scan();
  assert.ok(second.looks >= headers);
  assert.notDeepEqual(second.digests, first.digests);
  changes.isCertain = true;
  const third = await scan();
  assert.ok(third.looks <= otherLooks, `${third.looks} looks`);
  assert.deepEqual(third.digests, second.digests);
});

test("what happened just before the folder was watched is seen", async () => {
  const { files, scan, changes } = setUp();
  changes.beforeWatch = () => {
    files.write("/p/other.h", "");
    files.remove("/own/h0.h");
    files.link("/own/h0.h", "/p/other.h");
  };
  const { digests } = await scan();
  assert.ok(digests.some((line) => line.startsWith("/p/other.h ")));
});

test("scans that were asked for together wait once", async () => {
  const { scan, scanner, changes } = setUp();
  await scan();
  const arrivals = Array.from({ length: 8 }, () => scanner.arrive());
  await Promise.all(arrivals.map((arrival) => scan(arrival)));
  assert.equal(changes.catchUps, 1);
});

test("a scan that was asked for while others wait does not take their answer", async () => {
  const { files, scan, changes } = setUp();
  const first = await scan();
  const late: Promise<{ digests: string[] }>[] = [];
  let waits = 0;
  changes.meanwhile = () => {
    waits += 1;
    if (waits === 1) late.push(scan());
    else {
      files.write("/own/h3.h", "int changed;\n");
      changes.tell();
    }
  };
  await scan();
  const [answer] = await Promise.all(late);
  assert.equal(waits, 2);
  assert.notDeepEqual(answer?.digests, first.digests);
});

test("a file whose changes are not told is looked at each time", async () => {
  const { scan, changes } = setUp();
  await scan();
  changes.isCovered = false;
  changes.tell();
  await scan();
  const looks = [await scan(), await scan()].map((one) => one.looks);
  assert.ok(Math.min(...looks) >= headers, looks.join(" "));
});

test("nobody waits for the sake of a few headers", async () => {
  const { scan, changes } = setUp(3);
  await scan();
  await scan();
  assert.equal(changes.catchUps, 0);
});

test("a folder in which names came or went is watched anew", async () => {
  const { files, scan, changes } = setUp();
  await scan();
  const before = changes.onChange.get("/own");
  files.write("/own/new.h", "");
  files.write("/own/h3.h", "int changed;\n");
  files.wait(60_000);
  // Nothing is told of it: the watch may have been another folder's.
  const second = await scan();
  assert.ok(second.looks >= headers);
  assert.ok(changes.onChange.has("/own"));
  assert.notEqual(changes.onChange.get("/own"), before);
  const third = await scan();
  assert.ok(third.looks <= otherLooks, `${third.looks} looks`);
});

test("what is forgotten is not watched", async () => {
  const { scan, scanner, changes } = setUp();
  await scan();
  assert.equal(changes.onChange.size, 1);
  scanner.release();
  assert.equal(changes.onChange.size, 0);
});
