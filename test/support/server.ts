import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeFolder } from "./remove-folder.ts";
import { homccdProgram } from "./repository.ts";
import { waitFor } from "./wait-for.ts";

export interface ServerOptions {
  /** Default: this version's homccd. */
  readonly program?: string;
  /** Default: `auto`, what homccd finds out itself. */
  readonly executor?: "namespace" | "mapped";
  /** Jobs at once. Default 4. */
  readonly limit?: number;
  /** Default: any free one. */
  readonly port?: number;
  /** Default: loopback. */
  readonly listen?: string;
  /** Default: a temporary one that `stop` removes. */
  readonly storeFolder?: string;
  /** Default: every job is compiled, so that tests see what that takes. */
  readonly resultCache?: boolean;
  /** Text of its homcc.conf, `homcc.conf` in the folder of `Server`; `limit` is then what that says. Default: no file is read. */
  readonly configuration?: string;
  /** More of homccd's own options. */
  readonly options?: readonly string[];
  /** The number of a listening socket of this process, which it is given as by systemd. */
  readonly passedSocket?: number;
  /** More variables of its environment. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Words before homccd, to start it in another place: `setpriv --reuid=…`, `unshare …`. */
  readonly prefix?: readonly string[];
}

export interface Server extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  /** `ADDRESS:PORT`, as a line of the hosts file has it. */
  readonly address: string;
  readonly storeFolder: string;
  /** Its HOMCC_DIR. */
  readonly folder: string;
  /** Everything it has printed so far. */
  log(): string;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the process is gone. */
  readonly ended: Promise<unknown>;
  stop(): Promise<void>;
}

/** Starts a real homccd on loopback and returns when it listens. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const temporaryFolder = await mkdtemp(join(tmpdir(), "homccd-test-"));
  // A homccd that is started as root serves as another user, who must be able to reach its store.
  await chmod(temporaryFolder, 0o755);
  const storeFolder = options.storeFolder ?? join(temporaryFolder, "store");
  if (options.configuration !== undefined) {
    await writeFile(join(temporaryFolder, "homcc.conf"), options.configuration);
  }
  const child = spawnServer(options, temporaryFolder, storeFolder);
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  const ended = once(child, "close");
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const stubborn = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(stubborn);
    await removeFolder(temporaryFolder);
  };
  try {
    const port = await waitFor("homccd to listen", () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`homccd ended: ${printed}`);
      return listeningPort(printed);
    });
    return {
      pid: child.pid ?? -1,
      port,
      address: `${options.listen ?? "127.0.0.1"}:${port}`,
      storeFolder,
      folder: temporaryFolder,
      log: () => printed,
      kill: (signal) => child.kill(signal),
      ended,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw new Error(`homccd did not start; it printed: ${printed}`, { cause: error });
  }
}

function spawnServer(
  options: ServerOptions,
  folder: string,
  storeFolder: string,
): ChildProcessWithoutNullStreams {
  const command = [...(options.prefix ?? []), options.program ?? homccdProgram, "--store", storeFolder];
  command.push("--listen", options.listen ?? "127.0.0.1", "--port", String(options.port ?? 0));
  if (options.configuration === undefined) command.push("--no-config", "--jobs", String(options.limit ?? 4));
  if (options.resultCache !== true) command.push("--no-result-cache");
  if (options.executor !== undefined) command.push("--executor", options.executor);
  const asManager = ["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh"];
  const before = options.passedSocket === undefined ? [] : asManager;
  const [program = homccdProgram, ...words] = [...before, ...command, ...(options.options ?? [])];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the first three are pipes
  return spawn(program, words, {
    cwd: "/",
    stdio: ["pipe", "pipe", "pipe", options.passedSocket ?? "ignore"],
    env: {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: folder,
      HOMCC_DIR: folder,
      ...options.variables,
    },
  }) as ChildProcessWithoutNullStreams;
}

/** The port in "listening on 127.0.0.1 port 3126". */
function listeningPort(printed: string): number | undefined {
  const port = /listening on \S+ port (\d+)/.exec(printed)?.[1];
  return port === undefined ? undefined : Number(port);
}
