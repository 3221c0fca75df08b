import { dirname, join } from "node:path";
import { keptJson, keptTextNow, notUnderstood } from "@homcc/cas/kept-text";
import { replaceFileNow } from "@homcc/cas/replace-file";
import { makeFolders } from "@homcc/launch/make-folders";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { Ledger, type LedgerText } from "@homcc/scheduler/ledger";
import { systemTimers, type Timers } from "@homcc/transport/timers";
import { agentFolder } from "../agent-folder.ts";

/** A full ledger is 1.2 MB and takes 15 ms; what kill -9 loses is learned again. */
const saveDelayMs = 60_000;

/** Beside the agent's other files. */
export function ledgerFilePath(environment: Readonly<Record<string, string>>): string {
  return join(agentFolder(environment), "ledger.json");
}

/** Keeps a ledger over restarts of the agent. Call `changed` after jobs: it is written once a minute, and by `save`. */
export class LedgerFile {
  readonly ledger: Ledger;
  readonly #path: string;
  readonly #logger: Logger;
  readonly #timers: Timers;
  #savedChanges = 0;
  #stopTimer: (() => void) | undefined;

  constructor(path: string, logger: Logger, timers: Timers = systemTimers) {
    this.#path = path;
    this.#logger = logger;
    this.#timers = timers;
    this.ledger = new Ledger(readLedger(path, logger));
  }

  changed(): void {
    if (this.ledger.changes === this.#savedChanges) return;
    this.#stopTimer ??= this.#timers.after(saveDelayMs, () => this.save());
  }

  save(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    if (this.ledger.changes === this.#savedChanges) return;
    this.#savedChanges = this.ledger.changes;
    try {
      makeFolders(dirname(this.#path), 0o700);
      replaceFileNow(this.#path, JSON.stringify(this.ledger.toText()), 0o600);
    } catch (error) {
      this.#logger.warning(`${this.#path}: ${describeError(error)}`);
    }
  }
}

/** `undefined` when there is no file, or none of this version. */
function readLedger(path: string, logger: Logger): LedgerText | undefined {
  const text = keptJson(path, keptTextNow(path, logger), logger);
  if (text === undefined) return undefined;
  if (!isRecord(text) || text["version"] !== 1) {
    notUnderstood(path, logger);
    return undefined;
  }
  return { version: 1, servers: rowsOf(text["servers"]), files: rowsOf(text["files"]) };
}

/** Names with positive numbers; anything else is dropped, since it would be believed. */
function rowsOf(value: unknown): [string, Record<string, number>][] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((row: unknown): [string, Record<string, number>][] => {
    if (!Array.isArray(row)) return [];
    const [name, figures]: unknown[] = row;
    if (typeof name !== "string" || !isRecord(figures)) return [];
    const numbers = Object.entries(figures).filter(
      (entry): entry is [string, number] => typeof entry[1] === "number" && entry[1] >= 0,
    );
    return [[name, Object.fromEntries(numbers)]];
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
