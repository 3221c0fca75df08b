import { type LoadedSettings, loadSettings } from "@homcc/config/load";
import { describeProblem } from "@homcc/config/problem";
import type { LaunchCall } from "@homcc/launch/call";
import { describeError, exitStatusOf } from "@homcc/observability/error";
import { clientLine, createLogger, type Logger } from "@homcc/observability/log";
import { outcomes } from "@homcc/observability/outcomes";
import { localLimit } from "@homcc/scheduler/local-slots";
import { decide } from "./compile.ts";
import { atHome, type Conclusion } from "./conclusion.ts";
import { DebugFolder } from "./debug-folder.ts";
import { describeJob, type JobRecord, writeJobRecord } from "./job-log.ts";
import { JobTrace } from "./job-trace.ts";
import type { Services } from "./services.ts";
import { atHomePlace } from "./slot-holders.ts";
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
  const log = jobLogger(call, loaded);
  if (loaded.fatal !== undefined) {
    log.error(describeError(loaded.fatal));
    call.exit(exitStatusOf[loaded.fatal.code] ?? 1);
    return;
  }
  const trace = new JobTrace();
  await using objects = new TemporaryObjects(request.environment["TMPDIR"]);
  const conclusion = await conclude(call, loaded, services, trace, objects);
  if (call.signal.aborted) return;
  report(conclusion, loaded, log, services);
  const debug = new DebugFolder(loaded.settings.debugFolder, services.logger);
  await debug.writeJob({ request, trace, conclusion, temporaryObjects: objects.paths });
  const ending = end(call, conclusion, loaded, services, log, trace);
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
): Promise<Conclusion> {
  try {
    return await decide(call, loaded, services, trace, objects);
  } catch (error) {
    if (call.signal.aborted) return atHome("internal-error", "aborted", true);
    services.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return atHome("internal-error", describeError(error));
  }
}

/** Says what a user has to know: always for a fallback, with --verbose for every job, never for configure checks. */
function report(conclusion: Conclusion, loaded: LoadedSettings, log: Logger, services: Services): void {
  if (conclusion.silent) return;
  for (const problem of services.reported.takeNew(loaded.problems)) log.warning(describeProblem(problem));
  const { kind, label } = outcomes[conclusion.outcome];
  const text = conclusion.detail === "" ? label : `${label}: ${conclusion.detail}`;
  switch (kind) {
    case "remote":
      log.info(`Compiled remotely on ${conclusion.cost?.host ?? "?"}`);
      break;
    case "local":
      if (conclusion.ending.kind === "exit") log.error(text);
      else if (conclusion.outcome === "no-hosts") hintOnce(text, log, services);
      else log.info(`Compiling locally: ${text}`);
      break;
    case "fallback":
      if (loaded.settings.noLocalCompilation) log.error(`${text}. Local compilation is forbidden.`);
      else log.warning(`${text}. Compiling locally instead!`);
      break;
  }
}

/** A build without hosts is told so with its first file, not with each. */
function hintOnce(text: string, log: Logger, services: Services): void {
  const hint = { severity: "warning", source: "hosts", message: text, hint: "" } as const;
  if (services.reported.takeNew([hint]).length > 0) log.warning(text);
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
  try {
    const waiting = services.localSlots.acquire(call.signal);
    using _slot = await trace.phases.time("wait for a local slot", waiting);
    using _holding = services.holders.hold(atHomePlace, nameOf(call, trace));
    const { program, argv } = ending.command ?? ownCommand;
    if (conclusion.doubtedStatus === undefined) await call.execute(program, argv);
    else await compareVerdicts(call, conclusion.doubtedStatus, log);
  } catch (error) {
    if (!call.signal.aborted) throw error;
  }
}

/** For people who ask who holds the slots. */
function nameOf({ request }: LaunchCall, { sources }: JobTrace): string {
  return sources.length > 0 ? sources.join(" ") : request.argv.slice(0, 4).join(" ");
}

function jobLogger(call: LaunchCall, { settings }: LoadedSettings): Logger {
  // `-v` asks for the compiler's own words, which scripts parse.
  if (call.request.argv.includes("-v")) return createLogger("CRITICAL", clientLine, () => {});
  return createLogger(settings.logLevel, clientLine, (line) => {
    void call.stderr(Buffer.from(line));
  });
}
