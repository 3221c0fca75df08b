import { analyse } from "@homcc/compiler/analyse";
import type { Analysis, Compilation, LinkStep } from "@homcc/compiler/compilation";
import type { CompilerIdentity } from "@homcc/compiler/compiler-identity";
import type { LoadedSettings } from "@homcc/config/load";
import type { LaunchCall } from "@homcc/launch/call";
import { describeError, exitStatusOf, hasCode, type HomccError } from "@homcc/observability/error";
import type { OutcomeName } from "@homcc/observability/outcomes";
import { atHome, type Conclusion } from "./conclusion.ts";
import { auditOnDemand } from "./audit/on-demand.ts";
import { checkQuarantine } from "./audit/quarantine-check.ts";
import { auditSubject } from "./audit/subject-of.ts";
import { explain } from "./explain.ts";
import { linkEnding } from "./link-ending.ts";
import type { JobTrace } from "./records/job-trace.ts";
import { compileRemotely, type RemoteCompilation } from "./remote/remote-compilation.ts";
import type { Services } from "./services.ts";
import { verifyScan } from "./verify-scan.ts";
import type { TemporaryObjects } from "./temporary-objects.ts";

export type KnownCompiler = Extract<CompilerIdentity, { family: "gcc" | "clang" }>;

/** The main path: what is it, can it be distributed, compile it, write the outputs. */
export async function decide(
  call: LaunchCall,
  loaded: LoadedSettings,
  services: Services,
  trace: JobTrace,
  objects: TemporaryObjects,
): Promise<Conclusion> {
  const { request } = call;
  if (request.notUtf8) return atHome("not-utf8", "argument or working folder");
  if (request.rootIdentity !== services.rootIdentity) return atHome("other-root", request.rootIdentity);
  const identifying = services.compilers.identify(request.compilerPath, request.environment);
  const compiler = await trace.phases.time("identify", identifying);
  if (compiler.family === "neither") return atHome("not-a-compiler", request.compilerPath);

  const analysing = analyse(
    { argv: request.argv, cwd: request.cwd, environment: request.environment, family: compiler.family },
    { temporaryObject: (source) => objects.objectPath(source, compiler.family) },
  );
  const analysis = await trace.phases.time("analyse", analysing);
  const isQuestion = analysis.verdict === "local" && analysis.silent;
  if (loaded.fatal !== undefined && !isQuestion) return refuse("contradictory-settings", loaded.fatal);
  if (request.options["verify-scan"] !== undefined)
    return await verifyScan(call, analysis, compiler, services);
  if (request.options["explain"] !== undefined || request.options["scan-includes"] !== undefined) {
    return await explain(call, loaded, analysis, compiler, services);
  }
  const isAudit = request.options["audit"] !== undefined;
  if (analysis.verdict === "local" && !isAudit) return local(analysis);
  const resolving = services.pools.resolve(loaded);
  const resolved = loaded.pools.length === 0 ? loaded : await trace.phases.time("pools", resolving);
  if (isAudit) return await auditOnDemand(call, resolved, services, compiler, analysis, trace);
  if (analysis.verdict === "local") return local(analysis);
  trace.sources.push(...analysis.compilations.map(({ source }) => source));
  if (loaded.noHosts !== undefined) return withoutHosts(loaded.noHosts, loaded.settings.noLocalCompilation);
  const checked = await checkQuarantine(resolved, analysis, request, compiler, services);
  if (checked.kind === "barred") return checked.conclusion;
  return await distribute(call, checked.loaded, services, compiler, analysis, trace);
}

function withoutHosts(error: HomccError, noLocalCompilation: boolean): Conclusion {
  return noLocalCompilation ? refuse("no-hosts", error) : atHome("no-hosts", describeError(error));
}

/** The job ends with the error's own status, and nothing is compiled anywhere. */
function refuse(outcome: OutcomeName, error: HomccError): Conclusion {
  const status = exitStatusOf[error.code] ?? 1;
  return { outcome, detail: describeError(error), silent: false, ending: { kind: "exit", status } };
}

function local(analysis: Extract<Analysis, { verdict: "local" }>): Conclusion {
  const detail =
    analysis.linkOutput === undefined
      ? analysis.detail
      : `[${analysis.detail}] is linking-only to '${analysis.linkOutput}'`;
  return atHome(analysis.outcome, detail, analysis.silent);
}

