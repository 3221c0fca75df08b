import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { keptJson, keptTextNow, notUnderstood } from "@homcc/cas/kept-text";
import { replaceFileNow } from "@homcc/cas/replace-file";
import { type Clock, isCalendarMs, systemClock } from "@homcc/observability/clock";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import type { FlagSignature } from "./flag-signature.ts";
import { type Quarantine, quarantineOf } from "./quarantine.ts";

/** One audit that found a difference. */
export interface Finding {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** `name:port`, or `localhost` for a result that was kept at home. */
  readonly host: string;
  /** Of the server at that time, as far as it was known. */
  readonly serverVersion: string | undefined;
  readonly signature: FlagSignature;
  readonly driver: string;
  readonly toolchain: string;
  readonly source: string;
  /** What differs, in a few words. */
  readonly what: string;
  /** Folder of the bundle for diagnosis; "" when none could be written. */
  readonly bundle: string;
}

/** The oldest go first: what happens that often is known by then. */
const maxFindings = 64;
const expiryMs = 7 * 24 * 3_600_000;

/**
 * What audits found, in a file: it outlives agents, and `homcc audit --clear` removes it under a running one. The file is the truth;
 * a stat of 2 µs tells whether it changed.
 */
export class Findings {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  #stamp = "";
  #findings: readonly Finding[] = [];
  /** What another version found, in its words: it may be back tomorrow. */
  #foreign: readonly unknown[] = [];

  constructor(path: string, logger: Logger, clock: Clock = systemClock) {
    this.#path = path;
    this.#logger = logger;
    this.#clock = clock;
  }

  /** The latest last. */
  get all(): readonly Finding[] {
    const stamp = stampOf(this.#path);
    if (stamp !== this.#stamp) this.#read(stamp);
    this.#stamp = stamp;
    const sinceMs = this.#clock.wallMs() - expiryMs;
    if (this.#findings.some(({ atMs }) => atMs < sinceMs))
      this.#findings = this.#findings.filter(({ atMs }) => atMs >= sinceMs);
    return this.#findings;
  }

  get quarantine(): Quarantine {
    return quarantineOf(this.all);
  }

  add(finding: Finding): void {
    this.#write([...this.all, finding].slice(-maxFindings));
  }

  /** The server is another program now: what was found of the one before says nothing about it. */
  noteServer(host: string, version: string): void {
    this.#keep(
      (finding) =>
        finding.host !== host || finding.serverVersion === undefined || finding.serverVersion === version,
    );
  }

  /** The compiler is another one now. */
  noteToolchain(driver: string, toolchain: string): void {
    this.#keep((finding) => finding.driver !== driver || finding.toolchain === toolchain);
  }

  clear(): void {
    this.#foreign = [];
    this.#write([]);
  }

  /** What another version wrote, or somebody damaged, is no reason to believe nothing of the rest. */
  #read(stamp: string): void {
    const parsed =
      stamp === "" ? [] : keptJson(this.#path, keptTextNow(this.#path, this.#logger), this.#logger);
    const rows: readonly unknown[] = Array.isArray(parsed) ? parsed : [];
    this.#findings = rows.filter(isFinding).slice(-maxFindings);
    this.#foreign = rows.filter((row) => !isFinding(row)).slice(-maxFindings);
    if (this.#foreign.length > 0 || (parsed !== undefined && !Array.isArray(parsed)))
      notUnderstood(this.#path, this.#logger);
  }

  #keep(stays: (finding: Finding) => boolean): void {
    const all = this.all;
    const kept = all.filter(stays);
    if (kept.length < all.length) this.#write(kept);
  }

  #write(findings: readonly Finding[]): void {
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      replaceFileNow(this.#path, `${JSON.stringify([...this.#foreign, ...findings])}\n`, 0o600);
    } catch (error) {
      // Without a file it counts for this agent.
      this.#logger.error(`${this.#path}: ${describeError(error)}`);
    }
    this.#stamp = stampOf(this.#path);
    this.#findings = findings;
  }
}

/** "" where there is no file. One that is not in reach has no text either: `sudo make` leaves a folder of root's in a user's home. */
function stampOf(path: string): string {
  try {
    const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
    return stats === undefined ? "" : `${stats.ino} ${stats.mtimeNs} ${stats.size}`;
  } catch {
    return "out of reach";
  }
}

function isFinding(value: unknown): value is Finding {
  if (!isRecord(value) || !isRecord(value["signature"])) return false;
  const texts = [
    value["host"],
    value["driver"],
    value["toolchain"],
    value["source"],
    value["what"],
    value["bundle"],
  ];
  const { id, text } = value["signature"];
  return [...texts, id, text].every((each) => typeof each === "string") && isCalendarMs(value["atMs"]);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
