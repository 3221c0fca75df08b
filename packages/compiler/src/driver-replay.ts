import { realpathSync } from "node:fs";
import { posix } from "node:path";
import type { Step, Terminal } from "@homcc/cas/action";
import type { CompilerFamily } from "./compilation.ts";
import { findProgram } from "./find-program.ts";
import { runProgram } from "./run-program.ts";

export interface Replay {
  /** The driver or wrapper, by absolute path. */
  readonly compilerPath: string;
  readonly family: CompilerFamily;
  /** `Compilation.argv`. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Clang's driver turns the terminal of the messages into arguments of the compiler proper. */
  readonly terminal: Terminal;
  readonly signal?: AbortSignal;
}

const timeLimitMs = 20_000;

/**
 * What the driver would run for a command, asked by `-###`: the compiler proper with everything that the driver or a
 * wrapper found out about this machine (`-march=native`), then assembler and objcopy. `undefined` when its answer has
 * anything else in it: the job belongs at home then.
 */
export async function replayDriver(replay: Replay): Promise<readonly Step[] | undefined> {
  // -pipe would join two programs; a temporary file does the same, under another name in the assembler's messages.
  const args = replay.argv.slice(1).filter((argument) => argument !== "-pipe" && argument !== "--pipe");
  const { TMPDIR: _, TMP: _tmp, TEMP: _temp, ...environment } = replay.environment;
  const { status, stderr } = await runProgram(replay.compilerPath, {
    args: ["-###", ...args],
    argv0: replay.argv[0] ?? replay.compilerPath,
    cwd: replay.cwd,
    environment: { ...environment, LC_ALL: "C" },
    timeLimitMs,
    ...(replay.signal === undefined ? {} : { signal: replay.signal }),
  });
  if (status !== 0) return undefined;
  return stepsOf(stderr, replay);
}

/** What drivers say about themselves before and between the commands. */
const heading =
  /^(?:Using built-in specs\.$|Reading specs from |[A-Z_]+=|Target: |Configured with: |Thread model: |Supported LTO |gcc version |InstalledDir: |Configuration file: |(?:System|User) configuration file directory: |Build config: |(?:[\w.-]+ )*clang version )/;

function stepsOf(answer: Buffer, replay: Replay): readonly Step[] | undefined {
  const steps: Step[] = [];
  for (const line of decode(answer)?.split("\n") ?? []) {
    if (line === "" || line === " (in-process)" || heading.test(line)) continue;
    // A warning of the driver's or a word of a wrapper's: the programs that are replayed would not repeat it.
    if (!line.startsWith(" ")) return undefined;
    const words = quotedWords(line);
    const step = words === undefined ? undefined : stepOf(words, replay, steps.length === 0);
    if (step === undefined) return undefined;
    steps.push(step);
  }
  return steps.length === 0 ? undefined : withFixedNames(steps, replay.argv);
}

/** Files between two programs have names of chance; with fixed ones the same command is the same action. */
function withFixedNames(steps: readonly Step[], given: readonly string[]): readonly Step[] {
  const [first, ...others] = steps.map(({ argv }) => argv);
  const between = (first ?? []).filter(
    (word) => word.startsWith("/tmp/") && !given.includes(word) && others.some((argv) => argv.includes(word)),
  );
  const fixed = new Map([...new Set(between)].map((word, index) => [word, `/tmp/homcc-${index}.s`]));
  return steps.map(({ program, argv }) => ({ program, argv: argv.map((word) => fixed.get(word) ?? word) }));
}

function stepOf(words: readonly string[], replay: Replay, first: boolean): Step | undefined {
  const [name = ""] = words;
  // A wrapper's -pipe: one program's output is the next one's input.
  if (words.at(-1) === "|") return undefined;
  const found = findProgram(name, replay.environment["PATH"] ?? "");
  // Cross compilers find their assembler through `..`; the toolchain has it where that leads.
  const program = found?.includes("/../") === true ? realpathSync(found) : found;
  if (program === undefined || !isExpected(words, replay.family, first)) return undefined;
  if (first && replay.family === "clang")
    return { program, argv: withTerminal(withoutQuestion(words), replay) };
  return { program, argv: words };
}

/** The compiler proper comes first and once; what follows only assembles and splits. */
function isExpected(words: readonly string[], family: CompilerFamily, first: boolean): boolean {
  const name = posix.basename(words[0] ?? "");
  if (!first) return /^(.*-)?(as|objcopy)$/.test(name);
  return family === "clang" ? words[1] === "-cc1" : /^cc1(plus|obj|objplus)?$/.test(name);
}

/** Asked to record its command line, clang records the question too. */
function withoutQuestion(words: readonly string[]): readonly string[] {
  const recorded = new Set(["-record-command-line", "-dwarf-debug-flags"]);
  return words.map((text, index) =>
    recorded.has(words[index - 1] ?? "") ? text.replace(" -### ", " ") : text,
  );
}

/** `-###` writes to a pipe here, so the driver left out what it adds for a terminal. */
function withTerminal(
  words: readonly string[],
  { terminal: { stderr }, argv, environment }: Replay,
): readonly string[] {
  const term = environment["TERM"] ?? "dumb";
  if (stderr === undefined) return words;
  const given = (pattern: RegExp): boolean => argv.some((argument) => pattern.test(argument));
  const width = given(/^-fmessage-length=/) ? [] : [`-fmessage-length=${stderr.columns}`];
  const coloured =
    term !== "dumb" && !given(/^-f(no-)?(color-diagnostics|diagnostics-color(=(never|always))?)$/);
  return [...words.slice(0, 2), ...width, ...(coloured ? ["-fcolor-diagnostics"] : []), ...words.slice(2)];
}

/** The words of one `-###` line: bare, or in quotes with a backslash before `"`, `\` and `$`. */
export function quotedWords(line: string): string[] | undefined {
  const words: string[] = [];
  const word = / +(?:"((?:[^"\\]|\\.)*)"|([^ "]+))/gy;
  let end = 0;
  for (let match = word.exec(line); match !== null; match = word.exec(line)) {
    end = word.lastIndex;
    words.push(match[1]?.replaceAll(/\\(.)/g, "$1") ?? match[2] ?? "");
  }
  return end === line.length && words.length > 0 ? words : undefined;
}

function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
