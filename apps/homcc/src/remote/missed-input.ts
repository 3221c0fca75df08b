import { existsSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import type { Action } from "@homcc/cas/action";
import type { Toolchain } from "@homcc/compiler/toolchain";

/**
 * Whether a file that the remote compiler did not find exists at home after all: then the list of inputs was incomplete,
 * and the failure is ours. A name that was looked for and noted as absent was searched as the compiler does it; any other
 * is looked for in every folder it could be in. Called for failed compiles only, so it may be slow.
 */
export function existsAtHome(name: string, action: Pick<Action, "cwd" | "inputs" | "absent">): boolean {
  if (isAbsolute(name)) return existsSync(name);
  if (isKnownAbsent(name, action.absent)) return false;
  const folders = new Set([action.cwd]);
  for (const entry of action.inputs) folders.add(entry.kind === "file" ? dirname(entry.path) : entry.path);
  return [...folders].some((folder) => existsSync(join(folder, name)));
}

/** Of a name whose folder is missing too, the absence of the folder is what was noted. */
function isKnownAbsent(name: string, absent: readonly string[]): boolean {
  const beginnings: string[] = [];
  for (let beginning = name; beginning !== "."; beginning = dirname(beginning))
    beginnings.push(`/${beginning}`);
  return absent.some((path) => beginnings.some((beginning) => path.endsWith(beginning)));
}

/**
 * A file that the remote compiler read and that no one sent for this job: one of an earlier job, perhaps in another version than
 * here. Those of the toolchain are the same on both sides.
 */
export function doubtfulInput(
  unlisted: readonly string[],
  { entries }: Pick<Toolchain, "entries">,
): string | undefined {
  return unlisted.find((path) => !entries.some((entry) => entry.path === path));
}
