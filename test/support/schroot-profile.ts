import { rm, writeFile } from "node:fs/promises";
import { sandboxTree } from "./sandbox-tree.ts";

export interface SchrootProfile extends AsyncDisposable {
  readonly name: string;
  /** Writes its section anew, with these lines. */
  change(lines: Readonly<Record<string, string>>): Promise<void>;
}

let nextProfile = 1;

/** Adds a profile to this machine's schroot, over the tree of the tests; `lines` add to its section or replace what is there; an empty one is left out. */
export async function addSchrootProfile(
  lines: Readonly<Record<string, string>> = {},
): Promise<SchrootProfile> {
  const name = `homcc-test-${process.pid}-${nextProfile++}`;
  const file = `/etc/schroot/chroot.d/${name}`;
  const change = (changed: Readonly<Record<string, string>>): Promise<void> =>
    writeFile(file, sectionOf(name, changed));
  await change(lines);
  return { name, change, [Symbol.asyncDispose]: () => rm(file) };
}

function sectionOf(name: string, lines: Readonly<Record<string, string>>): string {
  const keys = { type: "directory", directory: sandboxTree, users: "nobody", profile: "default", ...lines };
  const text = Object.entries(keys).map(([key, value]) => (value === "" ? "" : `${key}=${value}\n`));
  return `[${name}]\n${text.join("")}`;
}
