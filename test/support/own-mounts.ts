import { spawn } from "node:child_process";
import { once } from "node:events";

/** A mount namespace in which some files are others. */
export interface OwnMounts extends AsyncDisposable {
  /** The words that run `argv` in it, with `cwd` as working folder. */
  words(argv: readonly string[], cwd: string): readonly string[];
}

/**
 * Makes a mount namespace in which each key of `binds` shows the file that is its value, and keeps it until it is disposed of. An agent
 * serves only calls of its own namespace, so that all of a test's calls have to enter the same one. Works for ordinary users.
 */
export async function createOwnMounts(binds: Readonly<Record<string, string>>): Promise<OwnMounts> {
  const isRoot = process.getuid?.() === 0;
  const script =
    'while [ $# -gt 0 ]; do mount --bind "$2" "$1"; shift 2; done; echo ready; exec cat >/dev/null';
  const words = ["--mount", "sh", "-ec", script, "sh", ...Object.entries(binds).flat()];
  const holder = spawn("unshare", isRoot ? words : ["--user", "--map-root-user", ...words], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [first]: unknown[] = await Promise.race([once(holder.stdout, "data"), once(holder, "close")]);
  if (!(first instanceof Buffer)) throw new Error(`no mount namespace: ${String(first)}`);
  const enter = ["nsenter", "--target", String(holder.pid), "--mount"];
  if (!isRoot) enter.push("--user", "--preserve-credentials");
  return {
    words: (argv, cwd) => [...enter, `--wd=${cwd}`, ...argv],
    [Symbol.asyncDispose]: async () => {
      const ended = once(holder, "close");
      holder.stdin.end();
      await ended;
    },
  };
}
