import { dirname, join } from "node:path";
import { keptJson, keptTextNow, notUnderstood } from "@homcc/cas/kept-text";
import { replaceFileNow } from "@homcc/cas/replace-file";
import { makeFolders } from "@homcc/launch/make-folders";
import { isCalendarMs } from "@homcc/observability/clock";
import { silentLogger, type Logger } from "@homcc/observability/log";
import { agentFolder } from "../agent-folder.ts";
import { addTallies, emptyTally, outcomeNames, type OutcomeTally, type Tally } from "./tally.ts";

/** Beside the agent's other files, so that agents with a HOMCC_DIR of their own count apart. */
export function tallyFilePath(environment: Readonly<Record<string, string>>): string {
  return join(agentFolder(environment), "stats.json");
}

/** What was counted so far; `undefined` when there is no file, or none that can be read. */
export function readTally(path: string, logger: Logger = silentLogger): Tally | undefined {
  const value = keptJson(path, keptTextNow(path, logger), logger);
  const tally = asTally(value);
  if (value !== undefined && tally === undefined) notUnderstood(path, logger);
  return tally;
}

/**
 * Adds to the file what was counted since the last time. Synchronous, 0.2 ms, because a retiring agent and its
 * successor may both do it: so neither overwrites what the other has just added.
 */
export function addToTallyFile(path: string, counted: Tally, logger: Logger): Tally {
  const before = readTally(path, logger);
  const sum = before === undefined ? counted : addTallies(before, counted);
  writeTally(path, sum);
  return sum;
}

export function writeTally(path: string, tally: Tally): void {
  makeFolders(dirname(path), 0o700);
  replaceFileNow(path, `${JSON.stringify(tally)}\n`, 0o600);
}

/** Takes what it knows and drops the rest, so that another version's file is no reason to lose the counts. */
function asTally(value: unknown): Tally | undefined {
  if (!isRecord(value) || !isRecord(value["outcomes"])) return undefined;
  const audits = isRecord(value["audits"]) ? value["audits"] : {};
  const known: Partial<Record<string, OutcomeTally>> = {};
  for (const name of outcomeNames) {
    const entry = value["outcomes"][name];
    if (!isRecord(entry)) continue;
    const details = isRecord(entry["details"]) ? entry["details"] : {};
    known[name] = {
      count: asCount(entry["count"]),
      wallMs: asCount(entry["wallMs"]),
      details: Object.fromEntries(Object.entries(details).map(([text, count]) => [text, asCount(count)])),
    };
  }
  return {
    ...emptyTally(isCalendarMs(value["sinceMs"]) ? value["sinceMs"] : 0),
    outcomes: known,
    sentBytes: asCount(value["sentBytes"]),
    receivedBytes: asCount(value["receivedBytes"]),
    compileMs: asCount(value["compileMs"]),
    incompleteScans: asCount(value["incompleteScans"]),
    audits: {
      identical: asCount(audits["identical"]),
      different: asCount(audits["different"]),
      void: asCount(audits["void"]),
      impossible: asCount(audits["impossible"]),
    },
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asCount(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0;
}
