import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { endProcesses, listProcesses, type ProcessInfo } from "./processes.ts";
import { removeFolder } from "./remove-folder.ts";
import { sandboxTree } from "./sandbox-tree.ts";
import { waitFor } from "./wait-for.ts";
import { systemPath } from "./workplace.ts";

const run = promisify(execFile);

/** A podman of its own, in a folder outside of /tmp, which containers share; its `docker` is podman, as Debian's podman-docker has it. */
export interface PodmanEngine extends AsyncDisposable {
  /** Outside of /tmp; the account may write to it. */
  readonly folder: string;
  /** Of programs that are to use it. */
  readonly variables: Readonly<Record<string, string>>;
  podman(...words: readonly string[]): Promise<string>;
}

/** The account with these numbers may use it, through its service. Its image is `tree`, with the compilers of the tests. */
export async function startPodmanEngine(uid: number, gid: number): Promise<PodmanEngine> {
  const folder = await mkdtemp("/var/tmp/homcc-podman-");
  await chmod(folder, 0o755);
  const [socket, programs] = [join(folder, "socket"), join(folder, "bin")];
  const storage = ["root", "runroot"].map((name) => `--${name}=${join(folder, name)}`);
  // Neither systemd nor a file system with overlays is needed.
  const own = [
    ...storage,
    "--storage-driver=vfs",
    "--cgroup-manager=cgroupfs",
    `--runtime=${await findRunc()}`,
  ];
  const env = { PATH: `/usr/sbin:/sbin:${systemPath}`, HOME: folder };
  const podman = async (...words: readonly string[]): Promise<string> =>
    (await run("podman", [...own, ...words], { env })).stdout.trim();
  const service = spawn("podman", [...own, "system", "service", "--time=0", `unix://${socket}`], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let printed = "";
  service.stderr.on("data", (chunk: Buffer) => (printed = (printed + chunk.toString()).slice(-4000)));
  const ended = once(service, "close");
  const stop = async (): Promise<void> => {
    await podman("rm", "--all", "--force", "--time=0").catch(() => {});
    service.kill("SIGTERM");
    await ended;
    // What watched an `exec` stays for five minutes, should somebody ask what became of it.
    await endProcesses(mentioning(folder));
    await removeFolder(folder);
  };
  try {
    await mkdir(programs);
    await writeFile(join(programs, "docker"), '#!/bin/sh\nexec podman "$@"\n', { mode: 0o755 });
    await waitFor("podman's service", () => {
      if (service.exitCode !== null) throw new Error(`podman ended: ${printed}`);
      return existsSync(socket);
    });
    await chown(socket, uid, gid);
    const script = 'tar --create --one-file-system --directory="$1" . | { shift; podman "$@"; }';
    await run("sh", ["-c", script, "sh", sandboxTree, ...own, "import", "-", "tree"], { env });
  } catch (error) {
    await stop();
    throw error;
  }
  const variables = { PATH: `${programs}:${env.PATH}`, CONTAINER_HOST: `unix://${socket}` };
  return { folder, variables, podman, [Symbol.asyncDispose]: stop };
}

/** A podman without root, of an account that has this one number alone; its `docker` works for that account only. */
export async function startRootlessPodman(number: number): Promise<PodmanEngine> {
  const folder = await mkdtemp("/var/tmp/homcc-podman-");
  const [programs, runtime] = [join(folder, "bin"), join(folder, "run")];
  for (const path of [programs, runtime]) await mkdir(path);
  const storage = ["root", "runroot"].map((name) => `--${name}=${join(folder, name)}`);
  const own = [
    ...storage,
    "--storage-driver=vfs",
    "--cgroup-manager=cgroupfs",
    `--runtime=${await findRunc()}`,
  ];
  await writeFile(join(programs, "docker"), `#!/bin/sh\nexec podman ${own.join(" ")} "$@"\n`, {
    mode: 0o755,
  });
  for (const path of [folder, programs, runtime]) await chown(path, number, number);
  const variables = {
    PATH: `${programs}:/usr/sbin:/sbin:${systemPath}`,
    HOME: folder,
    XDG_RUNTIME_DIR: runtime,
  };
  const as = ["--clear-groups", `--reuid=${number}`, `--regid=${number}`, "--"];
  const podman = async (...words: readonly string[]): Promise<string> =>
    (await run("setpriv", [...as, "docker", ...words], { env: variables, cwd: "/" })).stdout.trim();
  const stop = async (): Promise<void> => {
    await podman("rm", "--all", "--force", "--time=0").catch(() => {});
    await endProcesses(mentioning(folder));
    await removeFolder(folder);
  };
  try {
    // Everything in it is the one account's.
    const script =
      'tar --create --owner=0 --group=0 --one-file-system --directory="$1" . | { shift; setpriv "$@"; }';
    const words = ["-c", script, "sh", sandboxTree, ...as, "docker", "import", "-", "tree"];
    await run("sh", words, { env: variables, cwd: "/" });
  } catch (error) {
    await stop();
    throw error;
  }
  return { folder, variables, podman, [Symbol.asyncDispose]: stop };
}

const mentioning = (folder: string): ProcessInfo[] =>
  listProcesses().filter(({ commandLine }) => commandLine.some((word) => word.includes(folder)));

async function findRunc(): Promise<string> {
  const env = { PATH: `/usr/sbin:${systemPath}` };
  return (await run("sh", ["-c", "command -v runc"], { env })).stdout.trim();
}
