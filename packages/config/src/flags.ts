import { optionsOf, type Option, type Program } from "./options.ts";
import { twoSandboxesText } from "./sandbox.ts";

export type ParsedFlags =
  | {
      readonly kind: "parsed";
      /** By option name; booleans as `1`. */
      readonly values: Readonly<Record<string, string>>;
      /** From the first word that is neither a flag nor its value. */
      readonly rest: readonly string[];
    }
  | { readonly kind: "error"; readonly message: string };

/**
 * Splits a command line into a program's own options and the rest. A flag's value is the next word or follows `=`;
 * of a flag given twice the last counts; `--` ends the options; abbreviations do not exist. `--help` and `--version`
 * end the search, as everywhere.
 */
export function parseFlags(program: Program, argv: readonly string[]): ParsedFlags {
  const values = new Map<string, string>();
  const groups = new Map<string, string>();
  let index = 0;
  while (index < argv.length) {
    const word = argv[index] ?? "";
    if (word === "--")
      return { kind: "parsed", values: Object.fromEntries(values), rest: argv.slice(index + 1) };
    if (!word.startsWith("-") || word === "-") break;
    const flag = splitFlag(program, word);
    if (flag === undefined) return error(program, `unknown option '${word}'`);
    const clash = flag.option.group === undefined ? undefined : groups.get(flag.option.group);
    if (clash !== undefined && clash !== flag.name)
      return error(program, clashText(program, clash, flag.name));
    if (flag.option.group !== undefined) groups.set(flag.option.group, flag.name);
    index++;
    if (flag.option.type.metavar === "") {
      if (flag.value !== undefined) return error(program, `${flag.spelling} takes no value`);
      values.set(flag.name, "1");
    } else {
      const value = flag.value ?? argv[index++];
      if (value === undefined)
        return error(program, `${flag.spelling} needs a value: ${flag.option.type.allowed}`);
      if (flag.option.type.parse(value, "command line") === undefined) {
        return error(
          program,
          `${flag.spelling}: '${value}' is not allowed (allowed: ${flag.option.type.allowed})`,
        );
      }
      values.set(flag.name, value);
    }
    if (flag.name === "help" || flag.name === "version") break;
  }
  return { kind: "parsed", values: Object.fromEntries(values), rest: argv.slice(index) };
}

interface Flag {
  readonly name: string;
  readonly option: Option;
  readonly spelling: string;
  /** After `=`, or joined to a single letter as in `-j8`. */
  readonly value: string | undefined;
}

function splitFlag(program: Program, word: string): Flag | undefined {
  const isLong = word.startsWith("--");
  const equals = isLong ? word.indexOf("=") : -1;
  const joined = isLong || word.length <= 2 ? undefined : word.slice(2);
  const spelling = isLong ? word.slice(0, equals < 0 ? word.length : equals) : word.slice(0, 2);
  const value = equals < 0 ? joined : word.slice(equals + 1);
  const found = optionsOf(program).find(([, option]) => option.flags.includes(spelling));
  if (found === undefined || (joined !== undefined && found[1].type.metavar === "")) return undefined;
  return { name: found[0], option: found[1], spelling, value };
}

function clashText(program: Program, first: string, second: string): string {
  const names = new Set([first, second]);
  if (names.has("schroot_profile") && names.has("docker_container")) return twoSandboxesText;
  return `${flagOf(program, second)} cannot be combined with ${flagOf(program, first)}`;
}

function flagOf(program: Program, name: string): string {
  return optionsOf(program).find(([known]) => known === name)?.[1].flags[0] ?? name;
}

function error(program: Program, message: string): ParsedFlags {
  return {
    kind: "error",
    message: `${message}${/[.)]$/.test(message) ? "" : ` (${program} --help lists the options)`}`,
  };
}
