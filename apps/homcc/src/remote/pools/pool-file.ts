import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { replaceFileNow } from "@homcc/cas/replace-file";
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
export function readPools(path: string): Map<string, PoolAnswer> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (!isRecord(parsed)) return new Map();
    const answers = Object.entries(parsed).flatMap(([name, answer]) =>
      isAnswer(answer) ? [[name, answer] as const] : [],
    );
    return new Map(answers.slice(0, maxPools));
  } catch {
    return new Map();
  }
}

/** The latest answers, with those of other agents that have their own pools. */
export function writePool(path: string, name: string, answer: PoolAnswer): void {
  const all = readPools(path).set(name, answer);
  const latest = [...all].toSorted(([, one], [, other]) => other.atMs - one.atMs).slice(0, maxPools);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  replaceFileNow(path, `${JSON.stringify(Object.fromEntries(latest))}\n`, 0o600);
}

function isAnswer(value: unknown): value is PoolAnswer {
  return (
    isRecord(value) &&
    typeof value["atMs"] === "number" &&
    Array.isArray(value["members"]) &&
    value["members"].every(isMember)
  );
}

function isMember(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const numbers = [value["port"], value["priority"], value["weight"]];
  return typeof value["name"] === "string" && numbers.every((number) => Number.isInteger(number));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
