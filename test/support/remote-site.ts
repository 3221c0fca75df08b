import assert from "node:assert/strict";
import { mkdir, rm } from "node:fs/promises";
import type { JobRecord } from "@homcc/homcc/records/job-log";
import type { OutcomeName } from "@homcc/observability/outcomes";
import { writeFiles } from "./files.ts";
import { homccProgram } from "./repository.ts";
import { type Server, startServer } from "./server.ts";
import { waitFor } from "./wait-for.ts";
import { createWorkplace, type Workplace } from "./workplace.ts";

/** A server, and a developer's machine with a program of two sources, which may compile nowhere else. */
export interface RemoteSite extends AsyncDisposable {
  readonly server: Server;
  readonly workplace: Workplace;
  /** Writes the project anew: `a.cpp` includes `h.h`, `main.cpp` calls it. */
  reset(): Promise<void>;
  /**
   * Runs a shell command in the project, in which `$HOMCC` is homcc; it must succeed, and `count` compiles must have run
   * on the server. Resolves to what it printed.
   */
  expectRemote(
    count: number,
    script: string,
    variables?: Readonly<Record<string, string | undefined>>,
  ): Promise<string>;
}

/** What a build calls its compiler for besides compiling. */
const otherOutcomes: ReadonlySet<OutcomeName> = new Set([
  "linking-only",
  "no-compilation",
  "configure-check",
]);

/** `parent`: where the project lies; the system's folder for temporary files without it. */
export async function createRemoteSite(options: { readonly parent?: string } = {}): Promise<RemoteSite> {
  const server = await startServer();
  const workplace = await createWorkplace({ ...options, hosts: `${server.address}/4` });
  return {
    server,
    workplace,
    reset: async () => {
      await rm(workplace.project, { recursive: true, force: true });
      await mkdir(workplace.project);
      await writeFiles(workplace.project, {
        "a.cpp": '#include "h.h"\nint value() { return VALUE; }\n',
        "main.cpp": "int value();\nint main() { return value() - 1; }\n",
        "h.h": "#define VALUE 1\n",
      });
    },
    expectRemote: async (count, script, variables = {}) => {
      const compiles = async (): Promise<JobRecord[]> =>
        (await workplace.jobs()).filter(({ outcome }) => !otherOutcomes.has(outcome));
      const before = (await compiles()).length;
      const environment = workplace.environment({ HOMCC: homccProgram, ...variables });
      const result = await workplace.run(["/bin/sh", "-ec", script], { environment });
      assert.equal(result.status, 0, result.stderr + result.stdout);
      // A job is written down after its launcher has ended.
      await waitFor(`${count} more compiles in the log`, async () =>
        (await compiles()).length >= before + count ? true : undefined,
      );
      assert.deepEqual(
        (await compiles()).slice(before).map(({ outcome, host }) => `${outcome} on ${host}`),
        Array.from({ length: count }, () => `compiled-remotely on ${server.address}`),
      );
      return result.stdout;
    },
    [Symbol.asyncDispose]: async () => {
      await workplace[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}
