import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import { PackedDigests } from "@homcc/cas/packed-digests";
import type { Clock } from "@homcc/observability/clock";
import { Project } from "./discovery.fixture.ts";
import { FileDigests, type FileRecord } from "./file-digests.ts";

function clockAhead(milliseconds: number): Clock {
  return { wallMs: () => Date.now() + milliseconds, monotonicMs: () => performance.now() };
}

test("digests of files of all sizes, with their times", async (t) => {
  const project = new Project(t);
  const digests = new FileDigests();
  for (const sizeBytes of [0, 1, 4096, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 3 << 20]) {
    const bytes = randomBytes(sizeBytes);
    const path = project.write(`${sizeBytes}`);
    writeFileSync(path, bytes);
    const record = await digests.record(path);
    assert.equal(record?.entry.digest, digestOf(bytes));
    assert.equal(record?.entry.mtimeNs, statSync(path, { bigint: true }).mtimeNs);
    assert.ok(record !== undefined);
    const read = await digests.read(record.entry);
    assert.ok(read !== undefined && bytes.equals(read.bytes));
  }
});

test("a settled file is read once, a young one every time", async (t) => {
  const project = new Project(t);
  const path = project.write("x", "old");
  for (const [aheadMs, expected] of [
    [60_000, "old"],
    [0, "new"],
  ] as const) {
    writeFileSync(path, "old");
    const before = statSync(path);
    const digests = new FileDigests({ clock: clockAhead(aheadMs) });
    const stats = statSync(path, { bigint: true });
    await digests.record(path, stats);
    writeFileSync(path, "new");
    utimesSync(path, before.mtime, before.mtime);
    // As if the file system's clock had not moved: the very same stat.
    const record = await digests.record(path, stats);
    assert.equal(record?.entry.digest, digestOf(Buffer.from(expected)));
  }
});

test("a file that was just identified is not read again to be looked into", async (t) => {
  const project = new Project(t);
  const [path, other] = [project.write("x", "x"), project.write("y", "y")];
  const identify = (digests: FileDigests, one: string): FileRecord => {
    const record = digests.recordNow(one, statSync(one, { bigint: true }));
    assert.ok(record !== undefined && !(record instanceof Promise));
    return record;
  };
  const readOf = (between: (digests: FileDigests) => void): { read: string[]; text: string } => {
    writeFileSync(path, "x");
    const read: string[] = [];
    const digests = new FileDigests({ onRead: ({ path: one }) => void read.push(one) });
    const { entry } = identify(digests, path);
    between(digests);
    const found = digests.readNow(entry);
    assert.ok(found !== undefined && !(found instanceof Promise));
    assert.equal(found.record.entry.digest, digestOf(found.bytes));
    return { read, text: Buffer.from(found.bytes).toString() };
  };
  assert.deepEqual(
    readOf(() => {}),
    { read: [path], text: "x" },
  );
  assert.deepEqual(
    readOf((digests) => void identify(digests, other)),
    { read: [path, other, path], text: "x" },
  );
  const edit = (digests: FileDigests): void => {
    writeFileSync(path, "longer");
    identify(digests, path);
  };
  assert.deepEqual(
    readOf(edit),
    { read: [path, path, path], text: "longer" },
    "asked for an earlier version",
  );
});

test("a time in the future is never trusted", async (t) => {
  const project = new Project(t);
  const path = project.write("x", "a");
  utimesSync(path, Date.now() / 1000 + 9000, Date.now() / 1000 + 9000);
  const record = await new FileDigests({ clock: clockAhead(60_000) }).record(path);
  assert.equal(record?.settled, false);
});

test("equal contents and time give the same entry again", async (t) => {
  const project = new Project(t);
  const path = project.write("x", "a");
  const digests = new FileDigests();
  const first = await digests.record(path);
  const second = await digests.record(path);
  assert.equal(first?.entry, second?.entry);
});

