import { readFile, stat } from "node:fs/promises";
import type { Terminal } from "@homcc/cas/action";
import { firstDifference } from "./first-difference.ts";
import type { Answer } from "./subject.ts";

/** One thing in which two compiles differ. */
export interface Difference {
  /** Equal for the same thing, whatever the difference: "bytes of /p/a.o". */
  readonly of: string;
  /** What a clock or a random number in the compiler could change. */
  readonly isContent: boolean;
  /** For people. */
  readonly detail: string;
}

/** An object that is larger is compared by its size alone. */
const maxComparedBytes = 512 << 20;

/** Everything in which `theirs` differs from `ours`. With a terminal, which our run has not, texts differ in colours and widths. */
export async function compareAnswers(
  theirs: Answer,
  ours: Answer,
  terminal: Terminal,
): Promise<readonly Difference[]> {
  const differences: Difference[] = [];
  if (theirs.status !== ours.status) {
    differences.push({
      of: "exit status",
      isContent: false,
      detail: `exit status ${statusText(theirs.status)} there, ${statusText(ours.status)} here`,
    });
  }
  differences.push(
    ...textDifference("stdout", theirs.stdout, ours.stdout, terminal.stdout !== undefined),
    ...textDifference("stderr", theirs.stderr, ours.stderr, terminal.stderr !== undefined),
    ...(await outputDifferences(theirs, ours)),
  );
  const undeclared = ours.undeclared.filter((path) => !theirs.undeclared.includes(path));
  for (const path of undeclared)
    differences.push({ of: `file ${path}`, isContent: false, detail: `${path}: written here, not there` });
  return differences;
}

function textDifference(of: string, theirs: Uint8Array, ours: Uint8Array, isTerminal: boolean): Difference[] {
  if (Buffer.compare(theirs, ours) === 0) return [];
  if (isTerminal && theirs.byteLength > 0 && ours.byteLength > 0) return [];
  return [{ of, isContent: true, detail: `${of}: ${firstDifference(theirs, ours)}` }];
}

async function outputDifferences(theirs: Answer, ours: Answer): Promise<Difference[]> {
  const paths = new Set([...theirs.produced, ...ours.produced].map(({ path }) => path));
  const differences: Difference[] = [];
  for (const path of paths) {
    const there = theirs.produced.find((output) => output.path === path);
    const here = ours.produced.find((output) => output.path === path);
    if (there?.kind !== "written" || here?.kind !== "written") {
      if (there?.kind === here?.kind) continue;
      const detail = `${path}: ${there?.kind ?? "left alone"} there, ${here?.kind ?? "left alone"} here`;
      differences.push({ of: `file ${path}`, isContent: false, detail });
      continue;
    }
    if (there.mode !== here.mode) {
      const detail = `${path}: mode ${modeText(there.mode)} there, ${modeText(here.mode)} here`;
      differences.push({ of: `mode of ${path}`, isContent: false, detail });
    }
    const detail = await contentDifference(there.file, here.file);
    if (detail !== undefined)
      differences.push({ of: `bytes of ${path}`, isContent: true, detail: `${path}: ${detail}` });
  }
  return differences;
}

async function contentDifference(theirs: string, ours: string): Promise<string | undefined> {
  const [there, here] = await Promise.all([stat(theirs), stat(ours)]);
  if (Math.max(there.size, here.size) > maxComparedBytes)
    return there.size === here.size ? undefined : `${there.size} bytes there, ${here.size} here`;
  const [left, right] = await Promise.all([readFile(theirs), readFile(ours)]);
  return left.equals(right) ? undefined : firstDifference(left, right);
}

function statusText(status: number | undefined): string {
  return status === undefined ? "of a crash" : String(status);
}

function modeText(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
