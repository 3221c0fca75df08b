import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Network } from "../../test/support/network.ts";
import { endProcesses, processTree } from "../../test/support/processes.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { systemPath } from "../../test/support/workplace.ts";
import type { Farm } from "./contender.ts";
import { processTimeMs } from "./process-time.ts";
import { recordingDescriptor } from "./replay-compiler.ts";

/** Debian's account for its daemons. */
const account = "icecc";
/** What the scheduler knows the server by. Both sides have it: at home the link listens there, and away the server. */
export const address = "10.9.1.1";
export const ports = { scheduler: 8765, server: 10_245, client: 10_246 } as const;

/** Where the client's daemon is asked. */
export function socketOf(folder: string): string {
  return join(folder, "socket");
}

export interface Daemons extends AsyncDisposable {
  clientMs(): number;
  serverMs(): number;
  /** Compiles that the server ended well so far. */
  compiles(): Promise<number>;
}

/** Returns when the scheduler knows both, in whichever order. */
export async function startDaemons(
  { recording, slots }: Farm,
  folder: string,
  network: Network,
): Promise<Daemons> {
  await makeAccountFolder(folder);
  const log = join(folder, "scheduler.log");
  const daemon = (name: string, port: number): string[] => {
    const place = ["-s", `${address}:${ports.scheduler}`, "-p", String(port), "-N", name, "-u", account];
    return ["iceccd", ...place, "-b", join(folder, name), "-l", join(folder, `${name}.log`)];
  };
  for (const name of ["server", "client"]) await makeAccountFolder(join(folder, name));
  await using stack = new AsyncDisposableStack();
  const pids: number[] = [];
  stack.defer(() => endProcesses(pids.flatMap(processTree)));
  const start = async (
    place: readonly string[],
    words: readonly string[],
    descriptor?: number,
  ): Promise<number> => {
    const [program = "", ...rest] = [...place, ...words];
    const inherited =
      descriptor === undefined
        ? []
        : [...Array.from({ length: recordingDescriptor - 3 }, () => "ignore" as const), descriptor];
    const child = spawn(program, rest, {
      cwd: "/",
      stdio: ["ignore", "ignore", "inherit", ...inherited],
      env: { PATH: systemPath, ICECC_TEST_SOCKET: socketOf(folder) },
    });
    await once(child, "spawn");
    pids.push(child.pid ?? -1);
    return child.pid ?? -1;
  };
  const logged = async (line: RegExp): Promise<number> =>
    (await readFile(log, "utf8").catch(() => "")).split("\n").filter((text) => line.test(text)).length;
  const schedulerWords = ["icecc-scheduler", "-p", String(ports.scheduler), "-l", log, "-vvv"];
  const scheduler = await start(network.away, schedulerWords);
  await waitFor("icecream's scheduler", async () => (await logged(/scheduler ready/)) > 0);
  const recorded = await open(recording);
  const server = await start(
    network.away,
    [...daemon("server", ports.server), "-m", String(slots)],
    recorded.fd,
  );
  await recorded.close();
  const client = await start(network.home, [...daemon("client", ports.client), "--no-remote"]);
  await waitFor("icecream's daemons", async () => (await logged(/ login (server|client) /)) === 2, 30_000);
  const treeMs = (...roots: readonly number[]): number =>
    roots.flatMap(processTree).reduce((sum, { pid }) => sum + processTimeMs(pid), 0);
  const own = stack.move();
  return {
    clientMs: () => treeMs(client),
    serverMs: () => treeMs(scheduler, server),
    compiles: () => logged(/ END \d+ status=0 .* server=server$/),
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}

async function makeAccountFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o755);
  const id = (option: string): number => Number(execFileSync("id", [option, account], { encoding: "utf8" }));
  await chown(path, id("-u"), id("-g"));
}
