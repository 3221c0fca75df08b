import { rm, writeFile } from "node:fs/promises";
import { sandboxTree } from "./sandbox-tree.ts";

export interface SchrootProfile extends AsyncDisposable {
  readonly name: string;
}

let nextProfile = 1;

/** Adds a profile to this machine's schroot, over the tree of the tests; `lines` add to its section or replace what is there. */
export async function addSchrootProfile(
  lines: Readonly<Record<string, string>> = {},
): Promise<SchrootProfile> {
  const name = `homcc-test-${process.pid}-${nextProfile++}`;
  const keys = { type: "directory", directory: sandboxTree, users: "nobody", profile: "default", ...lines };
  const file = `/etc/schroot/chroot.d/${name}`;
  const text = Object.entries(keys).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(file, `[${name}]\n${text.join("")}`);
  return { name, [Symbol.asyncDispose]: () => rm(file) };
}
