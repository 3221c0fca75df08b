/** HOMCC_DEBUG_DIR: two equal builds leave equal texts, and a difference shows where it is. */
import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { writeFiles } from "../../support/files.ts";
import { homccProgram } from "../../support/repository.ts";
import { startServer } from "../../support/server.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

const build = [
  "set -e",
  '"$HOMCC" g++ -g -c a.cpp -o a.o',
  '"$HOMCC" g++ -c b.cpp -o b.o',
  '"$HOMCC" gcc -c pic.S -o pic.o -save-temps=obj',
  '"$HOMCC" g++ main.cpp a.o b.o -o app',
].join("\n");

async function buildInto(workplace: Workplace, name: string): Promise<void> {
  const environment = workplace.environment({
    HOMCC: homccProgram,
    HOMCC_DEBUG_DIR: join(workplace.folder, name),
  });
  const { status, stderr } = await workplace.run(["/bin/sh", "-c", build], { environment });
  assert.equal(status, 0, stderr);
}

async function difference(workplace: Workplace): Promise<string[]> {
  const { stdout } = await workplace.run(["diff", "-r", "one/jobs", "two/jobs"], { cwd: workplace.folder });
  return stdout.split("\n").filter((line) => /^[<>]|^Only/.test(line));
}

test("two builds have no difference, an edited header is one line in each job that reads it", async () => {
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: false });
  const files = {
    "a.cpp": '#include "h.h"\nint a() { return VALUE; }\n',
    "b.cpp": '#include "other.h"\nint b() { return OTHER; }\n',
    "main.cpp": '#include "h.h"\nint a();\nint b();\nint main() { return a() - b() - VALUE + 1; }\n',
    "pic.S": ".globl pic\npic: ret\n",
    "h.h": "#define VALUE 1\n",
    "other.h": "#define OTHER 1\n",
  };
  await writeFiles(workplace.project, files, new Date("2024-03-04T05:06:07Z"));
  await buildInto(workplace, "one");
  // Other times, another agent's memory, existing outputs: none of it is the job.
  await rm(join(workplace.homccFolder, "agent"), { recursive: true, force: true });
  await writeFile(join(workplace.project, "h.h"), "#define VALUE 1\n");
  await buildInto(workplace, "two");
  assert.deepEqual(await difference(workplace), []);
  const [jobs, phases] = await Promise.all(
    ["jobs", "phases"].map((part) => readdir(join(workplace.folder, "two", part))),
  );
  assert.equal(jobs?.length, 4);
  assert.deepEqual(
    jobs.filter((name) => !/^[\w.+]+-[0-9a-f]{12}\.txt$/.test(name)),
    [],
  );
  const name = jobs.find((each) => each.startsWith("a.cpp-")) ?? "";
  const text = await readFile(join(workplace.folder, "two/jobs", name), "utf8");
  for (const expected of [
    /^outcome: 1 compiled-remotely$/m,
    /^argument: -g$/m,
    /^input: \S+\/h\.h [0-9a-f]{64}\/16$/m,
  ])
    assert.match(text, expected);
  assert.ok(phases !== undefined && phases.length >= 3);
  const times = await readFile(join(workplace.folder, "two/phases", name), "utf8");
  for (const phase of ["analyse", "discover and digest", "place", "run", "execute \\(on the server\\)"])
    assert.match(times, new RegExp(`^${phase}: [0-9.]+ ms$`, "m"));

  await writeFile(join(workplace.project, "h.h"), "#define VALUE 2\n");
  await rm(join(workplace.folder, "two"), { recursive: true });
  await buildInto(workplace, "two");
  const lines = await difference(workplace);
  assert.equal(lines.length, 4, lines.join("\n"));
  for (const line of lines) assert.match(line, /^[<>] input: \S+\/h\.h [0-9a-f]{64}\/16$/);
});

test("a folder that cannot be written disturbs nothing", async () => {
  await using workplace = await createWorkplace({ forbidLocal: false });
  await writeFile(join(workplace.project, "a.c"), "int x;\n");
  for (const folder of ["/proc/homcc", join(workplace.project, "a.c")]) {
    const environment = workplace.environment({ HOMCC_DEBUG_DIR: folder });
    const { status } = await workplace.run([homccProgram, "gcc", "-c", "a.c"], { environment });
    assert.equal(status, 0);
  }
  const log = await readFile(join(workplace.homccFolder, "run/agent.log"), "utf8");
  assert.match(log, /HOMCC_DEBUG_DIR: /);
});
