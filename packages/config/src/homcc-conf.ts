import { join } from "node:path";
import type { FileReader, FileReading } from "./files.ts";
import { type IniError, type IniFile, parseIni } from "./ini.ts";
import { mergeIni, type MergedIni } from "./ini-merge.ts";
import { keysOf, optionsOf, type Program } from "./options.ts";
import type { Problem } from "./problem.ts";

export interface Configuration {
  /** `undefined` with `--no-config`. */
  readonly ini: MergedIni | undefined;
  readonly problems: readonly Problem[];
}

/** Reads `homcc.conf` in every one of `folders`; they merge key by key, and the first folder wins. */
export async function readConfiguration(
  program: Program,
  folders: readonly string[],
  files: FileReader,
  commandLine: Readonly<Record<string, string>>,
): Promise<Configuration> {
  if (isSet(commandLine["no_config"] ?? commandLine["no-config"])) return { ini: undefined, problems: [] };
  const paths = folders.map((folder) => join(folder, "homcc.conf"));
  const readings = await Promise.all(paths.map((path) => files.read(path)));
  const inis: IniFile[] = [];
  const problems: Problem[] = [];
  readings.forEach((reading, index) => {
    const path = paths[index] ?? "";
    if (reading.kind === "unreadable") problems.push(unreadable(path, reading.reason));
    if (reading.kind !== "text") return;
    const ini = parseOnce(reading, path);
    inis.push(ini);
    problems.push(...ini.errors.map((error) => syntaxProblem(path, error)), ...unknownKeys(program, ini));
  });
  return { ini: mergeIni(inis), problems };
}

function isSet(text: string | undefined): boolean {
  return text !== undefined && text !== "" && text !== "0";
}

const parsed = new WeakMap<FileReading, IniFile>();

/** A job whose files did not change since the last one parses nothing. */
function parseOnce(reading: FileReading & { kind: "text" }, path: string): IniFile {
  const known = parsed.get(reading);
  if (known !== undefined) return known;
  const ini = parseIni(reading.text, path);
  parsed.set(reading, ini);
  return ini;
}

export function unreadable(path: string, reason: string): Problem {
  return { severity: "warning", source: path, message: `cannot be read: ${reason}`, hint: "it is skipped" };
}

const hints: Readonly<Record<IniError["kind"], string>> = {
  "missing-section": "a file begins with [homcc] or [homccd]",
  syntax: "a line is [SECTION], KEY = VALUE or # COMMENT",
  "duplicate-section": "one section of a name in a file",
  "duplicate-key": "one line for a key in a section; the first counts",
};

function syntaxProblem(path: string, error: IniError): Problem {
  return {
    severity: "error",
    source: `${path}:${error.line}`,
    message: error.message,
    hint: hints[error.kind],
  };
}

/** Keys that only other values refer to are no mistakes; others are probably typing errors. */
function unknownKeys(program: Program, ini: IniFile): Problem[] {
  const section = ini.sections.get(program);
  if (section === undefined) return [];
  const keys = optionsOf(program).flatMap(([, option]) => keysOf(option));
  const text = [...section.values(), ...ini.defaults.values()].map(({ raw }) => raw.toLowerCase()).join("\n");
  return [...section]
    .filter(([key]) => !keys.includes(key) && !text.includes(`%(${key})s`))
    .map(([key, { file, line }]) => ({
      severity: "warning",
      source: `${file}:${line}`,
      message: `unknown key '${key}' in [${program}]`,
      hint: `known: ${keys.join(", ")}`,
    }));
}
