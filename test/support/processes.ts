import { readdirSync, readFileSync } from "node:fs";
import { waitFor } from "./wait-for.ts";

export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  readonly commandLine: readonly string[];
}

/** Every process that exists now, zombies excluded: those are dead. */
export function listProcesses(): ProcessInfo[] {
  const processes: ProcessInfo[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const info = readProcess(Number(name));
    if (info !== undefined) processes.push(info);
  }
  return processes;
}

function readProcess(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may itself contain blanks and parentheses.
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z" || state === "X") return undefined;
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    return { pid, parent: Number(parent), commandLine };
  } catch {
    return undefined; // It ended meanwhile.
  }
}

/** Processes whose command line or environment names `text`, usually a folder that only one test uses. */
export function processesMentioning(text: string): ProcessInfo[] {
  return listProcesses().filter(
    ({ pid, commandLine }) =>
      pid !== process.pid &&
      (commandLine.some((word) => word.includes(text)) || environmentOf(pid).includes(text)),
  );
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    return "";
  }
}

/** Running cc1, cc1plus and clang frontends whose command names `text`; the driver is not one of them. */
export function compilersOf(text: string): ProcessInfo[] {
  return listProcesses().filter(
    ({ commandLine }) =>
      (/\/cc1(plus)?$/.test(commandLine[0] ?? "") || commandLine[1] === "-cc1") &&
      commandLine.some((word) => word.includes(text)),
  );
}

/** The agents whose folder is `homccFolder`. */
export function agentsOf(homccFolder: string): ProcessInfo[] {
  return processesMentioning(homccFolder).filter(({ commandLine }) =>
    commandLine.some((word) => word.endsWith("/agent.mjs")),
  );
}

/** `pid` and everything below it. */
export function processTree(pid: number): ProcessInfo[] {
  const all = listProcesses();
  const tree = all.filter((info) => info.pid === pid);
  for (let i = 0; i < tree.length; i++) tree.push(...all.filter((info) => info.parent === tree[i]?.pid));
  return tree;
}

export function isAlive(pid: number): boolean {
  return readProcess(pid) !== undefined;
}

/** Ends processes that a test caused but is not the parent of, and waits until they are gone. */
export async function endProcesses(processes: readonly ProcessInfo[]): Promise<void> {
  for (const { pid } of processes) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended meanwhile.
    }
  }
  await waitFor("processes to end", () => processes.every(({ pid }) => !isAlive(pid)));
}
