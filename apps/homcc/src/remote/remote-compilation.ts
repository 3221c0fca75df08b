import type { Action, Sandbox } from "@homcc/cas/action";
import type { Compilation } from "@homcc/compiler/compilation";
import type { LoadedSettings } from "@homcc/config/load";
import type { LaunchCall } from "@homcc/launch/call";
import { basename, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { type Identity, identityText } from "./refusal.ts";
import { prepareAction } from "./action-preparation.ts";
import type { KnownCompiler } from "../compile.ts";
import type { RemoteCost } from "../conclusion.ts";
import type { JobTrace } from "../records/job-trace.ts";
import { atHomePlace } from "../records/slot-holders.ts";
import { flawIn } from "./plausible-outputs.ts";
import { doubtfulInput, existsAtHome } from "./missed-input.ts";
import { fileKey } from "./adviser.ts";
import { whyAtHome } from "../words/why-at-home.ts";
import { jobVoice } from "../words/job-voice.ts";
import { ownResult } from "./own-result.ts";
import type { ProducedOutput } from "./produced-output.ts";
import { pipedMessages } from "./piped-messages.ts";
import { missedInReport, readReport } from "./reported-inputs.ts";
import { type FailedRun, noServerFor, runOnServers } from "./placement-loop.ts";
import type { Services } from "../services.ts";
import type { JobDescription } from "./session.ts";
import { SoonerAtHome } from "./second-thoughts.ts";
import { UploadProgress } from "./upload-progress.ts";
import { judge, type Verdict } from "./verdict.ts";

/** What one compilation came to. A `final` one has its outputs complete beside their places until `commit`. */
export type RemoteCompilation =
  | {
      readonly kind: "final";
      readonly status: number;
      readonly stdout: Uint8Array;
      readonly stderr: Uint8Array;
      readonly cost: RemoteCost;
      /** What made it: a compiler just now, or an earlier job whose result was kept. */
      readonly origin: "compiler" | "server-results" | "own-results";
      /** Why the server has no use for it afterwards, or had none for an earlier one; "" when there is nothing to say. */
      readonly note: string;
      readonly action: Action;
      readonly produced: readonly ProducedOutput[];
      /** Files that the compiler wrote there and that the analysis does not know of. */
      readonly undeclared: readonly string[];
      commit(): Promise<void>;
      discard(): Promise<void>;
    }
  | Extract<Verdict, { kind: "fallback" }>;

/** Of a compiler's words, which say last what it ended for. A server may send many. */
const maxJudgedBytes = 1 << 20;

/** Lists and digests the inputs, has a server run the compiler, and judges whether the result is final. */
export async function compileRemotely(
  compilation: Compilation,
  call: LaunchCall,
  loaded: LoadedSettings,
  services: Services,
  compiler: KnownCompiler,
  trace: JobTrace,
  mayGuess = true,
): Promise<RemoteCompilation> {
  const { phases } = trace;
  const { clientCacheBytes, noLocalCompilation } = loaded.settings;
  const nowhere = noServerFor(loaded, services);
  // What may not run at home is prepared first: it may turn out to be nothing for servers, and then it may.
  const isAlone = nowhere !== undefined && !noLocalCompilation;
  if (isAlone && (await services.ownResults?.isEmpty(clientCacheBytes)) !== false) return fallback(nowhere);
  const key = fileKey(resolve(call.request.cwd, compilation.source), compilation.argv);
  // Once, also when it is prepared anew.
  if (mayGuess) trace.ledgerKeys.push(key);
  using line = trace.monitor.follow(basename(compilation.source));
  if (nowhere === undefined && (await services.ownResults?.isEmpty(clientCacheBytes)) !== false) {
    // Nor does it need its inputs for a result that is kept here.
    const advice = services.adviser.adviseUnlisted({ key, loaded, pool: services.servers.poolFor(loaded) });
    if (advice.kind === "local") return sentHome(advice, services, trace);
  }
  line.enter("preprocess", atHomePlace);
  const preparing = prepareAction(
    compilation,
    call,
    loaded.settings,
    services,
    compiler,
    isAlone ? "recall" : mayGuess ? "foresee" : "discover",
    phases,
  );
  const prepared = isAlone
    ? await preparing
    : await services.coldStart.prepare(
        preparing,
        (unprepared) => {
          const pool = services.servers.poolFor(loaded);
          return services.adviser.adviseUnprepared({ key, loaded, pool }, unprepared);
        },
        call.signal,
      );
  if (prepared instanceof SoonerAtHome) return sentHome(prepared.advice, services, trace);
  if (prepared.kind === "local") return fallback(prepared);
  if (prepared.kind === "unknown") return fallback(nowhere ?? prepared);
  const { action, job, toolchain, confirm, scan } = prepared;
  trace.actions.set(compilation.source, action);
  const own = await phases.time("look for an own result", ownResult(action, compilation, loaded, services));
  if (own !== undefined) {
    if (confirm === undefined || (await phases.time("confirm", confirm()))) return own;
    await own.discard();
  }
  if (isAlone) return fallback(nowhere);
  using progress = uploadProgress(call, loaded, services);
  const watchedJob: JobDescription = {
    ...job,
    onUpload: (upload) => progress.began(upload),
    ...(confirm === undefined ? {} : { onSent: () => void confirm() }),
  };
  const origin = { key, party: call.request.session };
  const again = async (): Promise<RemoteCompilation> => {
    call.signal.throwIfAborted();
    line[Symbol.dispose]();
    return await compileRemotely(compilation, call, loaded, services, compiler, trace, false);
  };
  const ran = await runOnServers(action, watchedJob, loaded, services, call.signal, origin, phases, line);
  // Somebody edits it: the next reading is as good as that of a compile at home, and may be forbidden there.
  if (ran.kind === "failed" && ran.outcome === "input-changed" && mayGuess) return await again();
  if (ran.kind === "failed") {
    if (ran.promise !== undefined) trace.homePromises.use(ran.promise);
    return fallback(ran);
  }
  if (ran.kind === "home") {
    trace.homePromises.use(ran.promise);
    return fallback(whyAtHome(ran.advice, services.adviser));
  }
  const { result } = ran;
  if (result.sandboxToolchain !== undefined && action.sandbox !== undefined) {
    tellOtherCompiler(call, loaded, services, {
      sandbox: action.sandbox,
      host: result.cost.host,
      here: job.toolchain,
      there: result.sandboxToolchain,
    });
  }
  phases.add("upload (part of run)", result.cost.uploadMs);
  if (confirm !== undefined && !(await phases.time("confirm", confirm()))) {
    // The edit makes the compiler read other files than before: what came of the old list is worth nothing.
    await result.discard();
    return await again();
  }
  const verdict = judge({
    termination: result.termination,
    stderr: stripVTControlCharacters(Buffer.from(result.stderr.subarray(-maxJudgedBytes)).toString()),
    executor: result.executor,
    localeKnown: result.localeKnown,
    missedInput: (name) => existsAtHome(name, action),
  });
  if (verdict.kind === "fallback" && verdict.outcome === "missing-file" && scan !== undefined) {
    // One round trip more, with what the compiler lists, in place of a compile at home.
    scan.trust.lose({ source: compilation.source, missing: [verdict.detail] });
    await result.discard();
    return await again();
  }
  if (verdict.kind === "fallback" || result.termination.kind !== "exited") {
    await result.discard();
    return verdict.kind === "fallback"
      ? verdict
      : { kind: "fallback", outcome: "internal-error", detail: result.termination.kind };
  }
  const flaw = result.termination.status === 0 ? flawIn(result.produced, compilation, action) : undefined;
  if (flaw !== undefined) {
    await result.discard();
    return fallback({ outcome: "refused", detail: `${result.cost.host}: ${flaw}` });
  }
  if (result.unlisted.length > 0) scan?.trust.lose({ source: compilation.source, missing: result.unlisted });
  const doubtful = doubtfulInput(result.unlisted, toolchain);
  if (doubtful !== undefined) {
    await result.discard();
    if (scan !== undefined) return await again();
    return fallback({ outcome: "missing-file", detail: doubtful });
  }
  if (result.undeclared.length > 0) {
    services.logger.warning(`${compilation.source}: undeclared outputs: ${result.undeclared.join(" ")}`);
  }
  return {
    kind: "final",
    status: result.termination.status,
    stdout: result.stdout,
    stderr: pipedMessages(result.stderr, action.steps, compilation.argv),
    cost: result.cost,
    origin: result.reuse?.fromCache === true ? "server-results" : "compiler",
    note: result.reuse?.note ?? "",
    action,
    produced: result.produced,
    undeclared: result.undeclared,
    commit: async () => {
      await result.commit();
      const report = scan && readReport(compilation, action);
      const missing = report === undefined ? [] : missedInReport(report, scan?.found ?? [], action);
      if (missing.length > 0) scan?.trust.lose({ source: compilation.source, missing });
      else if (result.reuse?.reusable === true) {
        void services.ownResults?.keep(action, result, loaded.settings.clientCacheBytes);
      }
    },
    discard: () => result.discard(),
  };
}

function sentHome(
  advice: SoonerAtHome["advice"],
  { homeLoad, adviser }: Services,
  trace: JobTrace,
): Extract<RemoteCompilation, { kind: "fallback" }> {
  trace.homePromises.use(homeLoad.promise());
  return fallback(whyAtHome(advice, adviser));
}

function fallback({
  outcome,
  detail,
}: Pick<FailedRun, "outcome" | "detail">): Extract<RemoteCompilation, { kind: "fallback" }> {
  return { kind: "fallback", outcome, detail };
}

interface OtherCompiler {
  readonly sandbox: Sandbox;
  readonly host: string;
  readonly here: Identity;
  readonly there: Identity;
}

/** Once: what is compiled at home for whatever reason, or linked against, is another compiler's. */
function tellOtherCompiler(
  call: LaunchCall,
  loaded: LoadedSettings,
  services: Services,
  { sandbox, host, here, there }: OtherCompiler,
): void {
  const place =
    sandbox.kind === "schroot"
      ? `schroot profile ${sandbox.profile}`
      : `docker container ${sandbox.container}`;
  const text = `the compiler of ${place} on ${host} is not this machine's: here ${identityText(here)}, there ${identityText(there)}`;
  if (services.warnings.isNews(call.request.session, text)) jobVoice(call, loaded, false).log.warning(text);
}

/** One job speaks for all that wait for the same server. */
function uploadProgress(call: LaunchCall, loaded: LoadedSettings, services: Services): UploadProgress {
  const voice = jobVoice(call, loaded, false);
  const { session } = call.request;
  return new UploadProgress((text, server) => {
    if (services.warnings.isNews(session, `upload to ${server}`)) voice.progress(text);
  });
}
