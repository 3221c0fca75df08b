import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "@homcc/compiler/run-program";
import type { Host } from "@homcc/config/hosts";
import type { LoadedSettings } from "@homcc/config/load";
import { ownRootIdentity } from "@homcc/launch/agent-identity";
import type { LaunchCall } from "@homcc/launch/call";
import type { LaunchRequest } from "@homcc/launch/messages";
import { systemClock } from "@homcc/observability/clock";
import { decide } from "../compile.ts";
import type { Conclusion } from "../conclusion.ts";
import { JobTrace } from "../records/job-trace.ts";
import type { Services } from "../services.ts";
import { TemporaryObjects } from "../temporary-objects.ts";
import type { ExaminedCompiler } from "./compilers.ts";

export interface TestCompile {
  readonly conclusion: Conclusion;
  readonly tookMs: number;
  /** Whether the object is byte for byte that of the local compiler; `undefined` when no server made one. */
  readonly isSame: boolean | undefined;
}

export interface TestCompileCall {
  readonly loaded: LoadedSettings;
  readonly environment: Readonly<Record<string, string>>;
  readonly services: Services;
}

const header = "static int value(int x) { return 3 * x; }\n";
const source =
  '#include <stddef.h>\n#include "part.h"\nint answer(int x) { return value(x) + (int)sizeof(size_t); }\n';
const localTimeLimitMs = 60_000;

/** Has one small file compiled by this server alone, on the way that every job goes, and by the local compiler. */
export async function compileOn(
  host: Host,
  compiler: ExaminedCompiler,
  call: TestCompileCall,
): Promise<TestCompile> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "homcc-doctor-")));
  try {
    const name = compiler.language === "c" ? "test.c" : "test.cpp";
    await writeFile(join(folder, "part.h"), header);
    // Of its own, so that a compiler has to run: no server has its result.
    await writeFile(join(folder, name), `${source}/* ${randomUUID()} */\n`);
    const args = ["-O1", "-c", name, "-o", "test.o"];
    const startMs = systemClock.monotonicMs();
    const conclusion = await compileRemotely(host, compiler, args, folder, call);
    const tookMs = systemClock.monotonicMs() - startMs;
    const object = join(folder, "test.o");
    const remote = conclusion.outcome === "compiled-remotely" ? await readFile(object) : undefined;
    if (remote === undefined) return { conclusion, tookMs, isSame: undefined };
    await runProgram(compiler.found.path, {
      args,
      argv0: compiler.found.name,
      cwd: folder,
      environment: call.environment,
      timeLimitMs: localTimeLimitMs,
    });
    return { conclusion, tookMs, isSame: remote.equals(await readFile(object)) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function compileRemotely(
  host: Host,
  { found }: ExaminedCompiler,
  args: readonly string[],
  folder: string,
  { loaded, environment, services }: TestCompileCall,
): Promise<Conclusion> {
  const request: LaunchRequest = {
    argv: [found.name, ...args],
    compilerPath: found.path,
    cwd: folder,
    environment: { ...environment, PWD: folder },
    invalidVariables: [],
    notUtf8: false,
    options: {},
    umask: process.umask(),
    pid: process.pid,
    rootIdentity: ownRootIdentity(),
    agentIdentity: "",
    terminals: [undefined, undefined, undefined],
    noticeTerminal: false,
    session: 0,
  };
  const alone: LoadedSettings = {
    ...loaded,
    // Also one that the limit 0 keeps from being used.
    hosts: [{ ...host, limit: Math.max(1, host.limit) }],
    pools: [],
    noHosts: undefined,
    fatal: undefined,
  };
  await using objects = new TemporaryObjects(undefined);
  return await decide(silentCall(request), alone, services, new JobTrace(), objects);
}

/** A call without a launcher: nobody reads its output, nothing is run at home for it. */
function silentCall(request: LaunchRequest): LaunchCall {
  const nothing = async (): Promise<void> => {};
  return {
    request,
    signal: new AbortController().signal,
    stdout: nothing,
    stderr: nothing,
    notice: nothing,
    exit: () => {},
    killedBy: () => {},
    execute: nothing,
    supervise: async () => undefined,
    abandon: () => {},
  };
}
