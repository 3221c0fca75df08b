/**
 * The differential suite's engine: a case is a small project and a command. It runs once with the plain compiler and
 * once through homcc with local compilation forbidden, both times in a fresh folder of the same name; object bytes,
 * all other files, their modes, exit status and both streams must be the same, and the job must have run where it
 * should have.
 */
import assert from "node:assert/strict";
import { mkdir, rm } from "node:fs/promises";
import { after, before, test, type TestContext } from "node:test";
import type { JobRecord } from "@homcc/homcc/records/job-log";
import { type OutcomeName, outcomes } from "@homcc/observability/outcomes";
import { type CommandResult, runCommand } from "./command.ts";
import { type Files, projectTimeMs, writeFiles } from "./files.ts";
import { runPty, type TerminalOptions } from "./pty.ts";
import { homccProgram } from "./repository.ts";
import { meets, type Requirement } from "./requirements.ts";
import { type Server, type ServerOptions, startServer } from "./server.ts";
import { compareSnapshots, type Snapshot, takeSnapshot } from "./snapshot.ts";
import { createWorkplace, type Workplace } from "./workplace.ts";

export type Family = "gcc" | "clang";

/**
 * Where the job must have run: `remote` and it succeeded; `remote-error`: the remote compiler's error is final;
 * `local`: decided beforehand, with any reason or with this one; `none`: no job is recorded at all.
 */
export type Expectation = "remote" | "remote-error" | "local" | `local:${OutcomeName}` | "none";

export interface Step {
  /** Written before the command, each with a later time than the files of the step before. */
  readonly files?: Files;
  /**
   * For a shell, in which $CC and $CXX are the compiler, plain or through homcc, and $ROOT is the project's folder.
   */
  readonly command: string;
  readonly expect?: Expectation | Readonly<Record<Family, Expectation>>;
  /** Calls of homcc in the command. Default 1. */
  readonly calls?: number;
}

export interface Case extends Step {
  readonly name: string;
  readonly files: Files;
  /** Shell script that completes the project before anything runs, for what `files` cannot say. */
  readonly prepare?: string;
  readonly followedBy?: readonly Step[];
  /** Working folder, relative to the project's. */
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly terminal?: Pick<TerminalOptions, "columns" | "rows" | "descriptors">;
  /** Only this compiler knows the option. */
  readonly only?: Family;
  readonly requires?: readonly Requirement[];
  /** Files whose content holds times or the like: they must exist in both, with the same mode. */
  readonly ignoreContent?: readonly string[];
  /** Masks what two runs of the plain compiler do not agree on either, such as the names of temporary files. */
  readonly mask?: RegExp;
}

export interface SuiteOptions {
  /** Default true: what cannot be compiled remotely fails with 69 and cannot pass for a success. */
  readonly forbidLocal?: boolean;
  /** Folder in which the projects lie; the system's folder for temporary files without it. */
  readonly parent?: string;
  readonly server?: ServerOptions;
}

const compilers: Readonly<Record<Family, { readonly c: string; readonly cxx: string }>> = {
  gcc: { c: "gcc", cxx: "g++" },
  clang: { c: "clang", cxx: "clang++" },
};

const stepMs = 60_000;

