import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentStatus } from "@homcc/homcc/agent-status";
import { type ForeignCompiler, makeForeignCompiler } from "./foreign-compiler.ts";
import { homccProgram } from "./repository.ts";
import { waitFor } from "./wait-for.ts";
import { createWorkplace, type Workplace } from "./workplace.ts";

/** Beside other tests a machine takes long for what is quick otherwise. */
const patienceMs = 90_000;

/** A developer whose compiler no server has. */
export interface Developer {
  readonly workplace: Workplace;
  readonly compiler: ForeignCompiler;
  /** Compiles plainly and through homcc, compares, and gives the job's record and what homcc said. */
  readonly compile: (options?: {
    readonly driver?: string;
    readonly hosts?: string;
  }) => Promise<{ readonly outcome: string; readonly host: string; readonly said: string }>;
}

/** `bytes`: what only his compiler has, unless it is `given`. Needs root. */
export async function foreignDeveloper(
  hosts: string,
  bytes: number,
  forbidLocal = false,
  given?: ForeignCompiler,
): Promise<Developer> {
  const workplace = await createWorkplace({ hosts, forbidLocal });
  const compiler = given ?? (await makeForeignCompiler(join(workplace.folder, "tools"), bytes));
  await writeFile(
    join(workplace.project, "a.c"),
    "#include <stdio.h>\nvoid f(void) { puts(__VERSION__); }\n",
  );
  let jobs = 0;
  return {
    workplace,
    compiler,
    compile: async ({ driver = compiler.driver, hosts: named = hosts } = {}) => {
      const environment = workplace.environment({ HOMCC_HOSTS: named });
      const command = [driver, "-g", "-O2", "-c", "a.c", "-o", "a.o"];
      const object = join(workplace.project, "a.o");
      assert.equal((await workplace.run(command)).status, 0);
      const expected = await readFile(object);
      const { status, stderr } = await workplace.run([homccProgram, ...command], { environment });
      assert.equal(status, 0, stderr);
      assert.ok(expected.equals(await readFile(object)), "another object");
      jobs += 1;
      const { outcome = "", host = "" } = (await workplace.jobs(jobs)).at(-1) ?? {};
      return { outcome, host, said: stderr };
    },
  };
}

export async function statusOf(workplace: Workplace): Promise<AgentStatus> {
  const { stdout } = await workplace.run([homccProgram, "status", "--json"]);
  const status: AgentStatus = JSON.parse(stdout);
  return status;
}

/** Compiles until that comes of it; gives what homcc said then. */
export async function untilOutcome({ compile }: Developer, wanted: string): Promise<string> {
  return await waitFor(
    wanted,
    async () => {
      const { outcome, said } = await compile();
      return outcome === wanted && said;
    },
    patienceMs,
  );
}

/** Compiles until a server did it, and gives which. */
export async function untilRemote({ compile }: Developer, hosts?: string): Promise<string> {
  return await waitFor(
    "a job on a server",
    async () => {
      const { outcome, host } = await compile(hosts === undefined ? {} : { hosts });
      return outcome === "compiled-remotely" && host;
    },
    patienceMs,
  );
}
