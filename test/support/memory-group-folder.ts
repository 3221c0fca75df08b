import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What the two versions of control groups call the same things. */
export interface GroupNames {
  readonly limit: string;
  /** Where memory that was swapped out counts too. */
  readonly swapLimit: readonly [name: string, bytes: (limit: number) => number];
  readonly kills: string;
  /** Of memory.stat: what its processes have, without the page cache. */
  readonly held: string;
  /** Of memory.stat: the page cache that is used often. */
  readonly active: string;
}

export interface GroupFolder {
  readonly path: string;
  readonly names: GroupNames;
}

const version1: GroupNames = {
  limit: "memory.limit_in_bytes",
  swapLimit: ["memory.memsw.limit_in_bytes", (limit) => limit],
  kills: "memory.oom_control",
  held: "total_rss",
  active: "total_active_file",
};
const version2: GroupNames = {
  limit: "memory.max",
  swapLimit: ["memory.swap.max", () => 0],
  kills: "memory.events",
  held: "anon",
  active: "active_file",
};

let made = 0;

/** Makes a group with this limit. `undefined` where this user can make none: not root, or in a container without them. */
export function makeGroupFolder(limitBytes: number): GroupFolder | undefined {
  for (const [parent, names] of parents()) {
    const folder = join(parent, `homcc-test-${process.pid}-${(made += 1)}`);
    try {
      if (names === version2) writeFileSync(join(parent, "cgroup.subtree_control"), "+memory");
      mkdirSync(folder);
    } catch {
      continue;
    }
    try {
      writeFileSync(join(folder, names.limit), String(limitBytes));
      const [name, bytes] = names.swapLimit;
      if (existsSync(join(folder, name))) writeFileSync(join(folder, name), String(bytes(limitBytes)));
      return { path: folder, names };
    } catch {
      rmdirSync(folder);
    }
  }
  return undefined;
}

/** The own group in version 1. In version 2 one with processes cannot bound groups below it, unless it is the root. */
function parents(): [folder: string, names: GroupNames][] {
  const own = /^\d+:(?:.*,)?memory(?:,.*)?:(.*)$/m.exec(readText("/proc/self/cgroup"))?.[1];
  return readText("/proc/self/mounts")
    .split("\n")
    .flatMap((line): [string, GroupNames][] => {
      const [, at = "", type, options = ""] = line.split(" ");
      if (type === "cgroup2") return [[at, version2]];
      if (type !== "cgroup" || !options.split(",").includes("memory")) return [];
      return [[own !== undefined && existsSync(join(at, own)) ? join(at, own) : at, version1]];
    });
}

/** Empty when it is not there. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
