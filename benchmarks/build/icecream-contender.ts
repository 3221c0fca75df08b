import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { createNetwork, type Network } from "../../test/support/network.ts";
import { removeFolder } from "../../test/support/remove-folder.ts";
import { hasProgram } from "../../test/support/requirements.ts";
import { systemPath } from "../../test/support/workplace.ts";
import { type LinkProfile, startSharedLink, type ThinLink } from "../link/thin-link-process.ts";
import type { Contender, Site } from "./contender.ts";
import { address, ports, socketOf, startDaemons } from "./icecream-daemons.ts";
import { icecreamEnvironment } from "./icecream-environment.ts";
import { trafficOf } from "./link-traffic.ts";

const programs = ["icecc", "iceccd", "icecc-scheduler", "icecc-create-env", "cc", "unshare", "nsenter", "ip"];

/**
 * icecream in its ordinary mode: a scheduler and one server, and the client's own daemon, which takes no jobs of others. Its
 * daemons connect to each other by the addresses that the scheduler saw, so each side has a network of its own.
 */
export const icecream: Contender = {
  name: "icecream",
  learns: true,
  missing: () => {
    const absent = programs.filter((name) => !hasProgram(name));
    if (absent.length > 0) return `not installed: ${absent.join(", ")}`;
    return userInfo().uid === 0 ? undefined : "its servers and the networks between them need root";
  },
  start: async (farm, profile): Promise<Site> => {
    await using stack = new AsyncDisposableStack();
    const environment = await icecreamEnvironment(farm);
    const folder = await mkdtemp(join(farm.folder, "icecream-"));
    stack.defer(() => removeFolder(folder));
    const network = stack.use(await createNetwork());
    await makeServerIdle(folder, network);
    const link = stack.use(await joinNetworks(network, profile));
    const daemons = stack.use(await startDaemons(farm, folder, network));
    const own = stack.move();
    return {
      version: execFileSync("icecc", ["--version"], { encoding: "utf8" }).trim(),
      place: network.home,
      prefix: ["icecc"],
      environment: {
        PATH: systemPath,
        HOME: folder,
        ICECC_TEST_SOCKET: socketOf(folder),
        ICECC_VERSION: environment,
      },
      clientDaemonsMs: () => daemons.clientMs(),
      serverDaemonsMs: () => daemons.serverMs(),
      traffic: () => trafficOf(link),
      remoteCompiles: () => daemons.compiles(),
      [Symbol.asyncDispose]: () => own.disposeAsync(),
    };
  },
};

/** The only way from home to the address of scheduler and server. */
async function joinNetworks(network: Network, profile: LinkProfile): Promise<ThinLink> {
  for (const place of [network.home, network.away]) {
    await runAt(place, ["ip", "addr", "add", `${address}/32`, "dev", "lo"]);
    // Segments as of Ethernet, not of 64 kB: what waits for the link is read in smaller steps.
    await runAt(place, ["ip", "link", "set", "lo", "mtu", "1500"]);
  }
  const routes = [ports.scheduler, ports.server].map((port) => ({
    listen: `${address}:${port}`,
    to: `${network.serverAddress}:${port}`,
  }));
  return await startSharedLink(routes, profile, network.home);
}

/**
 * A server that is busy gets no jobs, and this machine is: with all that the client does. The server's daemon sees a processor
 * that has nothing to do, as that of 64 cores has.
 */
async function makeServerIdle(folder: string, network: Network): Promise<void> {
  const file = join(folder, "processor");
  await writeFile(file, "cpu  0 0 0 1000000 0 0 0 0 0 0\ncpu0 0 0 0 1000000 0 0 0 0 0 0\n");
  await runAt(network.away, ["mount", "--bind", file, "/proc/stat"]);
}

async function runAt(place: readonly string[], command: readonly string[]): Promise<void> {
  const [program = "", ...words] = [...place, ...command];
  const child = spawn(program, words, { stdio: ["ignore", "ignore", "inherit"] });
  const [status] = await once(child, "exit");
  if (status !== 0) throw new Error(`${command.join(" ")} ended with ${String(status)}`);
}
