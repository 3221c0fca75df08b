/**
 * What a compiler reads is compared with what its job named. `#pragma GCC target` defines macros in a compile and not in `gcc -M`:
 * a real case of which the scanner does not know.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { JobRecord } from "@homcc/homcc/records/job-log";
import { homccProgram } from "../support/repository.ts";
import { startServer } from "../support/server.ts";
import { createWorkplace, type Workplace } from "../support/workplace.ts";

const isX86 = process.arch === "x64";

function hidden(header: string): string {
  return `#pragma GCC target("avx2")\n#ifdef __AVX2__\n#include ${header}\n#endif\nint value = sizeof(THERE);\n`;
}

async function compile(workplace: Workplace, source: string, count: number): Promise<JobRecord> {
  const result = await workplace.run([homccProgram, "gcc", "-c", `${source}.c`]);
  assert.equal(result.status, 0, result.stderr);
  const record = (await workplace.jobs(count)).at(-1);
  assert.ok(record !== undefined);
  const object = await readFile(join(workplace.project, `${source}.o`));
  execFileSync("gcc", ["-c", `${source}.c`, "-o", "plain.o"], { cwd: workplace.project });
  assert.ok(object.equals(await readFile(join(workplace.project, "plain.o"))), `${source}.o differs`);
  return record;
}

async function incompleteScans(workplace: Workplace): Promise<number> {
  const { stdout } = await workplace.run([homccProgram, "stats"]);
  return Number(/Incomplete scans\s+(\d+)/.exec(stdout)?.[1] ?? 0);
}

test("a header of the toolchain that the scan lacks is noticed by the first job, and its result is not kept", async (t) => {
  if (!isX86) return t.skip("needs an x86 processor");
  await using server = await startServer({ resultCache: true });
  await using workplace = await createWorkplace({ hosts: server.address });
  const text = hidden("<stddef.h>").replace("THERE", "size_t");
  await writeFile(join(workplace.project, "a.c"), text);
  await writeFile(join(workplace.project, "b.c"), "#include <stddef.h>\nsize_t b;\n");
  assert.equal((await compile(workplace, "b", 1)).outcome, "compiled-remotely");
  assert.equal(await incompleteScans(workplace), 0);
  assert.equal((await compile(workplace, "a", 2)).outcome, "compiled-remotely");
  assert.equal(await incompleteScans(workplace), 1);
  assert.equal((await compile(workplace, "a", 3)).outcome, "compiled-remotely");
  assert.equal(await incompleteScans(workplace), 1, "these options are scanned no more");
  assert.doesNotMatch(server.log(), /a\.c: from an earlier job/);
  assert.equal((await compile(workplace, "b", 4)).outcome, "result-from-server");
  return undefined;
});

test("an older version of a header that other jobs left on the server does not get into an object", async (t) => {
  if (!isX86) return t.skip("needs an x86 processor");
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: server.address });
  const header = join(workplace.project, "h.h");
  await writeFile(join(workplace.project, "a.c"), hidden('"h.h"').replace("THERE", "struct h"));
  await writeFile(header, "struct h { char text[100]; };\n");
  // Until the server shares it among the jobs of the connection.
  for (let job = 1; job <= 6; job += 1) {
    await writeFile(join(workplace.project, "b.c"), `#include "h.h"\nstruct h b${job};\n`);
    assert.equal((await compile(workplace, "b", job)).outcome, "compiled-remotely");
  }
  await writeFile(header, "struct h { char text[200]; };\n");
  // Once more, with all that the compiler may probe.
  assert.equal((await compile(workplace, "a", 7)).outcome, "compiled-remotely");
  assert.equal(await incompleteScans(workplace), 1);
  return undefined;
});
