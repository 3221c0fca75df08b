/** The parts that measure figures, with as few files as show that they measure what they say. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { removeFolder } from "../../test/support/remove-folder.ts";
import type { Farm } from "../build/contender.ts";
import { ledgerHeader } from "../build/header-texts.ts";
import { generateProject } from "../build/project.ts";
import { record } from "../build/recording.ts";
import { centralEdits } from "./central-edits.ts";
import { failingCpuMs } from "./failing-files.ts";
import { scanMs } from "./scan.ts";
import { wideHeaderUpBytes } from "./wide-header.ts";

const link = { upMegabits: 1000, downMegabits: 1000, roundTripMs: 1 };
let folder: string;
let farm: Farm;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "homcc-bench-test-"));
  await chmod(folder, 0o755);
  const [recording, run] = [join(folder, "recording"), join(folder, "run")];
  await mkdir(run);
  const all = await generateProject(join(folder, "project"), 4);
  // The first is one of those that take long.
  const project = { ...all, sources: all.sources.slice(2) };
  const { root, sources, compiler } = project;
  await record({ folder: recording, root, sources, compiler, jobs: 2 });
  farm = { project, recording, slots: 2, folder: run };
});

after(() => removeFolder(folder));

test("an edit of the central header costs a part of a clean build, a touch next to nothing", async () => {
  const { commentEditRatio, bodyEditRatio, memberEditRatio, touchDownBytes } = await centralEdits(
    farm,
    2,
    link,
    () => {},
  );
  assert.ok(commentEditRatio > 0 && bodyEditRatio > 0 && memberEditRatio > 0);
  // What a comment moves are numbers of lines; another layout is more than that.
  assert.ok(
    commentEditRatio < memberEditRatio && memberEditRatio < 1,
    `${commentEditRatio} ${memberEditRatio}`,
  );
  assert.ok(touchDownBytes > 0 && touchDownBytes < 2000, `${touchDownBytes} bytes`);
});

test("each edit changes the header by one line", () => {
  const plain = ledgerHeader().split("\n");
  for (const edit of ["comment", "body", "member"] as const) {
    const edited = ledgerHeader(edit).split("\n");
    const isNew = edited.filter((line) => !plain.includes(line));
    assert.equal(isNew.length, 1, edit);
  }
});

test("a line of a wide header is sent, not the header", async () => {
  const bytes = await wideHeaderUpBytes(farm, link);
  assert.ok(bytes > 0 && bytes < 20_000, `${bytes} bytes`);
});

test("files that fail cost the client time, and a scan takes some", async () => {
  assert.ok((await failingCpuMs(farm, 8, link)) > 0);
  assert.ok((await scanMs(farm)) > 0);
});
