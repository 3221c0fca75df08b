import { basename, resolve } from "node:path";
import type { Action, Step } from "@homcc/cas/action";
import type { CompilerFamily } from "./compilation.ts";
import { jobEnvironment } from "./environment.ts";
import { type CommandPart, readOptions, textOf } from "./option-reader.ts";
import type { OptionRow } from "./option-row.ts";
import { optionTable } from "./option-table.ts";

/** What a server knows about the place where an action would run. */
export interface ServerLimits {
  /** True for programs that are part of the action's toolchain. */
  readonly isToolchainProgram: (path: string) => boolean;
  /** True when the job may read or write there; absolute, normalised lexically. */
  readonly isInsideRoot: (path: string) => boolean;
}

export type CheckedAction = Pick<Action, "steps" | "cwd" | "environment" | "outputs">;

/**
 * Why a server does not run the action; `undefined` when it does. The client has analysed the command with the same
 * table, but a client is not to be trusted: what belongs at home is refused here.
 */
export function checkAction(
  action: CheckedAction,
  family: CompilerFamily,
  limits: ServerLimits,
): string | undefined {
  const outside = action.outputs.find(({ path }) => leavesRoot(path, action.cwd, limits));
  if (outside !== undefined) return `${outside.path} is outside the job's root`;
  // Names of a command may be relative to it.
  if (leavesRoot(action.cwd, action.cwd, limits)) return `${action.cwd} is outside the job's root`;
  const variable = foreignVariable(action.environment);
  if (variable !== undefined) return `the variable ${variable} does not travel`;
  for (const step of action.steps) {
    const reason = checkStep(step, action.cwd, family, limits);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function checkStep(
  step: Step,
  cwd: string,
  family: CompilerFamily,
  limits: ServerLimits,
): string | undefined {
  if (!limits.isToolchainProgram(step.program)) return `${step.program} is not part of the toolchain`;
  const name = basename(step.program);
  // The loader, a linker and what else lies beside a compiler would start a file of the client's.
  if (!driverNames.test(name) && !replayedPrograms.test(name)) return `${step.program} is no compiler`;
  const optionsFile = step.argv.slice(1).find((word) => namesOptionsFile.test(word));
  if (optionsFile !== undefined) return `${optionsFile}: a file of options`;
  if (/objcopy(?:-[\d.]+)?$/.test(name)) return checkObjcopy(step, cwd, limits);
  const isDriver = !replayedPrograms.test(name) && step.argv[1]?.startsWith("-cc1") !== true;
  return isDriver ? checkDriver(step, cwd, family, limits) : checkReplayed(step, cwd, limits);
}

/**
 * What a driver is called. A client names the program that is asked what it is, and only something that is called like a
 * compiler is ever started for that.
 */
export const driverNames = /(?:^|-)(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-[0-9.]+)?$/;

/** `@FILE`, also handed on: cc1 and as read the file too, and whatever it holds was not looked at here. */
const namesOptionsFile = /^(?:-W[apl],(?:.*,)?|-X\w+=)?@/s;

/** Programs whose command lines a driver's expansion consists of; their options are not the driver's. */
const replayedPrograms = /^(?:[\w.-]+-)?(?:cc1|cc1plus|cc1obj|cc1objplus|as|objcopy)(?:-[\d.]+)?$/;

/** It has a part of the object's debug information to copy, and plug-ins of its own. */
function checkObjcopy(step: Step, cwd: string, limits: ServerLimits): string | undefined {
  const foreign = step.argv
    .slice(1)
    .find((word) => word.startsWith("-") && word !== "--extract-dwo" && word !== "--strip-dwo");
  return foreign === undefined ? checkReplayed(step, cwd, limits) : `${foreign}: no part of a compile`;
}

function checkDriver(
  step: Step,
  cwd: string,
  family: CompilerFamily,
  limits: ServerLimits,
): string | undefined {
  const parts = readOptions(step.argv, family);
  // A linker runs plug-ins, and makes a program.
  if (!parts.some((part) => part.kind === "option" && part.row.meaning.class === "action"))
    return "it would link: a server makes objects";
  for (const part of parts) {
    const reason = checkPart(part);
    if (reason !== undefined) return `${textOf(part, step.argv)}: ${reason}`;
    const path = pathsOf(part).find((named) => leavesRoot(named, cwd, limits));
    if (path !== undefined) return `${path} is outside the job's root`;
  }
  return undefined;
}

function checkPart(part: CommandPart): string | undefined {
  if (part.kind === "incomplete") return "its value is missing";
  if (part.kind === "unknown") return "an option this server does not know";
  if (part.kind === "input") {
    if (part.path === "-") return "a job has no standard input";
    // Behind `--`, which not every compiler knows.
    return part.path.startsWith("-") ? "a source that is called like an option" : undefined;
  }
  const { meaning, reason } = part.row;
  return meaning.class === "local" || meaning.class === "query" ? reason : undefined;
}

function pathsOf(part: CommandPart): string[] {
  if (part.kind === "input") return [part.path];
  if (part.kind !== "option" || part.operand === undefined) return [];
  const { operand, meaning } = part.row;
  if (meaning.class === "extra-output" && meaning.after !== undefined) {
    const at = part.operand.indexOf(meaning.after);
    return at < 0 ? [] : [part.operand.slice(at + meaning.after.length)];
  }
  return operand === "file" || operand === "folder" || operand === "output" ? [part.operand] : [];
}

const dangerousRows: readonly OptionRow[] = optionTable.filter((row) => row.dangerous);
const dangerousNames: ReadonlySet<string> = new Set(dangerousRows.map(({ name }) => name));
/** Options whose operand may follow without a sign. */
const dangerousBeginnings: readonly string[] = dangerousRows
  .filter(
    ({ spelling }) => spelling === "joined" || spelling === "both" || spelling === "joined-and-separate",
  )
  .map(({ name }) => name);

/** In the compilers' own command lines: nothing dangerous under any spelling, and no path outside. */
function checkReplayed(step: Step, cwd: string, limits: ServerLimits): string | undefined {
  for (const [index, word] of step.argv.entries()) {
    if (index === 0) continue;
    if (isDangerous(word)) return `${word}: it would load or start something`;
    const path = word.startsWith("-") ? /^-(?:[ILo]|i[a-z-]+)(\.{0,2}\/.*|\.\.)$/s.exec(word)?.[1] : word;
    if (path !== undefined && leavesRoot(path, cwd, limits)) return `${path} is outside the job's root`;
  }
  return undefined;
}

function isDangerous(word: string): boolean {
  const name = word.includes("=") ? word.slice(0, word.indexOf("=")) : word;
  return dangerousNames.has(name) || dangerousBeginnings.some((beginning) => word.startsWith(beginning));
}

function leavesRoot(path: string, cwd: string, limits: ServerLimits): boolean {
  return path !== "/dev/null" && !limits.isInsideRoot(resolve(cwd, path));
}

function foreignVariable(environment: Readonly<Record<string, string>>): string | undefined {
  const sent = jobEnvironment(environment);
  if (sent.kind === "local") return sent.variable;
  return Object.keys(environment).find((name) => sent.environment[name] === undefined);
}

/** Of a root in which only the job's own files exist, these belong to the machine. /dev/shm is a folder like others. */
export function isInsideNamespaceRoot(path: string): boolean {
  return !/^\/(?:proc|sys|dev(?!\/shm\/))(?:\/|$)/.test(path);
}
