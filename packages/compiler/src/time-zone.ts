import { readFileSync, realpathSync } from "node:fs";

let known: { readonly zone: string | undefined } | undefined;

/** This machine's time zone as a value for TZ; `undefined` when it has none (UTC). Read once per process. */
export function systemTimeZone(): string | undefined {
  known ??= { zone: readTimeZone("/etc/localtime") };
  return known.zone;
}

/** The zone's name where the file is a link into zoneinfo, else the rule at the end of the file. */
export function readTimeZone(file: string): string | undefined {
  try {
    const name = /\/zoneinfo\/(?:posix\/)?(.+)$/.exec(realpathSync(file))?.[1];
    if (name !== undefined) return name;
    // Since its second version a zone file ends with the current rule between two line ends.
    return /\n([^\n]+)\n$/.exec(readFileSync(file, "latin1"))?.[1];
  } catch {
    return undefined;
  }
}
