import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { removeFolder } from "./remove-folder.ts";
import { repository } from "./repository.ts";
import { sandboxTree } from "./sandbox-tree.ts";
import { waitFor } from "./wait-for.ts";

const run = promisify(execFile);

/** A docker engine of its own, in a temporary folder, without network. */
export interface DockerEngine extends AsyncDisposable {
  /** Of programs that are to use it. */
  readonly variables: Readonly<Record<string, string>>;
  /** Runs docker and gives what it printed. */
  docker(...words: readonly string[]): Promise<string>;
}

/** `group` may use its socket. Its images: `tree`, with the compilers of the tests, and `tiny`, in which only `/runner` exists. */
export async function startDockerEngine(group: string): Promise<DockerEngine> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-docker-"));
  await chmod(folder, 0o755);
  const socket = join(folder, "socket");
  // It chooses the storage driver itself: overlay2, or vfs where that is not possible.
  const words = [`--group=${group}`, `--host=unix://${socket}`];
  const folders = ["--data-root", "--exec-root", "--pidfile"].map((name) => `${name}=${join(folder, name)}`);
  const engine = spawn(
    "dockerd",
    [...words, ...folders, "--iptables=false", "--ip-masq=false", "--bridge=none"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let printed = "";
  engine.stderr.on("data", (chunk: Buffer) => (printed = (printed + chunk.toString()).slice(-4000)));
  const ended = once(engine, "close");
  const variables = { DOCKER_HOST: `unix://${socket}`, HOME: folder };
  const environment = { ...process.env, ...variables };
  const docker = async (...args: readonly string[]): Promise<string> =>
    (await run("docker", args, { env: environment })).stdout.trim();
  const stop = async (): Promise<void> => {
    const running = await docker("ps", "--quiet").catch(() => "");
    if (running !== "") await docker("kill", ...running.split("\n")).catch(() => {});
    engine.kill("SIGTERM");
    await ended;
    await removeFolder(folder);
  };
  try {
    await waitFor(
      "dockerd to answer",
      async () => {
        if (engine.exitCode !== null) throw new Error(`dockerd ended: ${printed}`);
        return await docker("version").catch(() => false as const);
      },
      60_000,
    );
    await importFolder(sandboxTree, "tree", environment);
    await mkdir(join(folder, "tiny"));
    await copyFile(join(repository, "dist/runner"), join(folder, "tiny/runner"));
    await importFolder(join(folder, "tiny"), "tiny", environment);
  } catch (error) {
    await stop();
    throw error;
  }
  return { variables, docker, [Symbol.asyncDispose]: stop };
}

async function importFolder(folder: string, image: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const script = 'tar --create --one-file-system --directory="$1" . | docker import - "$2"';
  await run("sh", ["-c", script, "sh", folder, image], { env: environment });
}
