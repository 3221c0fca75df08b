import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "./scratch.ts";

/** One version of CHANGELOG.md: `## VERSION (DATE)` and a list. */
export interface Release {
  readonly version: string;
  readonly date: Date;
  readonly changes: readonly string[];
}

export async function readChangelog(): Promise<readonly Release[]> {
  return parseChangelog(await readFile(join(repository, "CHANGELOG.md"), "utf8"));
}

/** The newest first, as the file has them. */
export function parseChangelog(text: string): readonly Release[] {
  return text
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [, version, day] = /^(\S+) \((\d{4}-\d\d-\d\d)\)/.exec(section) ?? [];
      if (version === undefined || day === undefined)
        throw new Error(`CHANGELOG.md: "## VERSION (YEAR-MONTH-DAY)" expected: ${section.split("\n")[0]}`);
      const [, ...items] = section.split(/^- /m);
      return {
        version,
        date: new Date(`${day}T12:00:00Z`),
        changes: items.map((item) => item.replaceAll(/\s+/g, " ").trim()),
      };
    });
}

/** Debian's form of it, for one package. */
export function renderDebianChangelog(
  name: string,
  maintainer: string,
  releases: readonly Release[],
): string {
  return releases
    .map(({ version, date, changes }) => {
      const items = changes.map((change) => `  * ${wrap(change.replaceAll("`", ""))}`);
      return `${name} (${version}) unstable; urgency=medium\n\n${items.join("\n")}\n\n -- ${maintainer}  ${mailDate(date)}\n`;
    })
    .join("\n");
}

function wrap(text: string): string {
  return text.replaceAll(/(.{1,74})(?: +|$)/g, "$1\n    ").trimEnd();
}

/** `Wed, 25 Nov 2026 12:00:00 +0000` */
function mailDate(date: Date): string {
  return date.toUTCString().replace("GMT", "+0000");
}
