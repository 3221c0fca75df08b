import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { keptJson, keptTextNow, notUnderstood } from "@homcc/cas/kept-text";
import { replaceFileNow } from "@homcc/cas/replace-file";
import { isCalendarMs } from "@homcc/observability/clock";
import type { Logger } from "@homcc/observability/log";
import { agentFolder } from "../../agent-folder.ts";
import type { PoolMember } from "./srv-lookup.ts";

/** The last answer about a pool. */
export interface PoolAnswer {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly members: readonly PoolMember[];
}

const maxPools = 32;

/** Beside the agent's other files: a new agent has servers before a name server answers, or when none does. */
export function poolFilePath(environment: Readonly<Record<string, string>>): string {
  return join(agentFolder(environment), "pools.json");
}

/** What was written there, by pool; nothing of what is damaged. */
export function readPools(path: string, logger: Logger): Map<string, PoolAnswer> {
  const parsed = keptJson(path, keptTextNow(path, logger), logger);
  if (parsed === undefined) return new Map();
  const answers = Object.entries(isRecord(parsed) ? parsed : {}).flatMap(([name, answer]) =>
    isAnswer(answer) ? [[name, answer] as const] : [],
  );
  if (answers.length === 0) notUnderstood(path, logger);
  return new Map(answers.slice(0, maxPools));
}

/** The latest answers, with those of other agents that have their own pools. */
export function writePool(path: string, name: string, answer: PoolAnswer, logger: Logger): void {
  const all = readPools(path, logger).set(name, answer);
  const latest = [...all].toSorted(([, one], [, other]) => other.atMs - one.atMs).slice(0, maxPools);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  replaceFileNow(path, `${JSON.stringify(Object.fromEntries(latest))}\n`, 0o600);
}

function isAnswer(value: unknown): value is PoolAnswer {
  return (
    isRecord(value) &&
    isCalendarMs(value["atMs"]) &&
    Array.isArray(value["members"]) &&
    value["members"].every(isMember)
  );
}

function isMember(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { name, port, priority, weight } = value;
  // The numbers have two bytes in DNS.
  const areNumbers = [port, priority, weight].every(
    (number) => typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= 65_535,
  );
  return typeof name === "string" && areNumbers && port !== 0;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
