import { accessSync, constants, readFileSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { describeError, HomccError } from "@homcc/observability/error";
import { defaultPath } from "./compilers.ts";
import type { Container, Docker } from "./docker.ts";
import type { EntryOptions } from "./entry-options.ts";
import type { SandboxEnvironment } from "./environment.ts";
import { enterMapped } from "./mapped-environment.ts";
import { enterRoot } from "./root-environment.ts";
import { hasOwnCause, unavailable } from "./unavailable.ts";

/**
 * Where homccd may look into a running container, its root is the floor of jobs in namespaces. Else the container has to
 * share a folder, and is entered by one `docker exec` as homccd's own account.
 */
export async function enterDocker(
  container: Container,
  docker: Docker,
  options: EntryOptions,
): Promise<SandboxEnvironment> {
  const engine = await docker.engine();
  requireRunning(container, engine);
  const startedThen = startTimeOf(container.pid);
  const isCurrent = (): boolean => startTimeOf(container.pid) === startedThen;
  const common = {
    ...options,
    kind: "docker",
    place: `docker container ${container.name}`,
    path: container.path ?? defaultPath,
    isCurrent,
  } as const;
  if (options.namespaces && options.door !== undefined && !hasToolsInMounts(container)) {
    try {
      return await enterRoot({ ...common, root: { pid: container.pid } });
    } catch (error) {
      if (hasOwnCause(error)) throw error;
      const why = `paths are mapped, because: ${describeError(error)}`;
      options.logger.warning(`docker container ${container.name}: ${why}`);
    }
  }
  const shared = dirname(options.shared.path);
  requireShared(container, shared, engine);
  const user = userInside(container.pid);
  try {
    return await enterMapped({
      ...common,
      root: rootOf(container.pid),
      command: { program: docker.program, args: docker.commandIn(container, user) },
      close: async () => {},
    });
  } catch (error) {
    if (!(error instanceof HomccError) || hasOwnCause(error)) throw error;
    throw unavailable(
      `docker container ${container.name} does not let homccd's account (${user}) work in ${shared}: ${error.message}`,
      "its user has to be allowed there: no remapped users, and no noexec on the shared folder",
    );
  }
}

/** The door shows a container's own file system alone: what is mounted there may be its compiler. */
function hasToolsInMounts({ mounts }: Container): boolean {
  return mounts.some(({ destination }) => /^\/(?:usr|opt|lib\w*|s?bin|nix)(?:\/|$)/.test(destination));
}

function requireRunning({ name, state }: Container, engine: string): void {
  if (state === "running") return;
  const cure = state === "paused" ? "unpause" : "start";
  throw unavailable(`docker container ${name} is ${state}, not running`, `run: ${engine} ${cure} ${name}`);
}

/** The deepest mount that holds the folder decides what is there. */
function requireShared({ name, mounts }: Container, folder: string, engine: string): void {
  const holding = mounts
    .filter(({ destination }) => folder === destination || folder.startsWith(withSlash(destination)))
    .toSorted((one, other) => other.destination.length - one.destination.length)[0];
  if (holding !== undefined && holding.writable) {
    const behind = holding.source + folder.slice(holding.destination.length);
    if (realPath(behind) === realPath(folder)) return;
  }
  throw unavailable(
    `docker container ${name} does not share ${folder} with this server`,
    `create it with -v ${folder}:${folder}, as in: ${engine} run --name ${name} -v ${folder}:${folder} -dit IMAGE`,
  );
}

function withSlash(folder: string): string {
  return folder.endsWith("/") ? folder : `${folder}/`;
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/**
 * homccd's account as the container numbers it. A podman without root shows the account that started it as root inside;
 * anywhere else number 0 is the machine's root or nobody's business.
 */
function userInside(pid: number): string {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const isOwnRoot = numbersOf(pid).some(([inside, outside]) => inside === 0 && outside === uid && uid !== 0);
  return isOwnRoot ? "0:0" : `${uid}:${gid}`;
}

/** The starts of the ranges in /proc/PID/uid_map: inside, outside, length. */
function numbersOf(pid: number): number[][] {
  try {
    const lines = readFileSync(`/proc/${pid}/uid_map`, "latin1").trim().split("\n");
    return lines.map((line) => line.trim().split(/ +/).map(Number));
  } catch {
    return [];
  }
}

/** As root, and with a podman of homccd's own account. */
function rootOf(pid: number): string | undefined {
  const root = `/proc/${pid}/root`;
  try {
    accessSync(`${root}/usr/bin`, constants.R_OK);
    return root;
  } catch {
    return undefined;
  }
}

/** Tells a process from a later one with its number; `undefined` where processes of others cannot be seen. */
function startTimeOf(pid: number): string | undefined {
  try {
    // The name in brackets may hold anything, the rest are numbers: the start is the 20th after it.
    return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ")[19];
  } catch {
    return undefined;
  }
}
