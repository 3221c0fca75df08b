import { closeSync, openSync, readSync } from "node:fs";
import { posix } from "node:path";
import type { CompilerFamily } from "./compilation.ts";
import { quotedWords } from "./driver-replay.ts";
import { findPrograms } from "./find-program.ts";
import { LinkWalk } from "./link-walk.ts";
import { runProgram } from "./run-program.ts";
import { StampedPaths } from "./stamped-paths.ts";

export type CompilerIdentity =
  | {
      readonly family: CompilerFamily;
      /** The line in which it says its version, for people. */
      readonly version: string;
      /** The program itself, all links resolved; of a wrapper the wrapper's. */
      readonly realPath: string;
      /** Absolute path of the driver whose toolchain compiles: the program's own, or what the wrapper runs. */
      readonly driver: string;
      /** It adds to the command before a driver sees it: `Compilation.replay`. */
      readonly wrapper: boolean;
      /** Changes whenever one of the files that make it up does. */
      readonly stamp: string;
    }
  | { readonly family: "neither" };

type Known = Exclude<CompilerIdentity, { readonly family: "neither" }>;

const neither: CompilerIdentity = { family: "neither" };

/** They run a compiler that their command or their own name says: not compilers, whatever `-v` answers through them. */
const launchers = /^(ccache|distcc|icecc|icerun|sccache|buildcache|homcc|gomacc|rewrapper|pump)([-.].*)?$/;
/** gcc's and clang's programs that answer `-v` as the compiler does and are called differently. */
const otherTools = /^(.*-)?(cpp|clang-cl)(-[0-9.]+)?$/;

/** A cold compiler on a network file system takes seconds; what takes longer waits for something that does not come. */
const timeLimitMs = 20_000;
const maxIdentities = 1000;

interface Entry {
  readonly paths: StampedPaths;
  readonly identity: Promise<CompilerIdentity>;
  /** Of `performance.now()`; of an answer, as long as its files are the same. */
  untilMs: number;
}

/** The program was killed, ran out of time or could not be started: that says nothing about what it is. */
class NoAnswer extends Error {}

/**
 * A program that gave no answer is not asked for so many times as long as it was waited for: at once where something killed it, and
 * one that hangs for 20 s holds up the files of a build every 80 s and not each of them.
 */
const noAnswerHolds = 3;

/**
 * What programs are, by their own answer to `-v`; asked once, and again when a file on the way to it changes. Who gives no
 * answer is neither for now.
 */
export class CompilerIdentities {
  readonly #entries = new Map<string, Entry>();

  /** `path` is absolute; of `environment` a wrapper script may use anything, but PATH alone is told apart. */
  async identify(path: string, environment: Readonly<Record<string, string>>): Promise<CompilerIdentity> {
    const key = `${path}\0${environment["PATH"] ?? ""}`;
    const known = this.#entries.get(key);
    if (known !== undefined && performance.now() < known.untilMs && known.paths.unchanged())
      return known.identity;
    const paths = new StampedPaths();
    const askedMs = performance.now();
    const identity = ask(path, environment, paths).catch((error: unknown) => {
      if (!(error instanceof NoAnswer)) throw error;
      const nowMs = performance.now();
      entry.untilMs = nowMs + noAnswerHolds * (nowMs - askedMs);
      return neither;
    });
    const entry: Entry = { paths, identity, untilMs: Infinity };
    if (this.#entries.size >= maxIdentities) this.#entries.clear();
    this.#entries.set(key, entry);
    identity.catch(() => this.#entries.delete(key));
    return identity;
  }
}

async function ask(
  path: string,
  environment: Readonly<Record<string, string>>,
  paths: StampedPaths,
): Promise<CompilerIdentity> {
  const program = paths.add(path);
  if (program?.kind !== "file" || isNoCompiler(path, program.path)) return neither;
  const env = { ...environment, LC_ALL: "C" };
  const answer = await question(path, ["-v"], env);
  const gcc = /^gcc version .*$/m.exec(answer)?.[0].trim();
  const clang = /^.*\bclang version .*$/m.exec(answer)?.[0].trim();
  const script = isScript(program.path);
  const found = { realPath: program.path, stamp: "" };
  if (gcc !== undefined) {
    const called = /^COLLECT_GCC=(.*)$/m.exec(answer)?.[1] ?? "";
    const wrapper = script || called !== path;
    return known(
      { ...found, family: "gcc", version: gcc, wrapper, driver: wrapper ? called : path },
      env,
      paths,
    );
  }
  if (clang !== undefined) {
    const driver = clangProgram(await question(path, ["-###", "-E", "-x", "c", "/dev/null"], env));
    // Options in it are not on the command line, and no server has the file: like a wrapper, it adds to the command.
    const configuration = /^Configuration file: (\/.*)$/m.exec(answer)?.[1];
    if (configuration !== undefined) paths.add(configuration);
    // One that appears has some of twenty names: the folders' own stat tells of it.
    const installed = /^InstalledDir: (\/.*)$/m.exec(answer)?.[1];
    for (const folder of [
      posix.dirname(program.path),
      ...(installed === undefined ? [] : [installed]),
      "/etc/clang",
    ])
      paths.add(folder);
    const wrapper = script || configuration !== undefined || realPathOf(driver) !== program.path;
    return known(
      { ...found, family: "clang", version: clang, wrapper, driver: wrapper ? driver : path },
      env,
      paths,
    );
  }
  return neither;
}

function known(
  identity: Known,
  environment: Readonly<Record<string, string>>,
  paths: StampedPaths,
): CompilerIdentity {
  for (const driver of findPrograms(identity.driver, environment["PATH"] ?? "")) {
    if (isNoCompiler(driver, realPathOf(driver) ?? driver)) continue;
    paths.add(driver);
    return { ...identity, driver, stamp: paths.stamp() };
  }
  return neither;
}

function isNoCompiler(path: string, realPath: string): boolean {
  const name = posix.basename(path);
  return launchers.test(posix.basename(realPath)) || launchers.test(name) || otherTools.test(name);
}

async function question(
  path: string,
  args: readonly string[],
  environment: Record<string, string>,
): Promise<string> {
  const limits = { timeLimitMs, maxOutputBytes: 1 << 20 };
  const { status, stderr } = await runProgram(path, { args, cwd: "/", environment, ...limits });
  if (status === undefined) throw new NoAnswer(`${path} ${args.join(" ")}`);
  return stderr.toString("utf8");
}

/** The program of the `-cc1` line: clang itself, by its real path. */
function clangProgram(answer: string): string {
  const line = answer.split("\n").find((text) => text.includes('"-cc1"')) ?? "";
  return quotedWords(line)?.[0] ?? "";
}

function realPathOf(path: string): string | undefined {
  if (!path.startsWith("/")) return undefined;
  const resolved = new LinkWalk().resolve(path);
  return resolved.kind === "file" ? resolved.path : undefined;
}

function isScript(path: string): boolean {
  const start = Buffer.alloc(2);
  const file = openSync(path, "r");
  try {
    readSync(file, start, 0, 2, 0);
  } finally {
    closeSync(file);
  }
  return start.toString("latin1") === "#!";
}
