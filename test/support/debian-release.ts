import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { runCommand } from "./command.ts";
import { releaseTree } from "./release-tree.ts";
import { removeFolder } from "./remove-folder.ts";
import { repository } from "./repository.ts";
import { systemPath } from "./workplace.ts";

/**
 * A machine with another Debian release than this one's: its own root and this machine's network, so that loopback joins the two.
 * This machine's folder for temporary files and the repository are there at their own paths. What a test changes in the root is
 * gone with the machine.
 */
export interface DebianRelease extends AsyncDisposable {
  /** Words that run the command behind them in the machine: for `startServer`, and `createWorkplace` as it stands. */
  prefix(cwd?: string): readonly string[];
  /** Runs a shell script as root and resolves to what it printed; rejects when it fails. */
  run(script: string): Promise<string>;
}

/** As root, with the tree of `release-tree.ts`. */
export async function createDebianRelease(): Promise<DebianRelease> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-release-"));
  await chmod(folder, 0o755);
  for (const name of ["upper", "work", "root"]) await mkdir(join(folder, name));
  const words = ["--mount", "sh", "-ec", enterRoot, "sh", releaseTree, tmpdir(), repository];
  const holder = spawn("unshare", words, {
    cwd: folder,
    env: { PATH: `/usr/sbin:/sbin:${systemPath}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(holder, "exit");
  const end = async (): Promise<void> => {
    holder.kill("SIGKILL");
    await ended;
    await removeFolder(folder);
  };
  try {
    const complaints = text(holder.stderr);
    const ready = await Promise.race([once(holder.stdout, "data"), ended.then(() => undefined)]);
    if (ready === undefined) throw new Error(`the other release did not start: ${await complaints}`);
  } catch (error) {
    await end();
    throw error;
  }
  const entering = ["nsenter", `--target=${holder.pid}`, "--mount", "--root", "/usr/bin/env"];
  const prefix: DebianRelease["prefix"] = (cwd = "/") => [...entering, `--chdir=${cwd}`];
  return {
    prefix,
    run: async (script) => {
      const argv = [...prefix(), "sh", "-ec", script];
      const environment = { PATH: systemPath, LC_ALL: "C" };
      const { status, stdout, stderr } = await runCommand(argv, { cwd: "/", environment });
      assert.equal(status, 0, stdout + stderr);
      return stdout;
    },
    [Symbol.asyncDispose]: end,
  };
}

/** By pivot_root: in a chroot the kernel makes no user namespaces. The process that stays keeps the mounts. */
const enterRoot = `mount -t overlay -o "lowerdir=$1,upperdir=upper,workdir=work" overlay root
mount -t proc proc root/proc
mount --rbind /dev root/dev
for shared in "$2" "$3"; do
  mkdir -p "root$shared"
  mount --rbind "$shared" "root$shared"
done
cd root
pivot_root . mnt
umount -l mnt
exec chroot . sh -c 'echo ready; exec sleep infinity'`;
