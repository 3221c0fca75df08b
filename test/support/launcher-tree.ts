/**
 * A homcc as it is installed, in a folder of its own: bin/homcc (the native launcher, or the script that stands in for
 * it and starts the TypeScript twin), dist/node, dist/homcc.mjs, and as dist/agent.mjs a stand-in of the test's choice.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentIdentityOf } from "@homcc/launch/agent-identity";
import { launchPaths } from "@homcc/launch/paths";
import {
  type LaunchCall,
  type LaunchServer,
  serveLaunches,
  type ServeLaunchesOptions,
} from "@homcc/launch/server";
import { endProcesses, listProcesses } from "./processes.ts";

export type LauncherKind = "native" | "twin";

const repository = join(import.meta.dirname, "../..");
const launchServerPath = join(repository, "packages/launch/src/server.ts");

/** No launcher of a test takes that long: one that does hangs. */
const hangMs = 60_000;

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

export class LauncherTree {
  readonly root: string;
  readonly homcc: string;
  /** Programs that play the compiler; in PATH. */
  readonly compilers: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly #servers: LaunchServer[] = [];

  constructor(kind: LauncherKind) {
    this.root = realpathSync(mkdtempSync(join(tmpdir(), "homcc-launcher-")));
    this.homcc = join(this.root, "bin/homcc");
    this.compilers = join(this.root, "compilers");
    for (const folder of ["bin", "dist", "compilers", "links"]) mkdirSync(join(this.root, folder));
    copyFileSync(builtLauncher(kind), this.homcc);
    symlinkSync(realpathSync(process.execPath), join(this.root, "dist/node"));
    writeFileSync(join(this.root, "dist/homcc.mjs"), commandLineText());
    this.setAgent("process.exit(1);");
    this.environment = {
      ...process.env,
      PATH: `${this.compilers}:/usr/bin:/bin`,
      HOMCC_DIR: join(this.root, "h"),
      XDG_RUNTIME_DIR: undefined,
      HOMCC_NO_AGENT: undefined,
      _HOMCC_SAFEGUARD: undefined,
      NODE_OPTIONS: undefined,
    };
    this.addCompiler("mycc", 'echo "mycc ran with: $*"; exit 7');
  }

  /** What dist/agent.mjs does when a launcher starts it. */
  setAgent(text: string): void {
    writeFileSync(join(this.root, "dist/agent.mjs"), text);
  }

  /** What dist/homcc.mjs does with the words that a launcher hands over. */
  setCommandLine(text: string): void {
    writeFileSync(join(this.root, "dist/homcc.mjs"), text);
  }

  /** An agent that notes its pid in `started`, hands each call to the body of `onLaunch`, and ends by itself. */
  setServingAgent(onLaunch: string, lifeMs = 20_000): void {
    this.setAgent(`
      import { appendFileSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
      import { parseArgs } from "node:util";
      import { serveLaunches } from ${JSON.stringify(launchServerPath)};
      appendFileSync(${JSON.stringify(this.startedPath)}, process.pid + "\\n");
      const { values } = parseArgs({
        options: { "listen-fd": { type: "string" }, socket: { type: "string" }, identity: { type: "string" } },
      });
      const onLaunch = async (call) => { ${onLaunch} };
      const end = async () => { await server.close(); process.exit(0); };
      const server = await serveLaunches({
        path: values.socket, listenFd: Number(values["listen-fd"]), identity: values.identity, onLaunch, onRetired: end,
      });
      setTimeout(end, ${lifeMs});
    `);
  }

  get startedPath(): string {
    return join(this.root, "started");
  }

  startedAgents(): number[] {
    if (!existsSync(this.startedPath)) return [];
    return readFileSync(this.startedPath, "utf8").trim().split("\n").map(Number);
  }

  /** A shell script that plays the compiler. */
  addCompiler(name: string, text: string, folder = this.compilers): string {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  /** A symbolic link to homcc, in a folder that is not in PATH. */
  addLink(name: string, folder = join(this.root, "links")): string {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, name);
    symlinkSync(this.homcc, path);
    return path;
  }

