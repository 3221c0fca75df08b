import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, closeSync, constants, openSync, renameSync, statSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { maxAgentLogBytes } from "@homcc/launch/agent-log";
import { isPrivateFolder, type LaunchPaths, preparePrivateFolder } from "@homcc/launch/paths";
import type { Environment } from "./find-compiler.ts";
import type { Installation } from "./installation.ts";

export interface AgentConnection {
  readonly socket: Socket;
  /** This call started the agent. */
  readonly started: boolean;
}

export interface AgentPlace {
  readonly paths: LaunchPaths;
  readonly installation: Installation;
  readonly identity: string;
  readonly environment: Environment;
  readonly uid: number;
}

const lockTimeoutMs = 10_000;

/** A connection to the user's agent, which is started if there is none; `undefined` when it cannot be had. */
export async function reachAgent(place: AgentPlace): Promise<AgentConnection | undefined> {
  const { paths, uid } = place;
  const first = await connect(place);
  if (first !== undefined) return { socket: first, started: false };
  if (!preparePrivateFolder(paths.folder, uid) || !preparePrivateFolder(paths.socketFolder, uid))
    return undefined;
  const lock = await lockStart(paths.lockPath);
  if (lock === undefined) return undefined;
  try {
    const second = await connect(place);
    if (second !== undefined) return { socket: second, started: false };
    if (!startAgent(place)) return undefined;
    const socket = await connect(place);
    return socket === undefined ? undefined : { socket, started: true };
  } finally {
    lock.stdin?.end();
  }
}

async function connect({ paths, uid }: AgentPlace): Promise<Socket | undefined> {
  if (!isPrivateFolder(paths.socketFolder, uid)) return undefined;
  return new Promise((resolve) => {
    const socket = createConnection(paths.socketPath);
    socket.once("error", () => resolve(undefined));
    socket.once("connect", () => resolve(socket));
  });
}

/**
 * flock(2) on the file that the native launcher locks too. Node has no flock, so flock(1) holds it for us: until its
 * input ends, which our death does as well. `undefined` without flock(1), or when the holder does not let go.
 */
async function lockStart(lockPath: string): Promise<ChildProcess | undefined> {
  const holder = spawn("flock", ["-x", lockPath, "sh", "-c", "echo locked; read line"], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  return new Promise((resolve) => {
    const giveUp = (): void => {
      holder.kill();
      resolve(undefined);
    };
    const timer = setTimeout(giveUp, lockTimeoutMs);
    holder.once("error", () => resolve(undefined));
    holder.stdout.once("data", () => resolve(holder));
    holder.once("exit", () => {
      clearTimeout(timer);
      resolve(undefined);
    });
    holder.stdout.once("data", () => clearTimeout(timer));
    // It may be gone before we let go.
    holder.stdin.on("error", () => {});
  });
}

/**
 * We listen and the agent inherits the socket, so that it is there before the agent is: whoever connects meanwhile
 * waits in its backlog. All in one turn of the event loop: this process must not accept anybody itself.
 */
function startAgent({ paths, installation, identity, environment, uid }: AgentPlace): boolean {
  // At the end of listening Node removes the name that it bound; by then that name has become the real one.
  const temporaryPath = `${paths.socketFolder}/${process.pid}`;
  const umask = process.umask(0o077);
  const listener = createServer();
  listener.on("error", () => {});
  try {
    accessSync(installation.nodePath, constants.X_OK);
    listener.listen({ path: temporaryPath, backlog: 4096 });
    const listenFd = descriptorOf(listener);
    if (listenFd === undefined) return false;
    const logFolder = preparePrivateFolder(paths.logFolder, uid) ? paths.logFolder : paths.folder;
    const log = openLog(logFolder);
    const child = spawn(
      "/bin/sh",
      ["-c", raiseLimits, "sh", ...agentCommand(paths, installation, identity)],
      {
        detached: true,
        cwd: "/",
        env: agentEnvironment(environment, logFolder),
        stdio: ["ignore", log, log, listenFd],
      },
    );
    child.on("error", () => {});
    child.unref();
    closeSync(log);
    if (child.pid === undefined) return false;
    renameSync(temporaryPath, paths.socketPath);
    return true;
  } catch {
    return false;
  } finally {
    listener.close();
    process.umask(umask);
  }
}

/** The build's limits are not the agent's: `ulimit -t 60` would end it in the middle of somebody else's job. */
const raiseLimits =
  'for limit in d f m n t v; do ulimit -S -$limit "$(ulimit -H -$limit)" 2>/dev/null; done; exec "$@"';

function agentCommand(paths: LaunchPaths, { nodePath, agentPath }: Installation, identity: string): string[] {
  const options = ["--listen-fd", "3", "--socket", paths.socketPath, "--identity", identity];
  return [nodePath, "--max-semi-space-size=4", agentPath, ...options];
}

const agentVariables = [
  "HOME",
  "USER",
  "HOMCC_DIR",
  "XDG_CACHE_HOME",
  "XDG_CONFIG_HOME",
  "XDG_RUNTIME_DIR",
  "XDG_STATE_HOME",
] as const;

/** What decides about folders and nothing else: everything about a job comes with the job. */
function agentEnvironment(environment: Environment, logFolder: string): Record<string, string> {
  const result: Record<string, string> = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    LANG: "C",
    // Half of them may hang in look-ups of names (decision 0023).
    UV_THREADPOOL_SIZE: "16",
    // An idle agent is small: idle-memory.ts.
    MALLOC_ARENA_MAX: "1",
    MALLOC_MMAP_THRESHOLD_: "65536",
    MALLOC_TRIM_THRESHOLD_: "65536",
    // V8 compiles the bundle once per version of it, not at every start: 14 ms of 75.
    NODE_COMPILE_CACHE: `${logFolder}/agent.code`,
  };
  for (const name of agentVariables) {
    const value = environment[name];
    if (value === undefined || value === "") continue;
    result[name] = name === "HOMCC_DIR" && !value.startsWith("/") ? `${process.cwd()}/${value}` : value;
  }
  return result;
}

/** The agent goes on with that: it keeps the log short while it lives. */
function openLog(folder: string): number {
  const path = `${folder}/agent.log`;
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > maxAgentLogBytes)
    renameSync(path, `${path}.1`);
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  try {
    return openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
  } catch {
    return openSync("/dev/null", O_WRONLY);
  }
}

/** Node shares sockets with children by descriptor, but does not publish the number of a listening one. */
function descriptorOf(server: Server): number | undefined {
  const { _handle: handle } = server as Server & { readonly _handle?: { readonly fd?: unknown } | null };
  return typeof handle?.fd === "number" && handle.fd >= 0 ? handle.fd : undefined;
}
