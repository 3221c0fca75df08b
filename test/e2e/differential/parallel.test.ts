/** Many jobs at once, as a build has them: nothing of one may show in another. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { runCommand } from "../../support/command.ts";
import { type Files, writeFiles } from "../../support/files.ts";
import { homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { type Server, startServer } from "../../support/server.ts";
import { compareSnapshots, takeSnapshot } from "../../support/snapshot.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";
import { rm, mkdir } from "node:fs/promises";

const jobs = 64;

/** Sources that share headers, have headers of their own, warn, and fail (every eighth). */
const project: Files = {
  "shared/all.h": "#pragma once\n#include <stddef.h>\nstruct All { size_t size; };\n",
  ...Object.fromEntries(
    Array.from({ length: jobs }, (_, i) => [
      [
        `src/s${i}.c`,
        `#include "all.h"\n#include "own.h"\nsize_t f${i}(struct All *a) { ${i % 8 === 7 ? "broken" : ""} return a->size + OWN; }\n`,
      ],
      [`own${i}/own.h`, `#define OWN ${i}\n${i % 4 === 0 ? `#warning number ${i}\n` : ""}`],
    ]).flat(),
  ),
};

let server: Server;
let workplace: Workplace;
before(async () => {
  server = await startServer({ limit: 64 });
  workplace = await createWorkplace({ hosts: `${server.address}/${jobs}` });
});
after(async () => {
  await workplace?.[Symbol.asyncDispose]();
  await server?.stop();
});

for (const compiler of ["gcc", "clang"]) {
  test(`${compiler}: ${jobs} at once on an empty server`, async (t) => {
    if (!meets(t, { program: compiler })) return;
    const [expected, actual] = [await buildAll([compiler]), await buildAll([homccProgram, compiler])];
    assert.deepEqual(actual.results, expected.results);
    assert.deepEqual(compareSnapshots(expected.files, actual.files), []);
  });

  test(`${compiler}: the same ${jobs} again`, async (t) => {
    if (!meets(t, { program: compiler })) return;
    const [expected, actual] = [
      await buildAll([compiler, "-O1"]),
      await buildAll([homccProgram, compiler, "-O1"]),
    ];
    assert.deepEqual(actual.results, expected.results);
    assert.deepEqual(compareSnapshots(expected.files, actual.files), []);
  });
}

test("all of them ran on the server", async (t) => {
  if (!meets(t, { program: "clang" })) return;
  const records = await workplace.jobs(4 * jobs);
  const places = new Set(records.map(({ outcome, host }) => `${outcome} on ${host}`));
  assert.deepEqual(
    places,
    new Set([`compiled-remotely on ${server.address}`, `compile-error on ${server.address}`]),
  );
  assert.equal(records.length, 4 * jobs);
});

async function buildAll(
  compiler: readonly string[],
): Promise<{ results: unknown[]; files: Awaited<ReturnType<typeof takeSnapshot>> }> {
  await rm(workplace.project, { recursive: true, force: true });
  await mkdir(workplace.project);
  await writeFiles(workplace.project, project);
  // As long as a test may last: 64 at once keep each other waiting.
  const options = { cwd: workplace.project, environment: workplace.environment(), timeoutMs: 120_000 };
  const results = await Promise.all(
    Array.from({ length: jobs }, (_, i) =>
      runCommand(
        [...compiler, "-g", "-Ishared", `-Iown${i}`, "-MMD", "-c", `src/s${i}.c`, "-o", `s${i}.o`],
        options,
      ),
    ),
  );
  return { results, files: await takeSnapshot(workplace.project) };
}
