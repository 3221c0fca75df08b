/** Two developers on one server with few slots. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { homccProgram } from "../support/repository.ts";
import { startServer } from "../support/server.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkplace } from "../support/workplace.ts";

const slots = 2;
const many = 24;
/** Long beside what a launcher and an agent need to send a job. */
const compileMs = 1_000;

test("one edited file is not queued behind a colleague's build", async () => {
  await using colleague = await createWorkplace();
  await using editor = await createWorkplace();
  const records = join(colleague.folder, "records");
  await mkdir(records);
  const names = [...Array.from({ length: many }, (_, index) => `unit${index}.c`), "first.c", "edited.c"];
  for (const name of names) {
    await writeFile(join(colleague.project, name), "int value;\n");
    await writeFile(join(records, `${name}.o`), "object");
    await writeFile(join(records, `${name}.ms`), `${name === "first.c" ? 1 : compileMs}\n`);
  }
  const replay = ["--executor", "replay", "--replay-dir", records, "--replay-root", colleague.project];
  await using server = await startServer({ limit: slots, options: [...replay, "--log-level", "DEBUG"] });
  const hosts = { HOMCC_HOSTS: `${server.address}/64` };
  const started = (): string[] =>
    [...server.log().matchAll(/(\w+\.c): the compiler starts/g)].map(([, name = ""]) => name);
  const edit = (name: string) =>
    editor.run([homccProgram, "gcc", "-c", name, "-o", join(editor.project, "out.o")], {
      cwd: colleague.project,
      environment: editor.environment(hosts),
    });
  // The agent and its connection are up before.
  assert.equal((await edit("first.c")).status, 0);
  const building = colleague.run(["xargs", "-P", String(many), "-I{}", homccProgram, "gcc", "-c", "{}"], {
    environment: colleague.environment(hosts),
    input: names.slice(0, many).join("\n"),
    timeoutMs: 120_000,
  });
  await waitFor("the colleague's build", () => started().length > 2 * slots);
  const before = started().length;
  const { status, stderr } = await edit("edited.c");
  assert.equal(status, 0, stderr);
  const order = started();
  const at = order.indexOf("edited.c");
  // One end of each slot, and what begins while launcher and agent send the job.
  assert.ok(at - before <= 5 * slots, `${at - before} of the colleague's began before it`);
  assert.equal((await building).status, 0);
  assert.ok(started().length - at > 2 * slots, "the colleague had jobs left");
});
