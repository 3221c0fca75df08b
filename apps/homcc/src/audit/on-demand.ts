import type { Analysis, Compilation } from "@homcc/compiler/compilation";
import type { LoadedSettings } from "@homcc/config/load";
import type { LaunchCall } from "@homcc/launch/call";
import { describeError, exitStatusOf } from "@homcc/observability/error";
import { outcomes } from "@homcc/observability/outcomes";
import { linkEnding } from "../link-ending.ts";
import type { KnownCompiler } from "../compile.ts";
import type { Conclusion } from "../conclusion.ts";
import type { JobTrace } from "../records/job-trace.ts";
import { compileRemotely, type RemoteCompilation } from "../remote/remote-compilation.ts";
import type { Services } from "../services.ts";
import { audit, type AuditVerdict } from "./audit.ts";
import { renderAudit, renderNothingToAudit } from "./audit-print.ts";
import { auditSubject } from "./subject-of.ts";

type FinalResult = Extract<RemoteCompilation, { kind: "final" }>;

/** EX_UNAVAILABLE: nothing was compared, which is neither "identical" nor "different". */
const notComparedStatus = exitStatusOf.ERR_HOMCC_UNAVAILABLE ?? 69;

/**
 * Answers `--audit`: a server and this machine compile the command, everything is compared, and the outputs that stay are this
 * machine's. The exit status is the verdict's.
 */
export async function auditOnDemand(
  call: LaunchCall,
  loaded: LoadedSettings,
  services: Services,
  compiler: KnownCompiler,
  analysis: Analysis,
  trace: JobTrace,
): Promise<Conclusion> {
  if (analysis.verdict === "local")
    return await onlyHere(call, services, `${outcomes[analysis.outcome].label}: ${analysis.detail}`);
  if (loaded.noHosts !== undefined) return await onlyHere(call, services, describeError(loaded.noHosts));
  const plain = withoutTerminals(call);
  const settled = await Promise.allSettled(
    analysis.compilations.map((compilation) =>
      compileRemotely(compilation, plain, fromServers(loaded), services, compiler, trace),
    ),
  );
  const ends = settled.filter((end) => end.status === "fulfilled").map((end) => end.value);
  const finals = ends.filter((end) => end.kind === "final");
  try {
    call.signal.throwIfAborted();
    const failed = ends.find((end) => end.kind === "fallback");
    if (failed !== undefined)
      return await onlyHere(call, services, `${outcomes[failed.outcome].label}: ${failed.detail}`);
    for (const end of settled) if (end.status === "rejected") throw end.reason;
    return await compareAll(call, services, compiler, analysis, finals);
  } finally {
    await Promise.all(finals.map((result) => result.discard()));
  }
}

async function compareAll(
  call: LaunchCall,
  services: Services,
  compiler: KnownCompiler,
  { compilations, link }: Extract<Analysis, { verdict: "distribute" }>,
  results: readonly FinalResult[],
): Promise<Conclusion> {
  using _slot = await services.localSlots.acquire(call.signal, call.request.session);
  const verdicts: AuditVerdict["kind"][] = [];
  for (const [index, result] of results.entries()) {
    const compilation = compilations[index];
    if (compilation !== undefined)
      verdicts.push(await compareOne(call, services, compiler, compilation, result));
  }
  const isSame = verdicts.every((kind) => kind === "identical");
  const isLinked = isSame && link !== undefined && results.every(({ status }) => status === 0);
  const status = isSame ? 0 : verdicts.includes("different") ? 1 : notComparedStatus;
  const ending = isLinked
    ? linkEnding(link, compilations, call.request.compilerPath)
    : ({ kind: "exit", status } as const);
  return { outcome: "compiled-remotely", detail: "", silent: true, ending };
}

async function compareOne(
  call: LaunchCall,
  { audits, servers }: Services,
  compiler: KnownCompiler,
  compilation: Compilation,
  result: FinalResult,
): Promise<AuditVerdict["kind"]> {
  const subject = auditSubject(result, compilation, call.request, compiler, { servers });
  if (subject === undefined) {
    await call.stdout(Buffer.from(renderNothingToAudit("a sandbox, a wrapper or a server of homcc 1.x")));
    return "impossible";
  }
  let said: Pick<FinalResult, "stdout" | "stderr"> = { stdout: new Uint8Array(), stderr: new Uint8Array() };
  let bundle = "";
  const tools = {
    ...audits.inPlace,
    run: async (...words: Parameters<typeof audits.inPlace.run>) => {
      const answer = await audits.inPlace.run(...words);
      said = answer;
      return answer;
    },
  };
  const verdict = await audit(subject, tools, call.signal, async (ours, differences) => {
    ({ bundle } = await audits.reporter.different(subject, ours, differences));
  });
  audits.reporter.count(verdict);
  await call.stdout(said.stdout);
  await call.stderr(said.stderr);
  await call.stdout(Buffer.from(renderAudit(subject, verdict, bundle)));
  return verdict.kind;
}

/** Says why, and compiles as a build would. */
async function onlyHere(call: LaunchCall, services: Services, why: string): Promise<Conclusion> {
  await call.stdout(Buffer.from(renderNothingToAudit(why)));
  using _slot = await services.localSlots.acquire(call.signal, call.request.session);
  const end = await call.supervise("", []);
  const failed = end?.kind === "exit" && end.status !== 0 ? end.status : notComparedStatus;
  return { outcome: "no-compilation", detail: why, silent: true, ending: { kind: "exit", status: failed } };
}

/** A result that lies here was no server's work just now, and coming home is no answer. */
function fromServers(loaded: LoadedSettings): LoadedSettings {
  return { ...loaded, settings: { ...loaded.settings, clientCacheBytes: 0, noLocalCompilation: true } };
}

/** Both compile for a pipe: colours and widths are not what is compared. */
function withoutTerminals(call: LaunchCall): LaunchCall {
  return {
    request: { ...call.request, terminals: [undefined, undefined, undefined] },
    signal: call.signal,
    stdout: (bytes) => call.stdout(bytes),
    stderr: (bytes) => call.stderr(bytes),
    notice: (bytes) => call.notice(bytes),
    exit: (status) => call.exit(status),
    killedBy: (signal) => call.killedBy(signal),
    execute: (program, argv) => call.execute(program, argv),
    supervise: (program, argv) => call.supervise(program, argv),
    abandon: () => call.abandon(),
  };
}
