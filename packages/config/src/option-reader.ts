import { type MergedIni, readKey } from "./ini-merge.ts";
import { keysOf, type Option, type Program, type ValueOf } from "./options.ts";
import type { Problem } from "./problem.ts";
import type { Origin } from "./values.ts";

export interface OptionSources {
  readonly program: Program;
  /** By option name; dashes and underscores mean the same. */
  readonly commandLine: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  /** `undefined`: files are not read. */
  readonly ini: MergedIni | undefined;
}

export interface OptionReader<Table extends Readonly<Record<string, Option>>> {
  /** The value of the strongest source that has an allowed one, else the default. */
  get<Name extends keyof Table & string>(name: Name): ValueOf<Table[Name]>;
  /** Where that value comes from: a flag, a variable, a line of a file, or "default". */
  sourceOf(name: keyof Table & string): string;
  /** What was not allowed, so far. */
  readonly problems: readonly Problem[];
}

/** Command line beats environment beats file; a text that is not allowed is reported and ignored. */
export function createOptionReader<const Table extends Readonly<Record<string, Option>>>(
  table: Table,
  sources: OptionSources,
): OptionReader<Table> {
  const problems: Problem[] = [];
  const known = new Map<string, ReadOption>();
  const read = (name: string): ReadOption => {
    const found = known.get(name) ?? readOption(name, table[name], sources, problems);
    known.set(name, found);
    return found;
  };
  return {
    problems,
    // The value was made by this option's own `parse`.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    get: (name) => read(name).value as ValueOf<Table[typeof name]>,
    sourceOf: (name) => read(name).source,
  };
}

interface ReadOption {
  readonly value: unknown;
  readonly source: string;
}

function readOption(
  name: string,
  option: Option | undefined,
  sources: OptionSources,
  problems: Problem[],
): ReadOption {
  if (option === undefined) throw new Error(`no option '${name}'`);
  for (const given of candidates(name, option, sources, problems)) {
    const value = option.type.parse(given.text, given.origin);
    if (value !== undefined) return { value, source: given.source };
    problems.push({
      severity: "error",
      source: given.source,
      message: `${given.what}'${given.text}' is not allowed`,
      hint: `allowed: ${option.type.allowed}`,
    });
  }
  const value = option.default === undefined ? undefined : option.type.parse(option.default, "file");
  return { value, source: "default" };
}

interface Candidate {
  readonly text: string;
  readonly origin: Origin;
  readonly source: string;
  /** Goes before the text in a message. */
  readonly what: string;
}

/** The texts given for an option, strongest first. An empty one counts as absent. */
function* candidates(
  name: string,
  option: Option,
  sources: OptionSources,
  problems: Problem[],
): Generator<Candidate> {
  const flagText = sources.commandLine[name] ?? sources.commandLine[name.replaceAll("_", "-")] ?? "";
  if (flagText !== "")
    yield { text: flagText, origin: "command line", source: option.flags[0] ?? name, what: "" };
  for (const variable of option.variables) {
    const variableText = sources.environment[variable] ?? "";
    if (variableText !== "") yield { text: variableText, origin: "environment", source: variable, what: "" };
  }
  if (sources.ini === undefined) return;
  for (const key of keysOf(option)) {
    const read = readKey(sources.ini, sources.program, key);
    if (read.kind === "absent") continue;
    const source = `${read.origin.file}:${read.origin.line}`;
    if (read.kind === "error") {
      const hint = "'%%' stands for a percent sign";
      problems.push({ severity: "error", source, message: `${key}: ${read.message}`, hint });
    } else if (read.text !== "") {
      yield { text: read.text, origin: "file", source, what: `${key}: ` };
    }
  }
}