test("what is no readable regular file has no record", async (t) => {
  const project = new Project(t);
  const digests = new FileDigests();
  mkdirSync(project.at("folder"));
  symlinkSync("nowhere", project.at("link"));
  for (const name of ["folder", "link", "missing"])
    assert.equal(await digests.record(project.at(name)), undefined, name);
});

test("concurrent requests for a large file share one reading; a growing file is no error", async (t) => {
  const project = new Project(t);
  const path = project.write("x");
  truncateSync(path, 5 << 20);
  const digests = new FileDigests({ clock: clockAhead(60_000) });
  const [first, second] = await Promise.all([digests.record(path), digests.record(path)]);
  assert.equal(first, second);
});

test("a reading of a large file that began earlier does not count for who asks after a change", async (t) => {
  const project = new Project(t);
  const path = project.write("x", "a".repeat(300_000));
  const later = "b".repeat(300_000);
  const asked: Promise<FileRecord | undefined>[] = [];
  const digests = new FileDigests({
    onRead: () => {
      if (asked.length > 0) return;
      writeFileSync(path, later);
      asked.push(digests.record(path), digests.record(path));
    },
  });
  await digests.record(path);
  const [second, third] = await Promise.all(asked);
  assert.equal(second?.entry.digest, digestOf(Buffer.from(later)));
  assert.equal(second, third, "shared");
});

test("files beyond the latest are known again without being read, each by its path and stat", async (t) => {
  const project = new Project(t);
  const read: string[] = [];
  const digests = new FileDigests({
    maxRecords: 10,
    clock: clockAhead(60_000),
    onRead: ({ path }) => void read.push(path),
  });
  const paths = Array.from({ length: 50 }, (_, index) => project.write(`${index}`, `${index}`));
  const first = await Promise.all(paths.map((path) => digests.record(path)));
  assert.deepEqual(read, paths);
  const again = await Promise.all(paths.map((path) => digests.record(path)));
  assert.deepEqual(again, first);
  assert.deepEqual(read, paths, "once");
  const [edited, replaced] = [paths[0] ?? "", paths[1] ?? ""];
  writeFileSync(edited, "!");
  renameSync(paths[2] ?? "", replaced);
  assert.equal((await digests.record(edited))?.entry.digest, digestOf(Buffer.from("!")));
  assert.equal((await digests.record(replaced))?.entry.digest, digestOf(Buffer.from("2")));
  assert.deepEqual(
    read.slice(paths.length),
    [edited, replaced],
    "an equal inode at another path is no proof",
  );
});

test("of a file that is too young nothing is kept when its record goes", async (t) => {
  const project = new Project(t);
  const digests = new FileDigests({ maxRecords: 1 });
  const [path, other] = [project.write("x", "old"), project.write("y", "y")];
  const stats = statSync(path, { bigint: true });
  await digests.record(path, stats);
  await digests.record(other);
  writeFileSync(path, "new");
  const record = await digests.record(path, stats);
  assert.equal(record?.entry.digest, digestOf(Buffer.from("new")));
});

test("what is forgotten is read again", async (t) => {
  const project = new Project(t);
  const digests = new FileDigests({
    maxRecords: 1,
    earlier: new PackedDigests(1),
    clock: clockAhead(60_000),
  });
  const paths = Array.from({ length: 50 }, (_, index) => project.write(`${index}`, `${index}`));
  for (const path of [...paths, ...paths])
    assert.equal((await digests.record(path))?.entry.digest, digestOf(readFileSync(path)));
});

test("the contents of each file that is read go to whoever wants them", async (t) => {
  const project = new Project(t);
  const paths = [project.write("small.h", "small"), project.write("large.h", "large".repeat(60_000))];
  const seen: string[] = [];
  const digests = new FileDigests({
    clock: clockAhead(60_000),
    onRead: ({ path, digest }, bytes) => {
      assert.equal(digest, digestOf(bytes));
      seen.push(path);
    },
  });
  for (let time = 0; time < 2; time++) for (const path of paths) await digests.record(path);
  assert.deepEqual(seen, paths, "once");
});
