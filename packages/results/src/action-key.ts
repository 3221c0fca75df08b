import { createHash } from "node:crypto";
import type { Action, DeclaredOutput, InputEntry } from "@homcc/cas/action";
import type { Digest } from "@homcc/cas/digest";
import type { Relocation } from "./relocation.ts";

/** Change it with anything below: a key must never mean something else than when it was made. */
const keyVersion = 1;

/** They change messages and nothing else; whether a result has messages is seen when it is there (`messageKey`). */
const messageVariable =
  /^(?:LANG|LANGUAGE|LC_.*|OUTPUT_CHARSET|TERM|COLUMNS|GCC_COLORS|GCC_URLS|TERM_URLS|GCC_EXTRA_DIAGNOSTIC_OUTPUT)$/;

/**
 * Names a result: 64 hexadecimal digits over everything it depends on, as far as one compiler's run on another machine or
 * another day can tell: toolchain, command, working folder, environment, contents and places of all inputs. With
 * `relocation`, the source root is replaced by a mark: the same key for every root.
 *
 * Left out, and why that is right: `absent` (a file that is not at home is none of the inputs, and a job sees no others),
 * modification times (what shows them is not kept: `Mentions`; which files gcc's `#pragma once` takes for one is in),
 * the time-out, what exists at the outputs' places (a compile that succeeds replaces it; its permissions are in), TZ
 * (only for `__TIME__`), and what only changes messages.
 *
 * `place` is where the action runs; ways to run it that give equal results share one.
 */
export function actionKey(action: Action, place: string, relocation?: Relocation): string {
  const mark = (path: string): string => relocation?.mark(path) ?? path;
  const facts = [
    keyVersion,
    place,
    action.toolchain,
    action.steps.map(({ program, argv }) => [
      program,
      argv.map((word) => relocation?.markArgument(word) ?? word),
    ]),
    mark(action.cwd),
    environmentFacts(action, mark),
    action.umask,
    inputFacts(action.inputs, mark),
    action.outputs.map((output) => [mark(output.path), unusualMode(output, action.umask)]),
    action.sandbox ?? null,
  ];
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
}

/** Names what a result's messages depend on besides: two users read the same object and other words. */
export function messageKey({ environment, terminal }: Action): string {
  const variables = Object.entries(environment).filter(([name]) => messageVariable.test(name));
  return createHash("sha256")
    .update(JSON.stringify([variables.toSorted(byName), terminal]))
    .digest("hex");
}

function environmentFacts(
  { environment, inputs }: Action,
  mark: (path: string) => string,
): [string, string][] {
  return Object.entries(environment)
    .filter(([name]) => name !== "TZ" && !messageVariable.test(name))
    .map(([name, value]): [string, string] => [
      name,
      name === "PATH" ? visibleFolders(value, inputs, mark) : mark(value),
    ])
    .toSorted(byName);
}

/** Folders of programs that are the user's own: nothing of theirs is in a job, unless it is an input. */
const ownFolder = /^\/(?:home|root|tmp|var|run|mnt|srv)\//;

/** What of PATH a driver can find something in. */
function visibleFolders(path: string, inputs: readonly InputEntry[], mark: (path: string) => string): string {
  return path
    .split(":")
    .filter(
      (folder) => !ownFolder.test(folder) || inputs.some((input) => input.path.startsWith(`${folder}/`)),
    )
    .map(mark)
    .join(":");
}

function inputFacts(inputs: readonly InputEntry[], mark: (path: string) => string): string[] {
  const twins = new Twins();
  return inputs
    .map((entry) => ({ entry, path: mark(entry.path) }))
    .toSorted((one, other) => (one.path < other.path ? -1 : 1))
    .map(({ entry, path }) => {
      if (entry.kind === "directory") return `d${path}`;
      if (entry.kind === "symlink") return `l${path}\n${mark(entry.target)}`;
      return `f${path}\n${entry.digest}${twins.classOf(entry.digest, entry.mtimeNs)}`;
    });
}

/** Files of equal content: gcc includes the second one of two with `#pragma once` unless their times are equal, too. */
class Twins {
  readonly #times = new Map<Digest, bigint | Map<bigint, number>>();

  /** Nothing for the first file of a content; for others which of the times seen so far theirs is. */
  classOf(digest: Digest, mtimeNs: bigint): string {
    const seen = this.#times.get(digest);
    if (seen === undefined) {
      this.#times.set(digest, mtimeNs);
      return "";
    }
    const classes = typeof seen === "bigint" ? new Map([[seen, 0]]) : seen;
    this.#times.set(digest, classes);
    const known = classes.get(mtimeNs) ?? classes.size;
    classes.set(mtimeNs, known);
    return `\n${known}`;
  }
}

/** Permission bits at home that differ from those that a new file would get: a compiler may keep them. */
function unusualMode({ mode }: DeclaredOutput, umask: number): number | null {
  return mode === undefined || mode === (0o666 & ~umask) ? null : mode;
}

function byName([one]: readonly [string, string], [other]: readonly [string, string]): number {
  return one < other ? -1 : 1;
}
