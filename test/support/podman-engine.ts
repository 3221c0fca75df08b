import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { endProcesses, listProcesses } from "./processes.ts";
import { removeFolder } from "./remove-folder.ts";
import { sandboxTree } from "./sandbox-tree.ts";
import { waitFor } from "./wait-for.ts";
import { systemPath } from "./workplace.ts";

const run = promisify(execFile);

/** A podman of its own, in a folder outside of /tmp, which containers share; its `docker` is podman, as Debian's podman-docker has it. */
export interface PodmanEngine extends AsyncDisposable {
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
  const { stdout: runc } = await run("sh", ["-c", "command -v runc"], {
    env: { PATH: `/usr/sbin:${systemPath}` },
  });
  // Neither systemd nor a file system with overlays is needed.
  const own = [...storage, "--storage-driver=vfs", "--cgroup-manager=cgroupfs", `--runtime=${runc.trim()}`];
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
    const watchers = listProcesses().filter(({ commandLine }) =>
      commandLine.some((word) => word.includes(folder)),
    );
    await endProcesses(watchers);
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
  return { variables, podman, [Symbol.asyncDispose]: stop };
}
