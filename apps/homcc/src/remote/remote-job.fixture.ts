import { stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Action, InputEntry } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import { type LoadedSettings, loadSettings } from "@homcc/config/load";
import { systemClock } from "@homcc/observability/clock";
import { silentLogger } from "@homcc/observability/log";
import { outcomes } from "@homcc/observability/outcomes";
import { Ledger } from "@homcc/scheduler/ledger";
import { HomeLoad } from "../home-load.ts";
import type { Services } from "../services.ts";
import { Adviser, type KnownServers } from "./adviser.ts";
import { ServerPools } from "./pools/server-pools.ts";
import { type PlacedRun, runOnServers } from "./placement-loop.ts";
import type { Time } from "./progress-deadline.ts";
import type { ScriptedServer } from "./scripted-server.fixture.ts";
import type { JobDescription, Outlook } from "./session.ts";
import type { Servers } from "./servers.ts";
import { SshTunnels } from "./ssh-tunnels.ts";
import type { JobPhase } from "../records/state-layout.ts";
import { SlotHolders } from "../records/slot-holders.ts";

/** For agents none of whose hosts is reached through SSH. */
export const noTunnels = new SshTunnels({ path: "/nonexistent", prepare: () => false });

export type FileEntry = Extract<InputEntry, { readonly kind: "file" }>;

export const job: JobDescription = {
  toolchain: {
    digest: digestOf(Buffer.from("toolchain")),
    driver: "/usr/bin/gcc",
    family: "gcc",
    version: "gcc 12",
  },
  locale: undefined,
  label: "a.c",
  mappedVeto: undefined,
  forV1: () => ({ kind: "unsuitable", why: "no test of this kind" }),
};

/** Writes `text` and gives the file as an input of an action. */
export async function inputFile(path: string, text: string | Uint8Array): Promise<FileEntry> {
  await writeFile(path, text);
  const { mtimeNs } = await stat(path, { bigint: true });
  return { kind: "file", path, digest: digestOf(Buffer.from(text)), mtimeNs };
}

/** Compiles `inputs` in `folder` to its `a.o`. */
export function actionOn(
  folder: string,
  inputs: readonly InputEntry[],
  changes: Partial<Action> = {},
): Action {
  return {
    toolchain: job.toolchain.digest,
    steps: [{ program: "/usr/bin/gcc", argv: ["gcc", "-c", "a.c"] }],
    cwd: folder,
    environment: {},
    umask: 0o022,
    terminal: {},
    inputs,
    absent: [],
    outputs: [{ path: join(folder, "a.o"), exists: false }],
    timeoutMs: 10_000,
    ...changes,
  };
}

/** The `n`th of seven jobs whose paths use up the connection. */
export function fillingAction(n: number): Action {
  const folder = `/w/${"x".repeat(3900)}`;
  const paths = Array.from({ length: 2000 }, (_, index) => `${folder}/${n}-${index}`);
  return actionOn(
    "/w",
    paths.map((path) => ({ kind: "directory", path })),
  );
}

/** Settings of a user whose hosts are these servers and `others`. */
export async function settingsFor(
  servers: readonly Pick<ScriptedServer, "port">[],
  environment: Readonly<Record<string, string>> = {},
): Promise<LoadedSettings> {
  const hosts = servers.map(({ port }) => `127.0.0.1:${port}/8`).join(" ");
  return await loadSettings({
    environment: { HOMCC_HOSTS: hosts, HOME: "/nonexistent", ...environment },
    systemFolder: dirname("/nonexistent/etc"),
  });
}

/**
 * An agent that has learned what `ledger` says, and whose local slots are free. `seen`: what it has measured of every link, which
 * is else the machine's own.
 */
export function ledgerServices(
  servers: Servers,
  ledger = new Ledger(),
  homeLoad = new HomeLoad({ held: 0, waiting: 0 }),
  seen: Partial<Outlook> = {},
): Pick<Services, "adviser" | "homeLoad"> {
  const known: KnownServers = {
    outlookOn: (host, on) => {
      const outlook = servers.outlookOn(host, on);
      return outlook === undefined ? undefined : { ...outlook, ...seen };
    },
  };
  return { homeLoad, adviser: new Adviser(ledger, known, homeLoad) };
}

const noPools = new ServerPools({ path: "/nonexistent/pools.json", logger: silentLogger });

/** Runs the action as a call does and gives how it ended. */
export async function place(
  action: Action,
  loaded: LoadedSettings,
  servers: Servers,
  options: {
    readonly signal?: AbortSignal;
    readonly job?: Partial<JobDescription>;
    readonly time?: Time;
    readonly onPhase?: (phase: JobPhase) => void;
    readonly ledger?: (servers: Servers) => Pick<Services, "adviser" | "homeLoad">;
  } = {},
): Promise<PlacedRun> {
  const signal = options.signal ?? new AbortController().signal;
  const holders = new SlotHolders(systemClock);
  const run = await runOnServers(
    action,
    { ...job, ...options.job },
    loaded,
    { servers, holders, pools: noPools, ...(options.ledger?.(servers) ?? ledgerServices(servers)) },
    signal,
    { key: "key", party: 1 },
    undefined,
    { enter: (phase) => options.onPhase?.(phase), [Symbol.dispose]: () => {} },
    options.time,
  );
  if (run.kind === "failed" && outcomes[run.outcome].kind !== "fallback") throw new Error(run.outcome);
  return run;
}
