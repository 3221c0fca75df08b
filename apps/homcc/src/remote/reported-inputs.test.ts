import assert from "node:assert/strict";
import { mkdir, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { missedInReport } from "./reported-inputs.ts";
import { inputFile } from "./remote-job.fixture.ts";
import { scratchFolder } from "./scratch-folder.fixture.ts";

test("a report is compared anew when it, or what was found, is another", async () => {
  await using scratch = await scratchFolder();
  const cwd = await realpath(scratch.path);
  const found = [await inputFile(join(cwd, "a.c"), ""), await inputFile(join(cwd, "a.h"), "")];
  const place = { cwd, sandbox: undefined };
  assert.deepEqual(missedInReport("a.o: a.c a.h \\\n late.h\n", found, place), []);
  await writeFile(join(cwd, "late.h"), "");
  // What is known to be explained is not looked at again.
  assert.deepEqual(missedInReport("a.o: a.c a.h \\\n late.h\n", found, place), []);
  assert.deepEqual(missedInReport("a.o: a.c a.h late.h\n", found, place), [join(cwd, "late.h")]);
  assert.deepEqual(missedInReport("a.o: a.c a.h late.h\n", found, place), [join(cwd, "late.h")]);
  assert.deepEqual(missedInReport("a.o: a.c a.h\n", [...found], place), []);
});

test("system headers of a sandbox are its own", async () => {
  await using scratch = await scratchFolder();
  const cwd = await realpath(scratch.path);
  await mkdir(join(cwd, "folder"));
  await writeFile(join(cwd, "folder/b.h"), "");
  const report = "a.o: /usr/include/stdio.h folder/b.h\n";
  const sandbox = { kind: "docker", container: "c" } as const;
  assert.deepEqual(missedInReport(report, [], { cwd, sandbox }), [join(cwd, "folder/b.h")]);
  assert.deepEqual(
    missedInReport(report, [], { cwd, sandbox: undefined }),
    ["/usr/include/stdio.h", join(cwd, "folder/b.h")].sort(),
  );
});
