import { basename } from "node:path";
import { looksLikeConfigureCheck } from "@homcc/compiler/configure-check";
import { type LoadedSettings, loadSettings } from "@homcc/config/load";
import type { LaunchCall } from "@homcc/launch/call";
import { describeError, exitStatusOf } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { outcomes } from "@homcc/observability/outcomes";
import { localLimit } from "@homcc/scheduler/local-slots";
import { alarmsOf } from "./audit/alarms.ts";
import { decide } from "./compile.ts";
import { atHome, type Conclusion } from "./conclusion.ts";
import { DebugFolder } from "./records/debug-folder.ts";
import { describeJob, type JobRecord, writeJobRecord } from "./records/job-log.ts";
import { JobTrace } from "./records/job-trace.ts";
import { unmonitored } from "./records/monitor-line.ts";
import { jobVoice } from "./words/job-voice.ts";
import { report } from "./words/report.ts";
import type { Services } from "./services.ts";
import { atHomePlace } from "./records/slot-holders.ts";
import { TemporaryObjects } from "./temporary-objects.ts";

/** One call of the launcher, from its request to its end. Never rejects: a build never breaks because of homcc. */
export async function handleCall(call: LaunchCall, services: Services): Promise<void> {
  const startedMs = services.clock.monotonicMs();
  const { request } = call;
  const loaded = await loadSettings({
    environment: request.environment,
    commandLine: request.options,
    cwd: request.cwd,
  });
  services.idle.idleTimeoutMs = loaded.settings.agentIdleTimeoutMs;
  services.logThreshold.level = loaded.settings.agentLogLevel;
  const isCheck = looksLikeConfigureCheck(request.argv, request.cwd);
  const voice = jobVoice(call, loaded, isCheck);
  using states = services.stateFiles.ofJob(request);
  const isMonitored = loaded.settings.stateFiles && !isCheck;
  const trace = new JobTrace(isMonitored ? states : unmonitored);
  using _promises = trace.homePromises;
  await using objects = new TemporaryObjects(request.environment["TMPDIR"]);
  const conclusion = await conclude(call, loaded, services, trace, objects, isCheck);
  if (call.signal.aborted) return;
  const alarms = alarmsOf(services.audits.findings.all);
  report(conclusion, { session: request.session, loaded, voice, warnings: services.warnings, alarms });
  const debug = new DebugFolder(loaded.settings.debugFolder, services.logger);
  await debug.writeJob({ request, trace, conclusion, temporaryObjects: objects.paths });
  const ending = end(call, conclusion, loaded, services, voice.log, trace);
  await trace.phases.time("end", ending);
  const record: JobRecord = {
    time: new Date(services.clock.wallMs()).toISOString(),
    pid: request.pid,
    source: trace.sources.join(" "),
    outcome: conclusion.outcome,
    host: conclusion.cost?.host ?? "localhost",
    detail: conclusion.detail,
    sentBytes: conclusion.cost?.sentBytes ?? 0,
    receivedBytes: conclusion.cost?.receivedBytes ?? 0,
    wallMs: Math.round(services.clock.monotonicMs() - startedMs),
    compileMs: Math.round(conclusion.cost?.compileMs ?? 0),
    executor: conclusion.cost?.executor ?? "",
  };
  services.statistics.count(record);
  services.logger.info(describeJob(record));
  await debug.writePhases(request, record, trace);
  await writeJobRecord(request.environment, record);
}

/** Decides, and turns a bug of ours into a local run. */
async function conclude(
  call: LaunchCall,
  loaded: LoadedSettings,
  services: Services,
  trace: JobTrace,
  objects: TemporaryObjects,
  isCheck: boolean,
): Promise<Conclusion> {
  try {
    return await decide(call, loaded, services, trace, objects);
  } catch (error) {
    if (call.signal.aborted) return atHome("internal-error", "aborted", true);
    services.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    // Where local compilation is forbidden a fallback fails, and a check must not.
    return atHome(isCheck ? "configure-check" : "internal-error", describeError(error));
  }
}

/** The launcher's own command, in the words of the launcher protocol. */
const ownCommand = { program: "", argv: [] };

/** Runs the command at home, and says so loudly when it succeeds where the server failed. */
async function compareVerdicts(call: LaunchCall, remoteStatus: number, log: Logger): Promise<void> {
  const end = await call.supervise(ownCommand.program, ownCommand.argv);
  if (end === undefined) return;
  if (end.kind === "exit" && end.status === 0) {
    const { number, label } = outcomes["verdict-mismatch"];
    log.error(
      `${label}: the remote compiler ended with ${remoteStatus}, the local one succeeded. Please report it (outcome ${number}).`,
    );
  }
  if (end.kind === "exit") call.exit(end.status);
  else call.killedBy(end.signal);
}

async function end(
  call: LaunchCall,
  conclusion: Conclusion,
  loaded: LoadedSettings,
  services: Services,
  log: Logger,
  trace: JobTrace,
): Promise<void> {
  const { ending } = conclusion;
  if (ending.kind === "exit") {
    call.exit(ending.status);
    return;
  }
  if (outcomes[conclusion.outcome].kind === "fallback" && loaded.settings.noLocalCompilation) {
    call.exit(exitStatusOf.ERR_HOMCC_UNAVAILABLE ?? 69);
    return;
  }
  if (conclusion.outcome === "not-a-compiler") {
    // `homcc make` must not hold the slot that its own compiles wait for.
    await call.execute(ownCommand.program, ownCommand.argv);
    return;
  }
  services.localSlots.resize(localLimit(loaded.localhost.limit));
  using line = trace.monitor.follow(shownName(call, trace));
  line.enter("blocked", atHomePlace);
  try {
    const waiting = services.localSlots.acquire(call.signal, call.request.session);
    trace.homePromises.dispose();
    using ended = new DisposableStack();
    // After the slot, which is released first.
    ended.defer(() => services.homeLoad.freed());
    using _slot = await trace.phases.time("wait for a local slot", waiting);
    using _holding = services.holders.hold(atHomePlace, nameOf(call, trace));
    line.enter("compile", atHomePlace);
    const { program, argv } = ending.command ?? ownCommand;
    const startedMs = services.clock.monotonicMs();
    if (conclusion.doubtedStatus === undefined) {
      await call.execute(program, argv);
      const [key] = trace.ledgerKeys;
      const isOneCompile = ending.command === undefined && trace.ledgerKeys.length === 1;
      if (isOneCompile && key !== undefined && !call.signal.aborted)
        services.adviser.learnHome(key, services.clock.monotonicMs() - startedMs);
    } else await compareVerdicts(call, conclusion.doubtedStatus, log);
  } catch (error) {
    if (!call.signal.aborted) throw error;
  }
}

/** For people who ask who holds the slots. */
function nameOf({ request }: LaunchCall, { sources }: JobTrace): string {
  return sources.length > 0 ? sources.join(" ") : request.argv.slice(0, 4).join(" ");
}

/** For monitors, which have little room. */
function shownName(call: LaunchCall, trace: JobTrace): string {
  return trace.sources.map((source) => basename(source)).join(" ") || nameOf(call, trace);
}
