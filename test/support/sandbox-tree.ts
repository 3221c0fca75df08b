import { execFile } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { compilersOf, type ProcessInfo } from "./processes.ts";

const run = promisify(execFile);

/**
 * A small Debian of its own with another g++ than this machine's, for sandboxes. It takes debootstrap two minutes, so it
 * stays between runs of the tests, outside of the repository.
 */
export const sandboxTree = "/var/tmp/homcc-test-tree";

/** Written last. */
const completeMark = join(sandboxTree, "etc/homcc-test-complete");

export function hasSandboxTree(): boolean {
  return existsSync(completeMark);
}

/** Makes the tree where it is missing. As root, with debootstrap and the packages of this machine's distribution. */
export async function makeSandboxTree(): Promise<void> {
  if (hasSandboxTree()) return;
  const { version, mirror, suite } = await otherCompiler();
  const partial = `${sandboxTree}.${process.pid}`;
  await rm(sandboxTree, { recursive: true, force: true });
  const words = ["--variant=minbase", `--include=g++-${version}`, suite, partial, mirror];
  await run("debootstrap", words, { maxBuffer: 2 ** 26 });
  await removeSurplus(partial, version);
  for (const [name, program] of Object.entries({ gcc: "gcc", "g++": "g++", cc: "gcc", "c++": "g++" }))
    await symlink(`${program}-${version}`, join(partial, "usr/bin", name));
  await writeFile(join(partial, "etc/homcc-test-complete"), version);
  await rename(partial, sandboxTree);
}

/** Those of `compilersOf` that are the tree's, and not this machine's looking for includes. */
export async function compilersOfTree(text: string): Promise<ProcessInfo[]> {
  const version = await readFile(completeMark, "utf8");
  return compilersOf(text).filter(
    ({ commandLine }) => commandLine[0]?.endsWith(`/${version}/cc1plus`) === true,
  );
}

export interface TreeCopy extends AsyncDisposable {
  readonly root: string;
}

/** The tree as a folder that may be changed: a layer over it. As root. */
export async function copySandboxTree(): Promise<TreeCopy> {
  const folder = await mkdtemp("/var/tmp/homcc-test-copy-");
  const parts = ["upper", "work", "root"].map((name) => join(folder, name));
  await Promise.all(parts.map((part) => mkdir(part)));
  await chmod(folder, 0o755);
  const [upper = "", work = "", root = ""] = parts;
  const options = `lowerdir=${sandboxTree},upperdir=${upper},workdir=${work}`;
  await run("mount", ["-t", "overlay", "-o", options, "overlay", root]);
  return {
    root,
    [Symbol.asyncDispose]: async () => {
      await run("umount", ["--lazy", root]);
      await rm(folder, { recursive: true });
    },
  };
}

/** What no compile reads: an engine copies the tree several times. */
async function removeSurplus(tree: string, version: string): Promise<void> {
  const share = ["doc", "info", "locale", "man", "perl", "zoneinfo"].map((name) => `usr/share/${name}`);
  const lto = globSync(`usr/lib/gcc/*/${version}/{lto1,lto-dump}`, { cwd: tree });
  for (const name of [...share, ...lto, "var/cache/apt", "var/lib/apt/lists"])
    await rm(join(tree, name), { recursive: true, force: true });
}

interface OtherCompiler {
  readonly version: string;
  readonly mirror: string;
  readonly suite: string;
}

async function otherCompiler(): Promise<OtherCompiler> {
  const own = (await run("gcc", ["-dumpversion"])).stdout.trim();
  for (const version of ["11", "12", "13", "14", "15"].filter((candidate) => candidate !== own)) {
    const { stdout } = await run("apt-cache", ["policy", `g++-${version}`]);
    const [, mirror, suite] = /\d+ (http\S+) ([^/\s]+)\/main /.exec(stdout) ?? [];
    if (mirror !== undefined && suite !== undefined) return { version, mirror, suite };
  }
  throw new Error("this distribution has no other g++ than the default one");
}
