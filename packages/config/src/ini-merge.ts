import type { IniFile, IniSection, IniValue } from "./ini.ts";

/** Several files read by one `ConfigParser`. */
export interface MergedIni {
  readonly sections: ReadonlyMap<string, IniSection>;
  readonly defaults: IniSection;
}

/** Merges key by key; of a key in several files the first file's counts. */
export function mergeIni(files: readonly IniFile[]): MergedIni {
  const sections = new Map<string, Map<string, IniValue>>();
  const defaults = new Map<string, IniValue>();
  for (const file of files.toReversed()) {
    for (const [key, value] of file.defaults) defaults.set(key, value);
    for (const [name, values] of file.sections) {
      const section = sections.get(name) ?? new Map<string, IniValue>();
      for (const [key, value] of values) section.set(key, value);
      sections.set(name, section);
    }
  }
  return { sections, defaults };
}

export type Interpolated =
  | { readonly kind: "value"; readonly text: string; readonly origin: IniValue }
  | { readonly kind: "absent" }
  | { readonly kind: "error"; readonly message: string; readonly origin: IniValue };

/** As in Python's `configparser.MAX_INTERPOLATION_DEPTH`. */
const maxDepth = 10;
/** `%(a)s%(a)s` in ten levels gives 2^10 times the text; far above any real value. */
const maxLength = 65_536;

/** `parser[section][key]`: `%%` is a percent sign, `%(other)s` the value of a key of the section or of `[DEFAULT]`. */
export function readKey(ini: MergedIni, section: string, key: string): Interpolated {
  const values = ini.sections.get(section);
  if (values === undefined) return { kind: "absent" };
  const lookUp = (name: string): IniValue | undefined => values.get(name) ?? ini.defaults.get(name);
  const origin = lookUp(key);
  if (origin === undefined) return { kind: "absent" };
  try {
    return { kind: "value", text: interpolate(origin.raw, lookUp, 1), origin };
  } catch (error) {
    if (!(error instanceof InterpolationError)) throw error;
    return { kind: "error", message: error.message, origin };
  }
}

function interpolate(raw: string, lookUp: (name: string) => IniValue | undefined, depth: number): string {
  if (depth > maxDepth) throw new InterpolationError(`values refer to each other more than ${maxDepth} deep`);
  let text = "";
  let rest = raw;
  while (rest !== "") {
    const percent = rest.indexOf("%");
    if (percent < 0) return text + rest;
    text += rest.slice(0, percent);
    rest = rest.slice(percent);
    const reference = /^%\(([^)]+)\)s/.exec(rest);
    if (rest[1] === "%") {
      text += "%";
      rest = rest.slice(2);
    } else if (reference?.[1] === undefined) {
      throw new InterpolationError("a '%' that is not followed by '%' or '(NAME)s'");
    } else {
      rest = rest.slice(reference[0].length);
      text += resolve(reference[1].toLowerCase(), lookUp, depth);
    }
    if (text.length > maxLength)
      throw new InterpolationError(`the value has more than ${maxLength} characters`);
  }
  return text;
}

function resolve(name: string, lookUp: (name: string) => IniValue | undefined, depth: number): string {
  const value = lookUp(name);
  if (value === undefined) throw new InterpolationError(`'%(${name})s' names a key that does not exist`);
  return value.raw.includes("%") ? interpolate(value.raw, lookUp, depth + 1) : value.raw;
}

/** Only used within this file. */
class InterpolationError extends Error {}
