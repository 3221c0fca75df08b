import { mkdir, rm, symlink } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { JobRecord } from "@homcc/homcc/records/job-log";
import { runCommand } from "../support/command.ts";
import { createWorkplace, systemPath } from "../support/workplace.ts";
import { startAwayServer } from "./away-server.ts";
import type { Installation } from "../support/installation.ts";
import { type Objects, readObjects } from "./objects.ts";
import type { Project } from "./project.ts";
import { unpackSource } from "./source-packages.ts";

export interface Build {
  readonly objects: Objects;
  readonly seconds: number;
}

export interface RemoteBuild extends Build {
  readonly jobs: readonly JobRecord[];
}

export interface BuildSite {
  readonly project: Project;
  /** The upstream archive. */
  readonly archive: string;
  /** A copy of homcc, visible on both sides. */
  readonly installation: Installation;
  /** The client's: the project is unpacked below it, always under the same path. */
  readonly clientFolder: string;
}

/** A build that hangs is ended; the largest take some minutes on two cores. */
const buildTimeoutMs = 1_200_000;
const jobsAtOnce = Math.max(4, availableParallelism());

export function buildPlainly(site: BuildSite): Promise<Build> {
  return build(site, {}, {});
}

/** Builds with an agent of its own, on a server of its own for which the `hidden` folders are empty. */
export async function buildThroughHomcc(site: BuildSite, hidden: readonly string[]): Promise<RemoteBuild> {
  await using server = await startAwayServer({
    program: site.installation.homccd,
    store: site.installation.store,
    hidden,
    slots: jobsAtOnce,
  });
  await using workplace = await createWorkplace({
    parent: site.clientFolder,
    hosts: `${server.address}/${jobsAtOnce}`,
    forbidLocal: false,
  });
  const output = await build(site, workplace.environment(), await throughHomcc(site));
  return { ...output, jobs: await workplace.jobs() };
}

/** How the build meets homcc; empty for a plain build. */
type Means = Readonly<Record<string, string>>;

async function throughHomcc({ project, installation: { homcc }, clientFolder }: BuildSite): Promise<Means> {
  switch (project.entry) {
    case "prefix":
      return { CC: `${homcc} gcc` };
    case "launcher":
      return { LAUNCHER: homcc };
    case "masquerade": {
      const links = join(clientFolder, "links");
      await rm(links, { recursive: true, force: true });
      await mkdir(links);
      await symlink(homcc, join(links, "gcc"));
      return { PATH: `${links}:${systemPath}` };
    }
  }
}

async function build(
  { project, archive, clientFolder }: BuildSite,
  environment: Readonly<Record<string, string>>,
  means: Means,
): Promise<Build> {
  const folder = join(clientFolder, project.name);
  await rm(folder, { recursive: true, force: true });
  await unpackSource(archive, folder);
  const startMs = performance.now();
  const result = await runCommand(["/bin/sh", "-ec", project.script], {
    cwd: folder,
    environment: {
      PATH: systemPath,
      HOME: clientFolder,
      CC: "gcc",
      LAUNCHER: "",
      JOBS: String(jobsAtOnce),
      ...environment,
      ...means,
    },
    timeoutMs: buildTimeoutMs,
  });
  const seconds = (performance.now() - startMs) / 1000;
  if (result.status !== 0) {
    const output = `${result.stdout.slice(-4_000)}\n${result.stderr.slice(-4_000)}`;
    throw new Error(`${project.name} could not be built: status ${result.status}\n${output}`);
  }
  return { objects: await readObjects(folder), seconds };
}
