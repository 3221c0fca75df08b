/**
 * A homccd that is as far away as one machine allows: it runs as another user, in a network namespace that a pair of
 * virtual interfaces joins with ours, and in a mount namespace where the client's folders are empty.
 */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, readlink, rm } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { runCommand } from "../support/command.ts";
import { waitFor } from "../support/wait-for.ts";
import { systemPath } from "../support/workplace.ts";

export interface AwayServerOptions {
  /** homccd; not below a hidden folder. */
  readonly program: string;
  /** The store, made here and removed at the end; not below a hidden folder. */
  readonly store: string;
  /** Absolute paths that are empty folders for the server. */
  readonly hidden: readonly string[];
  readonly slots: number;
}

export interface AwayServer extends AsyncDisposable {
  /** `ADDRESS:PORT`, as a line of the hosts file has it. */
  readonly address: string;
  log(): string;
}

/** Empties folders, waits for the interface, then becomes homccd. Its words: the next line, then the folders. */
const script = `set -e
interface=$0 address=$1 homccd=$2 store=$3 slots=$4
shift 4
for folder in "$@"; do mount -t tmpfs -o mode=755 none "$folder"; done
echo prepared
read -r _
ip link set lo up
ip address add "$address/30" dev "$interface"
ip link set "$interface" up
exec "$homccd" --no-config --store "$store" --listen "$address" --port 0 --jobs "$slots"
`;

export async function startAwayServer(options: AwayServerOptions): Promise<AwayServer> {
  const { program, store, hidden } = options;
  const network = freeNetwork();
  const theirs = `hcs${process.pid}`;
  const words = [theirs, network.server, program, store, String(options.slots), ...hidden];
  const child = spawn("unshare", ["--net", "--mount", "sh", "-c", script, ...words], {
    cwd: "/",
    env: { PATH: systemPath, HOME: store, HOMCC_DIR: store },
  });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  const ended = once(child, "close");
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const stubborn = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(stubborn);
    await rm(store, { recursive: true, force: true });
  };
  const until = <T>(what: string, condition: () => T | undefined): Promise<T> =>
    waitFor(what, () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`homccd ended: ${printed}`);
      return condition();
    });
  try {
    await until("the server's namespaces", () => (printed.includes("prepared\n") ? true : undefined));
    await connect(child, theirs, network.client);
    const port = await until("homccd to listen", () => /listening on \S+ port (\d+)/.exec(printed)?.[1]);
    await checkDistance(child.pid ?? -1, hidden);
    return { address: `${network.server}:${port}`, log: () => printed, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw new Error(`homccd did not start; it printed: ${printed}`, { cause: error });
  }
}

/** A network of four addresses below 10.0.0.0/8 that is not in use here. */
function freeNetwork(): { readonly client: string; readonly server: string } {
  const used = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map(({ address }) => address),
  );
  for (let second = 255; second > 0; second--) {
    const prefix = `10.${second}.${process.pid % 256}`;
    if (used.every((address) => !address.startsWith(`10.${second}.`))) {
      return { client: `${prefix}.1`, server: `${prefix}.2` };
    }
  }
  throw new Error("all of 10.0.0.0/8 is in use");
}

/** Both ends go with the server's namespace. */
async function connect(
  child: ChildProcessWithoutNullStreams,
  theirs: string,
  address: string,
): Promise<void> {
  const ours = `hcc${process.pid}`;
  const ip = async (words: string): Promise<void> => {
    const options = { cwd: "/", environment: { PATH: systemPath } };
    const result = await runCommand(["ip", ...words.split(" ")], options);
    if (result.status !== 0) throw new Error(`ip ${words}: ${result.stderr}`);
  };
  await ip(`link add ${ours} type veth peer name ${theirs} netns ${child.pid}`);
  await ip(`address add ${address}/30 dev ${ours}`);
  await ip(`link set ${ours} up`);
  child.stdin.end("\n");
}

/** Whether the server is where it should be; everything measured with it would mean nothing otherwise. */
async function checkDistance(pid: number, hidden: readonly string[]): Promise<void> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  assert.doesNotMatch(status, /^Uid:\s+0\s/m, "the server runs as root");
  for (const kind of ["net", "mnt"]) {
    assert.notEqual(await readlink(`/proc/${pid}/ns/${kind}`), await readlink(`/proc/self/ns/${kind}`), kind);
  }
  for (const folder of hidden) assert.deepEqual(await readdir(`/proc/${pid}/root${folder}`), [], folder);
}
