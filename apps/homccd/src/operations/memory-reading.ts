import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What a machine, or the part of it that homccd may use, has left. */
export interface MemoryReading {
  /** `undefined` where the system does not say. */
  readonly availableBytes: number | undefined;
  /** Share of the last ten seconds in which every process waited for memory, in percent; 0 where the system does not say. */
  readonly stalledPercent: number;
}

/** Files are small and made by the kernel when they are read: 0.1 ms for all of them. */
export type ReadText = (path: string) => string | undefined;

const readSystemFile: ReadText = (path) => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
};

/**
 * The least of MemAvailable and what is left of each limit of the control groups (version 2 and 1) that this process is in,
 * counted as MemAvailable is; and the pressure of the same.
 */
export function readMemory(read: ReadText = readSystemFile): MemoryReading {
  const available = /^MemAvailable: +(\d+) kB/m.exec(read("/proc/meminfo") ?? "")?.[1];
  const lefts = groupFolders(read).flatMap((folder) => leftIn(folder, read) ?? []);
  if (available !== undefined) lefts.push(Number(available) * 1024);
  const pressures = [
    "/proc/pressure/memory",
    ...groupFolders(read).map((folder) => join(folder, "memory.pressure")),
  ];
  return {
    availableBytes: lefts.length === 0 ? undefined : Math.max(0, Math.min(...lefts)),
    stalledPercent: Math.max(0, ...pressures.map((path) => stalledIn(read(path) ?? ""))),
  };
}

/** The folder of the group, and of those above it, whose limits count too. */
function groupFolders(read: ReadText): string[] {
  const folders: string[] = [];
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [number, controllers = "", path = ""] = line.split(":");
    const isUnified = number === "0" && controllers === "";
    if (!isUnified && !controllers.split(",").includes("memory")) continue;
    // With both versions mounted, the second one has no memory, and the pressure of its groups.
    const roots = isUnified ? ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] : ["/sys/fs/cgroup/memory"];
    for (let at = path; ; at = at.slice(0, at.lastIndexOf("/"))) {
      folders.push(...roots.map((root) => join(root, at)));
      if (at === "" || at === "/") break;
    }
  }
  return [...new Set(folders)];
}

/** Whoever is above `memory.high` is not ended but stopped now and then: no room for another job either. */
const limitNames = ["memory.max", "memory.high", "memory.limit_in_bytes"];

/** `undefined`: no limit. */
function leftIn(folder: string, read: ReadText): number | undefined {
  const limit = Math.min(...limitNames.map((name) => numberIn(read(join(folder, name))) ?? Infinity));
  const used =
    numberIn(read(join(folder, "memory.current"))) ?? numberIn(read(join(folder, "memory.usage_in_bytes")));
  // Without a limit version 1 has one of 2^63, less a page.
  if (used === undefined || limit > 2 ** 60) return undefined;
  return limit - used + reclaimableIn(read(join(folder, "memory.stat")) ?? "");
}

/**
 * The page cache and, where it is told (version 2), what the kernel keeps of names. What is used often (`active`) is given back
 * too when there is nothing else. Version 1 tells each figure of the group alone, and as `total_` with those below it, whose use counts.
 */
function reclaimableIn(stat: string): number {
  const prefix = /^total_/m.test(stat) ? "total_" : "";
  const names = [`${prefix}inactive_file`, `${prefix}active_file`, "slab_reclaimable"];
  const bytesOf = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(stat)?.[1] ?? 0);
  return names.reduce((sum, name) => sum + bytesOf(name), 0);
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

/** Of a line `full avg10=1.23 …`. */
function stalledIn(text: string): number {
  return Number(/^full avg10=(\d+(?:\.\d+)?)/m.exec(text)?.[1] ?? 0);
}
