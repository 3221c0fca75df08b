import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeFolder } from "./remove-folder.ts";

/** A network of two machines: one at home, one with servers, and addresses that nobody has. Needs root. */
export interface Network extends AsyncDisposable {
  /** Words before a command that runs at home. */
  readonly home: readonly string[];
  /** Words before a command that runs where the servers are. */
  readonly away: readonly string[];
  readonly serverAddress: string;
  /** Packets to these are swallowed: no answer, no refusal, no "unreachable". */
  readonly blackHoles: readonly string[];
  /** What `/etc/hosts` is at home; names that are not in it are asked of a name server that never answers. */
  readonly hostsFile: string;
  /** From now on packets to the servers are swallowed too, as when a VPN is switched off. */
  cut(): void;
  /** The same in both directions, as when a cable is pulled somewhere on the way. */
  silence(): void;
  restore(): void;
  /** From now on each end loses so many per cent of the packets that come to it, by number: no test depends on chance. */
  lose(percent: number): void;
  /** Packets that got lost since `lose` was called last. */
  lost(): number;
  /** Home gets another address, as after a change of the Wi-Fi: its connections are dead, new ones work. */
  move(): void;
  /** Connections that home has begun to make so far. */
  connects(): number;
}

const homeAddress = "10.9.0.1";
const nextHomeAddress = "10.9.0.21";
const serverAddress = "10.9.0.2";
const blackHoles = ["10.9.0.11", "10.9.0.12", "10.9.0.13"];

/** A hardware address that no interface has: the far end takes the packets for somebody else's and drops them. */
const nobody = "02:00:00:00:00:99";
const homeHardware = "02:00:00:00:00:01";
const serverHardware = "02:00:00:00:00:02";

export async function createNetwork(): Promise<Network> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-network-"));
  const hostsFile = join(folder, "hosts");
  await writeFile(hostsFile, "127.0.0.1 localhost\n");
  await writeFile(join(folder, "resolv.conf"), `nameserver ${blackHoles[0]}\n`);
  const files = ["hosts", "resolv.conf"].map((name) => `mount --bind ${folder}/${name} /etc/${name}`);
  const holders = await Promise.all([hold(files.join(" && ")), hold(":")]);
  const [home, away] = holders.map(({ pid }) => [
    "nsenter",
    `--net=/proc/${pid}/ns/net`,
    `--mount=/proc/${pid}/ns/mnt`,
    "--wd=.",
  ]);
  if (home === undefined || away === undefined) throw new Error("no namespaces");
  const run = (place: readonly string[], command: string): string => {
    const [program = "", ...words] = [...place, ...command.split(" ")];
    return execFileSync(program, words, { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
  };
  const neighbour = (address: string, hardware: string): void => {
    run(home, `ip neigh replace ${address} lladdr ${hardware} dev home nud permanent`);
  };
  const homeAtServer = (hardware: string): void => {
    run(away, `ip neigh replace ${homeAddress} lladdr ${hardware} dev away nud permanent`);
  };
  const peer = `peer name away address ${serverHardware} netns ${holders[1]?.pid}`;
  run(home, `ip link add home address ${homeHardware} type veth ${peer}`);
  for (const [place, name, address] of [
    [home, "home", homeAddress],
    [away, "away", serverAddress],
  ] as const) {
    run(place, "ip link set lo up");
    run(place, `ip addr add ${address}/24 dev ${name}`);
    run(place, `ip link set ${name} up`);
  }
  for (const address of blackHoles) neighbour(address, nobody);
  neighbour(serverAddress, serverHardware);
  return {
    home,
    away,
    serverAddress,
    blackHoles,
    hostsFile,
    cut: () => neighbour(serverAddress, nobody),
    silence: () => {
      neighbour(serverAddress, nobody);
      homeAtServer(nobody);
    },
    restore: () => {
      homeAtServer(homeHardware);
      neighbour(serverAddress, serverHardware);
    },
    lose: (percent) => {
      for (const place of [home, away]) {
        run(place, "iptables -F INPUT");
        const match = `-m statistic --mode nth --every ${Math.round(100 / percent)} --packet 10`;
        if (percent > 0) run(place, `iptables -A INPUT ${match} -j DROP`);
      }
    },
    lost: () =>
      [home, away]
        .flatMap((place) => run(place, "iptables -L INPUT -v -x -n").split("\n"))
        .reduce((sum, line) => sum + Number(/^\s*(\d+) .* DROP /.exec(line)?.[1] ?? 0), 0),
    move: () => {
      run(home, `ip addr del ${homeAddress}/24 dev home`);
      run(home, `ip addr add ${nextHomeAddress}/24 dev home`);
    },
    connects: () => activeOpens(run(home, "cat /proc/net/snmp")),
    [Symbol.asyncDispose]: async () => {
      for (const holder of holders) {
        holder.kill("SIGKILL");
        await holder.ended;
      }
      await removeFolder(folder);
    },
  };
}

/** The kernel's own count, of one network namespace. */
function activeOpens(snmp: string): number {
  const [names, values] = snmp.split("\n").filter((line) => line.startsWith("Tcp:"));
  const index = names?.split(" ").indexOf("ActiveOpens") ?? -1;
  return Number(values?.split(" ")[index]);
}

/** A process in namespaces of its own, which last as long. */
async function hold(
  prepare: string,
): Promise<Pick<ChildProcess, "pid" | "kill"> & { readonly ended: Promise<unknown> }> {
  const holder = spawn(
    "unshare",
    ["--net", "--mount", "sh", "-c", `${prepare} && echo ready && exec sleep infinity`],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = once(holder, "exit");
  await Promise.race([
    once(holder.stdout, "data"),
    ended.then(() => Promise.reject(new Error("no network namespace"))),
  ]);
  return { pid: holder.pid, kill: (signal) => holder.kill(signal), ended };
}
