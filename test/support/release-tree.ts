import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { debianMirror } from "./debian-mirror.ts";

const run = promisify(execFile);

/** Two of them, so that one is never this machine's. */
export type Codename = "bookworm" | "trixie";

/** The release of the tree: another one than this machine's. */
export const otherRelease: Codename = ownCodename() === "trixie" ? "bookworm" : "trixie";

/**
 * A whole Debian of another release with its gcc, g++ and clang. It takes debootstrap a minute and 450 MB, so it stays between runs
 * of the tests, outside of the repository.
 */
export const releaseTree = `/var/tmp/homcc-test-${otherRelease}`;

/** What no compile reads. */
const surplus = [
  ...["doc", "info", "locale", "man", "zoneinfo"].map((name) => `usr/share/${name}`),
  ...["apt/archives", "apt/pkgcache.bin", "apt/srcpkgcache.bin"].map((name) => `var/cache/${name}`),
  "var/lib/apt/lists",
].join(" ");

export function hasReleaseTree(): boolean {
  return existsSync(releaseTree);
}

/** Makes the tree where it is missing; of several callers at once one does. As root, with debootstrap. */
export async function makeReleaseTree(): Promise<void> {
  const { mirror } = await debianMirror();
  const script = `[ ! -e "$1" ] || exit 0
rm -rf "$1.partial"
debootstrap --variant=minbase --include=g++,clang "$2" "$1.partial" "$3"
cd "$1.partial"
rm -rf ${surplus}
mv "$1.partial" "$1"`;
  const words = ["sh", "-ec", script, "sh", releaseTree, otherRelease, mirror];
  await run("flock", [`${releaseTree}.lock`, ...words], { maxBuffer: 2 ** 26 });
}

function ownCodename(): string | undefined {
  try {
    return /^VERSION_CODENAME=(.*)$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  } catch {
    return undefined;
  }
}
