import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { AgentStatus } from "@homcc/homcc/agent-status";
import { agentsOf, compilersOf, processesMentioning, processTree } from "./processes.ts";
import { homccProgram } from "./repository.ts";
import type { Server } from "./server.ts";
import { waitFor } from "./wait-for.ts";
import type { Workplace } from "./workplace.ts";

/** A server keeps what a vanished client may come back for half a minute. */
const releasedWithinMs = 45_000;

export interface Places {
  readonly servers?: readonly Server[];
  readonly workplaces?: readonly Workplace[];
}

/**
 * No job is under way: waits until nothing of one is left. Slots, processes, mounts, folders of jobs, half-written files in
 * stores and build folders, and descriptors into either.
 */
export async function assertNoLeaks({ servers = [], workplaces = [] }: Places): Promise<void> {
  let leaks: string[] = [];
  const found = async (): Promise<string[]> => [
    ...servers.flatMap(leaksOfServer),
    ...(await Promise.all(workplaces.map(leaksOfWorkplace))).flat(),
  ];
  const isClean = async (): Promise<boolean> => (leaks = await found()).length === 0;
  await waitFor("nothing to be left", isClean, releasedWithinMs).catch((cause: unknown) => {
    throw new Error(`left behind:\n${leaks.join("\n")}`, { cause });
  });
}

function leaksOfServer({ pid, storeFolder }: Server): string[] {
  const tree = processTree(pid);
  const own = new Set(tree.map((process) => process.pid));
  const inStore = (path: string): string => join(storeFolder, path);
  const sessions = ["sessions", "v1-sessions"].flatMap((name) =>
    namesIn(inStore(name)).map((session) => inStore(`${name}/${session}/j`)),
  );
  return [
    ...compilersOf("").flatMap((compiler) => (own.has(compiler.pid) ? [`compiler ${compiler.pid}`] : [])),
    ...[...sessions, inStore("blobs/incoming"), inStore("results")].flatMap(pathsIn),
    ...pathsIn(inStore("toolchains")).filter((path) => path.includes("/partial-")),
    ...pathsIn(storeFolder).filter((path) => /\.(?:new|part)$/.test(path)),
    ...tree.flatMap((process) => mountsOfJobs(process.pid, storeFolder)),
    ...descriptorsInto(storeFolder, pid),
  ];
}

async function leaksOfWorkplace(workplace: Workplace): Promise<string[]> {
  const { project, homccFolder } = workplace;
  const agents = agentsOf(homccFolder);
  const launchers = processesMentioning(project).filter(({ commandLine }) => commandLine[0] === homccProgram);
  return [
    ...(agents.length > 1 ? [`${agents.length} agents`] : []),
    ...launchers.map(({ pid }) => `launcher ${pid}`),
    ...unfinishedOutputs(project),
    ...pathsIn(join(homccFolder, "agent")).filter((path) => path.endsWith(".part")),
    ...pathsIn(join(homccFolder, "agent/results/blobs/incoming")),
    ...agents.flatMap(({ pid }) => descriptorsInto(project, pid)),
    ...(agents.length === 1 ? await slotsHeld(workplace) : []),
  ];
}

/** Outputs under their temporary names. */
export function unfinishedOutputs(project: string): string[] {
  return readdirSync(project, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.homcc-[0-9a-f]+$/.test(name))
    .map((name) => `unfinished output ${name}`);
}

async function slotsHeld(workplace: Workplace): Promise<string[]> {
  const { status, stdout } = await workplace.run([homccProgram, "status", "--json"]);
  if (status !== 0) return [];
  const { servers, local, queues }: Pick<AgentStatus, "servers" | "local" | "queues"> = JSON.parse(stdout);
  const counts = [
    ...servers.map(({ host, slots }) => [`slots of ${host}`, slots.held] as const),
    ["local slots", local.slots.held] as const,
    ...Object.entries(queues).map(([name, waiting]) => [`waiting for ${name}`, waiting] as const),
  ];
  return counts.filter(([, count]) => count > 0).map(([name, count]) => `${name}: ${count}`);
}

/** What a job's root is mounted from, in the namespaces of the process. */
function mountsOfJobs(pid: number, storeFolder: string): string[] {
  return readText(`/proc/${pid}/mountinfo`)
    .split("\n")
    .filter((line) => line.includes(storeFolder) && /\/j\/\d+/.test(line))
    .map((line) => `mount of ${pid}: ${line}`);
}

function descriptorsInto(folder: string, pid: number): string[] {
  return namesIn(`/proc/${pid}/fd`).flatMap((descriptor) => {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${descriptor}`);
      return target.startsWith(`${folder}/`) ? [`descriptor ${descriptor} of ${pid}: ${target}`] : [];
    } catch {
      return []; // It was closed meanwhile.
    }
  });
}

function pathsIn(folder: string): string[] {
  return namesIn(folder).map((name) => join(folder, name));
}

/** None of what is not there. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
