import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startHeldLink } from "./held-link.ts";
import type { Phase } from "./job-phases.ts";
import { assertNoLeaks } from "./leaks.ts";
import { recordSurvived } from "./reliability.ts";
import { homccProgram } from "./repository.ts";
import { startServer } from "./server.ts";
import { assertSameUnit, unitCompile } from "./unit-compile.ts";
import { createWorkplace } from "./workplace.ts";

const serverOptions = { resultCache: true, options: ["--log-level", "DEBUG"], limit: 1 } as const;

/** Ends the launchers in that phase: a whole object or none, nothing goes on, and the next job is as any other. */
export async function endLauncherIn(
  { name, cold = false, reach }: Phase,
  signal: NodeJS.Signals,
): Promise<void> {
  await using server = await startServer(serverOptions);
  await using link = await startHeldLink(server.port);
  await using workplace = await createWorkplace({ hosts: `${link.address}/4` });
  await writeFile(join(workplace.project, "next.cpp"), "int next;\n");
  if (!cold) assert.equal((await workplace.run(unitCompile("next"))).status, 0);
  const jobs = await reach({ server, link, workplace });
  for (const { running } of jobs) running.kill(signal);
  link.release();
  for (const { unit, running } of jobs) {
    const { signal: endedBy, status } = await running.finished;
    if (status !== 0) assert.equal(endedBy, signal);
    if (status === 0 || existsSync(join(workplace.project, `${unit}.o`)))
      await assertSameUnit(workplace, unit);
  }
  await writeFile(join(workplace.project, "next.cpp"), "int next = 2;\n");
  const { status, stderr } = await workplace.run(unitCompile("next"));
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  await assertNoLeaks({ servers: [server], workplaces: [workplace] });
  recordSurvived(`The launcher ends by a signal while ${name}`);
}

const outputs = ["many.ii", "many.s", "many.o", "many.d"];
const severalOutputs = ["g++", "-O2", "-MMD", "-save-temps", "-c", "many.cpp", "-o", "many.o"];

/** Ends a launcher at `times` moments of a job with four outputs, also while they are renamed: each is whole or absent. */
export async function endLauncherAtMoments(times: number): Promise<void> {
  await using server = await startServer(serverOptions);
  await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
  await writeFile(
    join(workplace.project, "many.cpp"),
    "#include <string>\nstd::string many(int i) { return std::to_string(i); }\n",
  );
  const read = async (name: string) => await readFile(join(workplace.project, name)).catch(() => undefined);
  assert.equal((await workplace.run(severalOutputs)).status, 0);
  const plain = await Promise.all(outputs.map(read));
  const compile = [homccProgram, ...severalOutputs];
  assert.equal((await workplace.run(compile)).status, 0);
  const startedMs = performance.now();
  assert.equal((await workplace.run(compile)).status, 0);
  const tookMs = performance.now() - startedMs;
  for (let time = 0; time < times; time += 1) {
    for (const name of outputs) await rm(join(workplace.project, name), { force: true });
    const running = workplace.start(compile);
    const timer = setTimeout(() => running.kill("SIGKILL"), (tookMs * (time + 0.5)) / times);
    await running.finished;
    clearTimeout(timer);
    for (const [index, name] of outputs.entries()) {
      const ours = await read(name);
      assert.ok(ours === undefined || plain[index]?.equals(ours), `${name} after ${time} of ${times}`);
    }
  }
  await assertNoLeaks({ servers: [server], workplaces: [workplace] });
  recordSurvived("The launcher is killed at any moment of a job with four outputs", times);
}
