import { readFileSync } from "node:fs";
import { join } from "node:path";
import { configurationFolders } from "@homcc/config/files";
import { boolean } from "@homcc/config/values";
import type { Environment } from "./find-compiler.ts";

const keys = ["no_local_compilation", "strict_sandbox"] as const;
const variables = ["HOMCC_NO_LOCAL_COMPILATION", "HOMCC_STRICT_SANDBOX"] as const;

/**
 * Whether to compile here may be forbidden: a guess at what files and variables come to, and never a no where it is. As in
 * native/launcher.c, where a call without an agent costs no look at them unless one names the setting.
 */
export function mayForbidLocal(environment: Environment, options: Readonly<Record<string, string>>): boolean {
  if (keys.some((key) => options[key] !== undefined)) return true;
  if (variables.some((name) => (environment[name] ?? "") !== "")) return true;
  const set = Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  return configurationFolders(set, workingFolder()).some((folder) => mentions(join(folder, "homcc.conf")));
}

/** Without what files say. */
export function isForbiddenByCaller(
  environment: Environment,
  options: Readonly<Record<string, string>>,
): boolean {
  const option = options[keys[0]];
  const variable = environment[variables[0]] ?? "";
  return option === undefined
    ? boolean.parse(variable, "environment") === true
    : boolean.parse(option, "command line") === true;
}

/** One that is gone is no reason to fail. */
function workingFolder(): string {
  try {
    return process.cwd();
  } catch {
    return "/";
  }
}

function mentions(path: string): boolean {
  try {
    const text = readFileSync(path, "latin1").toLowerCase();
    return keys.some((key) => text.includes(key));
  } catch {
    return false;
  }
}
