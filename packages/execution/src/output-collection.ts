import type { Dirent, Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import type { DeclaredOutput, OutputChange, Termination } from "@homcc/cas/action";
import type { JobLimits } from "./job-limits.ts";
import { folderOf } from "./link-resolution.ts";

/** A job that leaves more than this is not a compile; the rest is not looked at. */
const maxVisitedEntries = 20_000;
const maxUndeclared = 100;

export interface CollectedOutputs {
  readonly outputs: readonly OutputChange[];
  readonly undeclared: readonly string[];
}

/** What one entry that the job left says about the output declared there: changed how, or untouched (`undefined`). */
export type JudgeOutput = (output: DeclaredOutput, file: string, status: Stats) => OutputChange | undefined;

/**
 * Walks what a job left below `folder` (an overlay's upper layer, or a whole private root) and tells declared outputs from
 * surprises. `declared` has them by the place where they really lie. Links are never followed: the job may have made them.
 */
export async function collectOutputs(
  folder: string,
  declared: ReadonlyMap<string, DeclaredOutput>,
  isOurs: (path: string) => boolean,
  judge: JudgeOutput,
): Promise<CollectedOutputs> {
  const outputs: OutputChange[] = [];
  const undeclared: string[] = [];
  const expectedFolders = foldersAbove(declared.keys());
  const pending = [""];
  let visited = 0;
  for (let at = pending.pop(); at !== undefined && visited < maxVisitedEntries; at = pending.pop()) {
    for (const entry of await readFolder(folder + at)) {
      visited += 1;
      const path = `${at}/${entry.name}`;
      const output = declared.get(path);
      // /tmp is the job's own: only outputs are looked for there.
      const relevant = expectedFolders.has(path) || !(path === "/tmp" || path.startsWith("/tmp/"));
      if (output !== undefined) {
        const change = judge(output, folder + path, await lstat(folder + path));
        if (change !== undefined) outputs.push(change);
      } else if (entry.isDirectory()) {
        if (relevant) pending.push(path);
      } else if (relevant && isCreated(entry) && !isOurs(path) && undeclared.length < maxUndeclared) {
        undeclared.push(path);
      }
    }
  }
  return { outputs, undeclared };
}

/** Judges entries of an overlay's upper layer: what is there was written or, as a device 0:0, removed. */
export const judgeUpper: JudgeOutput = (output, file, status) => {
  if (status.isFile()) return written(output, file, status);
  const whiteout = status.isCharacterDevice() && status.rdev === 0;
  return whiteout && output.exists ? { kind: "removed", path: output.path } : undefined;
};

/** Nobody gets a program that runs as its owner. */
export function written(output: DeclaredOutput, file: string, status: Stats): OutputChange {
  return { kind: "written", path: output.path, file, sizeBytes: status.size, mode: status.mode & 0o777 };
}

/** How a job ended, unless its outputs are more than a client should have to take. */
export function boundOutputs(
  termination: Termination,
  { outputs }: CollectedOutputs,
  { outputBytes }: Pick<JobLimits, "outputBytes">,
): Termination {
  const sizes = outputs.map((output) => (output.kind === "written" ? output.sizeBytes : 0));
  const total = sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  return total > outputBytes ? { kind: "limited", limit: "size of the outputs" } : termination;
}

export const nothingCollected: CollectedOutputs = { outputs: [], undeclared: [] };

function isCreated(entry: Dirent): boolean {
  return !entry.isCharacterDevice(); // a whiteout: the job removed an input, which stays inside the job
}

/** A folder whose permissions the job took away hides nothing that we want. */
async function readFolder(path: string): Promise<Dirent[]> {
  return await readdir(path, { withFileTypes: true }).catch(() => []);
}

function foldersAbove(paths: Iterable<string>): Set<string> {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let at = folderOf(path); at !== "" && !folders.has(at); at = folderOf(at)) folders.add(at);
  }
  return folders;
}