  socketPath(environment = this.environment): string {
    return launchPaths(environment, process.getuid?.() ?? 0, this.root).socketPath;
  }

  /** An agent in this process, at the place where the launcher looks for one. */
  async serve(
    onLaunch: (call: LaunchCall) => Promise<void>,
    options: Partial<ServeLaunchesOptions> = {},
  ): Promise<LaunchServer> {
    const path = this.socketPath();
    mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
    const identity = agentIdentityOf(join(this.root, "dist/agent.mjs"));
    const server = await serveLaunches({ path, identity, onLaunch, closeGraceMs: 0, ...options });
    this.#servers.push(server);
    return server;
  }

  async run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const child = spawn(program, args, this.#spawnOptions(options));
    return collect(child);
  }

  async shell(text: string, options: RunOptions = {}): Promise<Ended> {
    return this.run("/bin/sh", ["-c", text], options);
  }

  start(program: string, args: readonly string[], options: RunOptions = {}) {
    return spawn(program, args, this.#spawnOptions(options));
  }

  async remove(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
    const started = new Set(this.startedAgents());
    await endProcesses(listProcesses().filter(({ pid }) => started.has(pid)));
    rmSync(this.root, { recursive: true, force: true });
  }

  #spawnOptions({ environment, cwd }: RunOptions) {
    const env = { ...this.environment, ...environment };
    return { cwd: cwd ?? this.root, env, timeout: hangMs, killSignal: "SIGKILL" as const };
  }
}

export async function collect(child: ReturnType<LauncherTree["start"]>): Promise<Ended> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  child.stdin.end();
  await once(child, "close");
  return {
    status: child.exitCode,
    signal: child.signalCode,
    stdout: Buffer.concat(stdout),
    stderr: Buffer.concat(stderr).toString(),
  };
}

const built = new Map<LauncherKind, string>();
process.on("exit", () => {
  for (const program of built.values()) rmSync(join(program, "../.."), { recursive: true, force: true });
});

/** Made by native/build.sh: with the machine's C compiler, or with a PATH that has none. Once per test process. */
function builtLauncher(kind: LauncherKind): string {
  const known = built.get(kind);
  if (known !== undefined) return known;
  const root = mkdtempSync(join(tmpdir(), "homcc-launcher-built-"));
  mkdirSync(join(root, "native"));
  for (const name of ["build.sh", "launcher.c"]) {
    copyFileSync(join(repository, "native", name), join(root, "native", name));
  }
  const environment = {
    ...process.env,
    ...(kind === "twin" ? { PATH: pathWithoutCompiler(root), CC: "" } : {}),
  };
  execFileSync("/bin/sh", [join(root, "native/build.sh")], {
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const program = join(root, "bin/homcc");
  built.set(kind, program);
  return program;
}

function pathWithoutCompiler(root: string): string {
  const folder = join(root, "tools");
  mkdirSync(folder);
  for (const tool of ["dirname", "mkdir", "rm", "cat", "chmod", "mv", "head"]) {
    const found = ["/usr/bin", "/bin"].map((place) => join(place, tool)).find((path) => existsSync(path));
    if (found !== undefined) symlinkSync(found, join(folder, tool));
  }
  return folder;
}

function commandLineText(): string {
  const source = (path: string): string => JSON.stringify(join(repository, path));
  return `
    import { launch } from ${source("apps/homcc/src/launcher.ts")};
    import { installationAround } from ${source("apps/homcc/src/launcher/installation.ts")};
    import { notify } from ${source("apps/homcc/src/launcher/notices.ts")};
    import { clientLine } from ${source("packages/observability/src/log.ts")};
    import { exitStatusOf } from ${source("packages/observability/src/error.ts")};
    try {
      process.exit(await launch(process.argv.slice(2), { installation: installationAround(import.meta.dirname) }));
    } catch (error) {
      await notify(process.env, Buffer.from(clientLine("ERROR", error.message) + "\\n"));
      process.exit(exitStatusOf[error.code] ?? 1);
    }
  `;
}
