import { chmod, mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandResult, runCommand } from "./command.ts";
import { debianMirror } from "./debian-mirror.ts";
import { removeFolder } from "./remove-folder.ts";
import { systemPath } from "./workplace.ts";

/** A fresh Debian in a folder. */
export interface DebianBase extends AsyncDisposable {
  /** For packages; every machine sees it as /packages. */
  readonly packages: string;
  /** A machine that is as the base is, until one of its scripts changes it: a layer over the base. */
  machine(): Promise<DebianMachine>;
}

export interface DebianMachine {
  /**
   * Runs a shell script as root in this machine, in namespaces of its own without network; what it starts ends with it.
   * Rejects when it fails. /scratch is in a file system that a store can be on: overlays do not stack.
   */
  run(script: string): Promise<string>;
  /** Starts the machine with systemd, which runs the script when it is up, and then ends. */
  boot(script: string): Promise<string>;
}

const includes = ["g++", "adduser", "systemd-sysv", "dbus", "iproute2"];
const commandTimeoutMs = 1_200_000;

/**
 * Over the tree in the folder `given`, or over a new one, which takes minutes; HOMCC_TEST_DEBIAN names one that was made before,
 * which saves them while tests are written.
 */
export async function createDebianBase(given = process.env["HOMCC_TEST_DEBIAN"]): Promise<DebianBase> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-debian-"));
  await chmod(folder, 0o755);
  const packages = join(folder, "packages");
  await mkdir(packages);
  const base = given ?? join(folder, "base");
  if (given === undefined) await bootstrap(base, folder);
  let count = 0;
  return {
    packages,
    machine: () => createMachine(base, packages, join(folder, `machine-${count++}`)),
    [Symbol.asyncDispose]: () => removeFolder(folder),
  };
}

async function bootstrap(base: string, cwd: string): Promise<void> {
  const { mirror, suite } = await debianMirror();
  const words = ["--variant=minbase", `--include=${includes.join(",")}`, suite, base, mirror];
  await succeed(["debootstrap", ...words], cwd);
}

async function createMachine(base: string, packages: string, folder: string): Promise<DebianMachine> {
  for (const name of ["", "upper", "work", "root", "scratch"]) await mkdir(join(folder, name));
  await chmod(join(folder, "scratch"), 0o1777);
  const inNamespaces = (
    flags: readonly string[],
    script: string,
    words: readonly string[],
  ): Promise<string> =>
    succeed(["unshare", "--mount", "--net", ...flags, "sh", "-ec", script, "sh", ...words], folder, {
      BASE: base,
      PACKAGES: packages,
    });
  return {
    run: (script) =>
      inNamespaces(["--pid", "--ipc", "--fork", "--kill-child"], mountRoot + enterRoot, [script]),
    boot: (script) => inNamespaces([], mountRoot + bootRoot, [script]),
  };
}

const mountRoot = `ip link set lo up
mount -t overlay -o lowerdir=$BASE,upperdir=upper,workdir=work overlay root
`;

/** By pivot_root: in a chroot the kernel makes no user namespaces. */
const enterRoot = `mount -t proc proc root/proc
mount --rbind /dev root/dev
mkdir -p root/packages root/scratch root/old
mount --bind "$PACKAGES" root/packages
mount --bind scratch root/scratch
cd root
pivot_root . old
umount -l old
rmdir old
export DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/root
unset BASE PACKAGES
exec chroot . sh -ec "$1" </dev/null`;

/**
 * nspawn hides parts of /proc, and where something is hidden the kernel gives no namespace a /proc of its own: the script
 * starts with taking that away. The script's output is what the machine leaves in /scratch.
 */
const bootRoot = `cat >scratch/script <<END
exec >/scratch/output 2>&1
for place in \\$(grep ' /proc/' /proc/self/mountinfo | cut -d' ' -f5 | sort -ru); do umount -l "\\$place" || true; done
ip link set lo up
set -e
$1
echo end of script
END
cat >root/etc/systemd/system/homcc-script.service <<'END'
[Unit]
After=homccd.service
[Service]
Type=oneshot
ExecStart=-/bin/sh /scratch/script
ExecStart=systemctl --no-block poweroff
[Install]
WantedBy=multi-user.target
END
mkdir -p root/etc/systemd/system/multi-user.target.wants
ln -sf ../homcc-script.service root/etc/systemd/system/multi-user.target.wants/
systemd-nspawn --quiet --register=no --keep-unit --private-network --directory=root --machine=homcc-test \\
  --bind="$PWD/scratch:/scratch" --boot </dev/null >scratch/console 2>&1 || { cat scratch/console >&2; exit 1; }
cat scratch/output
grep -qx 'end of script' scratch/output`;

/** Rejects with everything that was printed when the command fails. */
async function succeed(
  argv: readonly string[],
  cwd: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { status, stdout, stderr }: CommandResult = await runCommand(argv, {
    cwd,
    environment: { PATH: `/usr/sbin:/sbin:${systemPath}`, ...environment },
    timeoutMs: commandTimeoutMs,
  });
  if (status === 0) return stdout;
  throw new Error(`${argv[0]} ended with ${status}:\n${stdout}\n${stderr}`);
}