/** Registers a test for each case and compiler; all share one server and one agent. */
export function differentialSuite(cases: readonly Case[], options: SuiteOptions = {}): void {
  let server: Server | undefined;
  let workplace: Workplace | undefined;

  before(async () => {
    server = await startServer(options.server);
    workplace = await createWorkplace({
      hosts: `${server.address}/4`,
      forbidLocal: options.forbidLocal ?? true,
      ...(options.parent === undefined ? {} : { parent: options.parent }),
    });
  });
  after(async () => {
    await workplace?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  for (const family of ["gcc", "clang"] as const) {
    for (const item of cases) {
      if (item.only !== undefined && item.only !== family) continue;
      test(`${family}: ${item.name}`, async (t: TestContext) => {
        assert.ok(server !== undefined && workplace !== undefined);
        if (!meets(t, { program: compilers[family].cxx }, ...requirementsOf(item))) return;
        await runCase(item, family, workplace, server);
      });
    }
  }
}

function requirementsOf(item: Case): readonly Requirement[] {
  const terminal: Requirement[] = item.terminal === undefined ? [] : [{ program: "python3" }];
  return [...terminal, ...(item.requires ?? [])];
}

async function runCase(item: Case, family: Family, workplace: Workplace, server: Server): Promise<void> {
  const expected = await observe(item, family, "", workplace);
  const jobsBefore = (await workplace.jobs()).length;
  const actual = await observe(item, family, `${homccProgram} `, workplace);
  const steps = stepsOf(item);
  const calls = steps.map((step) => (expectationOf(step, family) === "none" ? 0 : (step.calls ?? 1)));
  const differences = steps.flatMap((_, i) => numbered(i, compareRuns(item, expected[i], actual[i])));
  // A command that went wrong may have ended before its last call.
  const jobs = (await workplace.jobs(differences.length > 0 ? 0 : jobsBefore + sum(calls))).slice(jobsBefore);
  for (const [i, step] of steps.entries()) {
    const own = jobs.slice(sum(calls.slice(0, i)), sum(calls.slice(0, i + 1)));
    const expectation = expectationOf(step, family);
    differences.push(
      ...numbered(
        i,
        own.flatMap((job) => checkPlace(expectation, job, server.address)),
      ),
    );
  }
  if (jobs.length !== sum(calls))
    differences.push(`${jobs.length} jobs were recorded instead of ${sum(calls)}`);
  assert.deepEqual(differences, []);
}

function numbered(index: number, texts: readonly string[]): string[] {
  return texts.map((text) => `step ${index + 1}: ${text}`);
}

function stepsOf(item: Case): readonly Step[] {
  return [item, ...(item.followedBy ?? [])];
}

interface Observation extends CommandResult {
  readonly terminal: string;
  readonly files: Snapshot;
  /** Files that are new or have another time, with a time before the command's start. */
  readonly stale: readonly string[];
}

/** Makes the project anew and runs all steps. */
async function observe(
  item: Case,
  family: Family,
  prefix: string,
  workplace: Workplace,
): Promise<Observation[]> {
  const root = workplace.project;
  await rm(root, { recursive: true, force: true });
  await mkdir(root);
  const environment = workplace.environment({
    ...item.environment,
    CC: `${prefix}${compilers[family].c}`,
    CXX: `${prefix}${compilers[family].cxx}`,
    ROOT: root,
  });
  const observations: Observation[] = [];
  for (const [i, step] of stepsOf(item).entries()) {
    await writeFiles(root, step.files ?? {}, new Date(projectTimeMs + i * stepMs));
    if (i === 0 && item.prepare !== undefined) {
      const prepared = await runCommand(["/bin/sh", "-ec", item.prepare], { cwd: root, environment });
      assert.equal(prepared.status, 0, prepared.stderr);
    }
    observations.push(await runStep(item, step, root, environment));
  }
  return observations;
}

async function runStep(
  item: Case,
  step: Step,
  root: string,
  environment: Readonly<Record<string, string>>,
): Promise<Observation> {
  const present = await takeSnapshot(root);
  const startMs = Date.now();
  const options = { cwd: `${root}/${item.cwd ?? ""}`, environment };
  const command = ["/bin/sh", "-c", step.command];
  const result =
    item.terminal === undefined
      ? { ...(await runCommand(command, options)), terminal: "" }
      : await runPty(command, { ...options, ...item.terminal });
  const files = await takeSnapshot(root);
  return { ...result, files, stale: staleFiles(present, files, startMs) };
}

/** The clock of a file system is up to one tick, 10 ms, behind the system's. */
const clockGrainMs = 10;

function staleFiles(present: Snapshot, now: Snapshot, startMs: number): string[] {
  const stale: string[] = [];
  for (const [name, entry] of now) {
    const old = present.get(name);
    if (entry.kind !== "file" || (old?.kind === "file" && old.mtimeMs === entry.mtimeMs)) continue;
    if (entry.mtimeMs < startMs - clockGrainMs) stale.push(name);
  }
  return stale;
}

function compareRuns(
  item: Case,
  expected: Observation | undefined,
  actual: Observation | undefined,
): string[] {
  if (expected === undefined || actual === undefined) return ["was not run"];
  const differences = (["status", "signal", "stdout", "stderr", "terminal"] as const).flatMap((name) => {
    const [wanted, got] = [maskText(item, expected[name]), maskText(item, actual[name])];
    return wanted === got ? [] : [`${name} is ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`];
  });
  return [
    ...differences,
    ...compareSnapshots(expected.files, actual.files, item.ignoreContent),
    ...actual.stale.map((name) => `${name}: was given an old time`),
  ];
}

function maskText<T>(item: Case, value: T): T | string {
  return typeof value === "string" && item.mask !== undefined
    ? value.replaceAll(item.mask, "<masked>")
    : value;
}

function expectationOf(step: Step, family: Family): Expectation {
  const expect = step.expect ?? "remote";
  return typeof expect === "string" ? expect : expect[family];
}

function checkPlace(expectation: Expectation, job: JobRecord, address: string): string[] {
  const problem = `ran on ${job.host} as ${job.outcome} (${job.detail}) instead of ${expectation}`;
  return isWhereExpected(expectation, job, address) ? [] : [problem];
}

function isWhereExpected(expectation: Expectation, job: JobRecord, address: string): boolean {
  if (expectation === "remote") return job.outcome === "compiled-remotely" && job.host === address;
  if (expectation === "remote-error") return job.outcome === "compile-error" && job.host === address;
  if (expectation === "none" || job.host !== "localhost") return false;
  return expectation === "local"
    ? outcomes[job.outcome].kind === "local"
    : expectation === `local:${job.outcome}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
