import type { LoadedSettings } from "@homcc/config/load";
import { describeProblem } from "@homcc/config/problem";
import { outcomes } from "@homcc/observability/outcomes";
import { causeOf } from "./cause.ts";
import type { Conclusion } from "../conclusion.ts";
import type { JobVoice } from "./job-voice.ts";
import type { WarningRate } from "./warning-rate.ts";

/** Who is told, how, and what they know already. */
export interface Audience {
  /** Of the launcher. */
  readonly session: number;
  readonly loaded: LoadedSettings;
  readonly voice: JobVoice;
  readonly warnings: WarningRate;
  /** What audits found: every terminal is told. */
  readonly alarms: readonly string[];
}

/**
 * Tells the user about one job what there is to tell: always an error, the first fallback of each cause, with --verbose
 * every job, and of configure checks nothing.
 */
export function report(conclusion: Conclusion, audience: Audience): void {
  const { session, loaded, voice, warnings } = audience;
  const { log, tells } = voice;
  if (conclusion.silent || tells === "nothing") return;
  for (const alarm of audience.alarms) if (warnings.isNews(session, alarm)) log.error(alarm);
  if (tells !== "errors") reportProblems(audience);
  const { kind, label } = outcomes[conclusion.outcome];
  const text = conclusion.detail === "" ? label : `${label}: ${conclusion.detail}`;
  switch (kind) {
    case "remote":
      log.info(`Compiled remotely on ${conclusion.cost?.host ?? "?"}${noteOf(conclusion)}`);
      break;
    case "local":
      if (conclusion.ending.kind === "exit") log.error(text);
      else if (conclusion.outcome === "no-hosts") hint(text, audience, text);
      else if (conclusion.outcome === "sooner-at-home") tellOnce(text, audience);
      else log.info(`Compiling locally: ${text}`);
      break;
    case "fallback":
      if (loaded.settings.noLocalCompilation) log.error(`${text}. Local compilation is forbidden.`);
      else if (tells !== "news" || warnings.isNews(session, causeOf(conclusion, loaded)))
        log.warning(`${text}. Compiling locally instead!`);
      else warnings.count(session, label);
      break;
  }
  const summary = tells === "news" ? warnings.takeSummary(session) : undefined;
  if (summary !== undefined) log.warning(summary);
}

/** What the server said about results of earlier jobs. */
function noteOf({ detail }: Conclusion): string {
  return detail === "" ? "" : `; no earlier result: ${detail}`;
}

function reportProblems({ session, loaded, voice, warnings }: Audience): void {
  for (const problem of loaded.problems.map(describeProblem))
    if (warnings.isNews(session, problem)) voice.log.warning(problem);
}

/** Never counted: without hosts there is nothing that the other files were promised. */
function hint(text: string, { session, voice, warnings }: Audience, cause: string): void {
  if (voice.tells === "everything" || warnings.isNews(session, cause)) voice.log.warning(text);
}

/** That a link is too thin is news once; who gave local cores their share with `localhost/N` expects it. */
function tellOnce(text: string, audience: Audience): void {
  const { loaded, voice } = audience;
  if (loaded.localhost.configured || voice.tells === "everything")
    voice.log.info(`Compiling locally: ${text}`);
  else hint(`Compiling here: ${text}`, audience, "sooner-at-home");
}