/** Compiles every source remotely; one fallback brings the whole command home, as it was called. */
async function distribute(
  call: LaunchCall,
  loaded: LoadedSettings,
  services: Services,
  compiler: KnownCompiler,
  analysis: Extract<Analysis, { verdict: "distribute" }>,
  trace: JobTrace,
): Promise<Conclusion> {
  const settled = await Promise.allSettled(
    analysis.compilations.map((compilation) =>
      compileRemotely(compilation, call, loaded, services, compiler, trace),
    ),
  );
  const results = settled.filter((end) => end.status === "fulfilled").map((end) => end.value);
  const finals = results.filter((result) => result.kind === "final");
  const failed = results.find((result) => result.kind === "fallback");
  if (finals.length < settled.length || call.signal.aborted) await discard(finals);
  call.signal.throwIfAborted();
  const broken = settled.find((end) => end.status === "rejected");
  if (broken !== undefined) throw broken.reason;
  if (failed !== undefined) {
    const { outcome, detail, doubtedStatus } = failed;
    return doubtedStatus === undefined
      ? atHome(outcome, detail)
      : { ...atHome(outcome, detail), doubtedStatus };
  }
  // The object of a command that also links is gone when there is time for an audit.
  if (analysis.link === undefined) {
    for (const [index, result] of finals.entries()) {
      await services.auditor?.sample(loaded.settings.auditRate, () => {
        const compilation = analysis.compilations[index];
        return compilation && auditSubject(result, compilation, call.request, compiler, services);
      });
    }
  }
  return await apply(call, finals, analysis.compilations, analysis.link, call.request.compilerPath);
}

type FinalResult = Extract<RemoteCompilation, { kind: "final" }>;

async function discard(results: readonly FinalResult[]): Promise<void> {
  await Promise.all(results.map((result) => result.discard()));
}

/** Puts the outputs in place, prints the messages in command order, and links or ends with the compilers' status. */
async function apply(
  call: LaunchCall,
  results: readonly FinalResult[],
  compilations: readonly Compilation[],
  link: LinkStep | undefined,
  compilerPath: string,
): Promise<Conclusion> {
  try {
    for (const result of results) await result.commit();
  } catch (error) {
    await discard(results);
    if (!hasCode(error, "ERR_HOMCC_OUTPUT")) throw error;
    return atHome("output-failed", describeError(error));
  }
  for (const result of results) {
    await call.stdout(result.stdout);
    await call.stderr(result.stderr);
  }
  const status = results.find((result) => result.status !== 0)?.status ?? 0;
  const conclusion = {
    outcome: status === 0 ? successOf(results) : "compile-error",
    detail: status === 0 ? notesOf(results) : "",
    silent: false,
    cost: totalCost(results),
  } as const;
  if (status !== 0 || link === undefined) return { ...conclusion, ending: { kind: "exit", status } };
  return { ...conclusion, ending: linkEnding(link, compilations, compilerPath) };
}

/** A command of several sources was compiled as long as one of them was. */
function successOf(results: readonly FinalResult[]): OutcomeName {
  if (results.some(({ origin }) => origin === "compiler")) return "compiled-remotely";
  return results.every(({ origin }) => origin === "own-results") ? "result-from-home" : "result-from-server";
}

function notesOf(results: readonly FinalResult[]): string {
  return [...new Set(results.map(({ note }) => note))].filter((note) => note !== "").join("; ");
}

function totalCost(results: readonly FinalResult[]): NonNullable<Conclusion["cost"]> {
  return {
    host: [...new Set(results.map(({ cost }) => cost.host))].join(" "),
    executor: [...new Set(results.map(({ cost }) => cost.executor))].join(" "),
    sentBytes: results.reduce((sum, { cost }) => sum + cost.sentBytes, 0),
    receivedBytes: results.reduce((sum, { cost }) => sum + cost.receivedBytes, 0),
    compileMs: results.reduce((sum, { cost }) => sum + cost.compileMs, 0),
    uploadMs: results.reduce((sum, { cost }) => sum + cost.uploadMs, 0),
  };
}
