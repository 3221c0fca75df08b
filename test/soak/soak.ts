import { chmod, mkdtemp, readdir, readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeHello, knownCapabilities } from "@homcc/protocol/hello";
import { Random } from "../fuzz/random.ts";
import { startCutLink } from "../support/cut-link.ts";
import { processTree, processesMentioning } from "../support/processes.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { type Server, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkplace } from "../support/workplace.ts";
import { agentsBelow, type Growth, growthOf, type ProcessSize, type Sample, sizeOf } from "./measurements.ts";
import { LiveHeap } from "./live-heap.ts";
import { makeNoopToolchain } from "./noop-toolchain.ts";
import { SoakClient } from "./soak-client.ts";

export interface SoakOptions {
  readonly clients: number;
  readonly jobs: number;
  /** Ends a run that has not done all of its jobs. */
  readonly maxSeconds: number;
  readonly seed: number;
  /** Of homccd. */
  readonly slots: number;
  /** Jobs may also be compiled at home; on a machine with much to do most of such short ones are. Default: on the server alone. */
  readonly allowHome?: boolean;
  readonly onProgress?: (text: string) => void;
}

export interface SoakReport {
  readonly clients: number;
  readonly jobs: number;
  readonly seconds: number;
  readonly remote: number;
  readonly home: number;
  readonly cancelled: number;
  /** More than the jobs: nothing may be compiled at home, and a fault left no server. */
  readonly refused: number;
  readonly faults: Readonly<Record<Fault, number>>;
  /** MiB of what is in use. */
  readonly homccdMemory: Growth;
  /** MiB. */
  readonly homccdResident: Growth;
  /** Of homccd's own processor time, without what it starts. */
  readonly homccdCpuMsPerJob: number;
  readonly homccdDescriptors: Growth;
  /** MiB, of those that lived through the last half. */
  readonly agentMemory: Growth;
  readonly agentDescriptors: Growth;
  /** What is there after the last client has gone and was not when homccd began; empty if nothing leaks. */
  readonly leftovers: readonly string[];
}

const faultKinds = ["cut", "agent killed", "homccd killed", "stalled clients"] as const;
export type Fault = (typeof faultKinds)[number];

/**
 * Full after some 4,000 jobs, so that homccd evicts for most of the run: what it remembers of each blob is then flat, too, where with the usual
 * 10 GB it grows by a kilobyte with each job of the whole run.
 */
const storeMiB = 64;

const faultsPerRun = 40;
const samplesPerRun = 80;
const stalledAtOnce = 5;

