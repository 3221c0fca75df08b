import { readdirSync, readFileSync } from "node:fs";
import { StampedPaths } from "@homcc/compiler/stamped-paths";
import type { SchrootProfile } from "./schroot.ts";

const configurationFolder = "/etc/schroot";

/**
 * What a profile was made of: the file with its section, and the one that sessions are unpacked from. Once one of them
 * changes, so may where it lies and whom it lets in. Looking costs 10 µs.
 */
export function filesOf(
  profile: Pick<SchrootProfile, "name" | "text">,
  folder: string = configurationFolder,
): StampedPaths {
  const files = new StampedPaths();
  for (const path of configurationFiles(folder)) if (names(textOf(path), profile.name)) files.addPath(path);
  const source = /^file=(\/.*)$/m.exec(profile.text)?.[1];
  if (source !== undefined) files.add(source);
  return files;
}

function configurationFiles(folder: string): string[] {
  try {
    const parts = readdirSync(`${folder}/chroot.d`).map((name) => `${folder}/chroot.d/${name}`);
    return [`${folder}/schroot.conf`, ...parts];
  } catch {
    return [`${folder}/schroot.conf`];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Whether a section of the text is called so, by its name or by another one. */
function names(text: string, name: string): boolean {
  return text.split("\n").some((line) => {
    const aliases = /^aliases\s*=(.*)$/.exec(line)?.[1] ?? "";
    return line.trim() === `[${name}]` || aliases.split(",").some((alias) => alias.trim() === name);
  });
}
