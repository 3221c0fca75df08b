import { existsSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import type { Action } from "@homcc/cas/action";

/**
 * Whether a file that the remote compiler did not find exists at home after all, in any folder it could have looked in.
 * Then the list of inputs was incomplete, and the failure is ours. Called for failed compiles only, so it may be slow.
 */
export function existsAtHome(name: string, action: Pick<Action, "cwd" | "inputs">): boolean {
  if (isAbsolute(name)) return existsSync(name);
  const folders = new Set([action.cwd]);
  for (const entry of action.inputs) folders.add(entry.kind === "file" ? dirname(entry.path) : entry.path);
  return [...folders].some((folder) => existsSync(join(folder, name)));
}