/** Many clients of one homccd, and things that go wrong. Throws when an object is not the right one. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { onProgress = () => {} } = options;
  const random = new Random(options.seed);
  const folder = await mkdtemp(join(tmpdir(), "homcc-soak-"));
  await chmod(folder, 0o755);
  const driver = makeNoopToolchain(join(folder, "toolchain"));
  const serve = (port?: number): Promise<Server> =>
    startServer({
      limit: options.slots,
      resultCache: true,
      storeFolder: join(folder, "store"),
      options: ["--max-dependency-cache-size", `${storeMiB}M`],
      variables: { NODE_OPTIONS: "--inspect=127.0.0.1:0" },
      ...(port === undefined ? {} : { port }),
    });
  let server = await serve();
  let heap = await LiveHeap.of(server);
  const atStart = sizeOf(server.pid);
  const link = await startCutLink(server.port);
  const clients: SoakClient[] = [];
  for (let name = 0; name < options.clients; name++) {
    const workplace = await createWorkplace({ parent: folder, forbidLocal: options.allowHome !== true });
    clients.push(new SoakClient(workplace, name, driver, `${link.address}/4`));
  }
  const faults: Record<Fault, number> = {
    cut: 0,
    "agent killed": 0,
    "homccd killed": 0,
    "stalled clients": 0,
  };
  const samples: Sample[] = [];
  const stalled = new Set<Socket>();
  const startedMs = performance.now();
  let done = 0;
  let given = 0;
  let cancelled = 0;
  let refused = 0;
  let measurements = 0;
  let disturbances = 0;
  let disturbing: Promise<void> = Promise.resolve();

  const isOver = (): boolean =>
    given >= options.jobs || performance.now() - startedMs > options.maxSeconds * 1000;

  const disturb = async (): Promise<void> => {
    // Of a homccd that is younger than half of the run nobody could say whether it grows.
    const isEarly = progress() < 0.45;
    const fault = random.pick(faultKinds.filter((kind) => isEarly || kind !== "homccd killed"));
    faults[fault] += 1;
    switch (fault) {
      case "cut":
        await link.down();
        await link.up();
        break;
      case "agent killed": {
        const agents = agentsBelow(folder);
        if (agents.length > 0) process.kill(random.pick(agents), "SIGKILL");
        break;
      }
      case "homccd killed":
        server.kill("SIGKILL");
        await server.ended;
        server = await serve(server.port);
        heap[Symbol.dispose]();
        heap = await LiveHeap.of(server);
        break;
      case "stalled clients":
        for (const socket of stalled) socket.destroy();
        stalled.clear();
        for (let left = stalledAtOnce; left > 0; left--) stalled.add(stalledClient(server.port, random));
        break;
    }
  };
  const progress = (): number =>
    Math.max(given / options.jobs, (performance.now() - startedMs) / (options.maxSeconds * 1000));
  const measure = async (): Promise<void> => {
    const homccd = sizeOf(server.pid);
    const heapMiB = await heap.measure();
    if (homccd === undefined || heapMiB === undefined) return;
    const agents = agentsBelow(folder).flatMap((pid) => sizeOf(pid) ?? []);
    samples.push({ jobs: done, homccd: { ...homccd, heapMiB }, agents });
    onProgress(
      `${done} jobs, ${(done / ((performance.now() - startedMs) / 1000)).toFixed(0)} a second, ` +
        `homccd ${heapMiB.toFixed(1)} of ${homccd.residentMiB.toFixed(0)} MiB and ${homccd.descriptors} descriptors, ` +
        `${agents.length} agents of ${mean(agents).toFixed(0)} MiB`,
    );
  };
  const work = async (client: SoakClient, own: Random): Promise<void> => {
    while (!isOver()) {
      const end = await client.job(own, ++given);
      if (end === "cancelled") cancelled += 1;
      if (end === "refused") refused += 1;
      else done += 1;
      if (progress() * samplesPerRun > measurements) {
        measurements += 1;
        // One after another with the faults: a homccd that is being killed cannot be measured.
        disturbing = disturbing.then(measure);
      }
      if (progress() * faultsPerRun > disturbances) {
        disturbances += 1;
        disturbing = disturbing.then(disturb);
      }
    }
  };
  try {
    await Promise.all(clients.map((client, index) => work(client, new Random(options.seed + index + 1))));
    await disturbing;
    const seconds = (performance.now() - startedMs) / 1000;
    for (const socket of stalled) socket.destroy();
    const places = await Promise.all(clients.map((client) => client.places()));
    for (const { workplace } of clients) await workplace[Symbol.asyncDispose]();
    heap[Symbol.dispose]();
    const leftovers = await whatIsLeft(server, join(folder, "store"), atStart);
    await link[Symbol.asyncDispose]();
    await server.stop();
    leftovers.push(
      ...processesMentioning(folder).map(({ commandLine }) => `process ${commandLine.join(" ")}`),
    );
    const steady = steadyAgents(samples);
    return {
      clients: options.clients,
      jobs: done,
      seconds,
      remote: places.reduce((sum, { remote }) => sum + remote, 0),
      home: places.reduce((sum, { home }) => sum + home, 0),
      cancelled,
      refused,
      faults,
      homccdMemory: growthOf(samples, ({ homccd }) => homccd.heapMiB),
      homccdResident: growthOf(samples, ({ homccd }) => homccd.residentMiB),
      homccdCpuMsPerJob: cpuMsPerJob(samples),
      homccdDescriptors: growthOf(samples, ({ homccd }) => homccd.descriptors),
      agentMemory: growthOf(samples, ({ agents }) => mean(agents.filter(({ pid }) => steady.has(pid)))),
      agentDescriptors: growthOf(samples, ({ agents }) =>
        Math.max(...agents.filter(({ pid }) => steady.has(pid)).map(({ descriptors }) => descriptors)),
      ),
      leftovers,
    };
  } finally {
    for (const socket of stalled) socket.destroy();
    for (const { workplace } of clients) await workplace[Symbol.asyncDispose]();
    await link[Symbol.asyncDispose]();
    await server.stop();
    await removeFolder(folder);
  }
}

/** A client that says hello, or half of it, and never reads what it is told. */
function stalledClient(port: number, random: Random): Socket {
  const hello = encodeHello({ versions: [2], agent: "stalled", capabilities: [...knownCapabilities] });
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.pause();
  socket.write(hello.subarray(0, random.chance(0.5) ? hello.length : random.below(hello.length)));
  return socket;
}

function mean(sizes: readonly ProcessSize[]): number {
  return sizes.reduce((sum, { residentMiB }) => sum + residentMiB, 0) / Math.max(1, sizes.length);
}

/** In the last half, in which nobody killed it; jobs that were done at home are among them. */
function cpuMsPerJob(samples: readonly Sample[]): number {
  const half = samples.slice(-(samples.length >> 1));
  const [first, last] = [half[0], half.at(-1)];
  if (first === undefined || last === undefined) return 0;
  return ((last.homccd.cpuSeconds - first.homccd.cpuSeconds) * 1000) / Math.max(1, last.jobs - first.jobs);
}

/** Agents that were there in each sample of the last half. */
function steadyAgents(samples: readonly Sample[]): ReadonlySet<number> {
  const half = samples
    .slice(-(samples.length >> 1))
    .map(({ agents }) => new Set(agents.map(({ pid }) => pid)));
  const [first = new Set<number>()] = half;
  return new Set([...first].filter((pid) => half.every((pids) => pids.has(pid))));
}

/** Waits until a homccd without clients has given back what it had for them; what it keeps for good is in the answer. */
async function whatIsLeft(
  server: Server,
  store: string,
  atStart: ProcessSize | undefined,
): Promise<string[]> {
  const look = async (): Promise<string[]> => {
    const sessions = await readdir(join(store, "sessions")).catch(() => []);
    const mounts = (await readFile("/proc/mounts", "utf8"))
      .split("\n")
      .filter((line) => line.includes(store));
    const runners = processTree(server.pid).filter(({ commandLine }) => commandLine.includes("namespace"));
    const descriptors = sizeOf(server.pid)?.descriptors ?? 0;
    // It opens files of its own only with the first job.
    const more = descriptors - (atStart?.descriptors ?? 0);
    return [
      ...sessions.map((name) => `folder sessions/${name}`),
      ...mounts.map((line) => `mount ${line}`),
      ...runners.map(({ commandLine }) => `process ${commandLine.join(" ")}`),
      ...(more > 8 ? [`${more} more descriptors`] : []),
    ];
  };
  try {
    await waitFor("a homccd that has given back everything", async () => (await look()).length === 0, 30_000);
    return [];
  } catch {
    return await look();
  }
}
