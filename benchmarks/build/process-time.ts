import { readFileSync } from "node:fs";

/** Ticks of /proc are hundredths of a second on every Linux. */
const tickMs = 10;

/** User and system time of a process and of the children that it has waited for; to the next 10 ms. 0 when it is gone. */
export function processTimeMs(pid: number): number {
  const fields = statFields(pid);
  return fields === undefined ? 0 : sum(fields.slice(11, 15));
}

/** The same of the children alone that this process has waited for, and theirs. */
export function waitedChildrenMs(): number {
  return sum(statFields(process.pid)?.slice(13, 15) ?? []);
}

function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may itself contain blanks and parentheses.
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined; // It ended.
  }
}

function sum(ticks: readonly string[]): number {
  return ticks.reduce((total, text) => total + Number(text) * tickMs, 0);
}
