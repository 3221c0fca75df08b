/**
 * Builds a project with the plain compiler, through homcc, and through homcc on a server without system headers, each
 * time in the same folder, and compares.
 */
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { type BuildSite, buildPlainly, buildThroughHomcc, type RemoteBuild } from "./builds.ts";
import { countCalls, type CallCounts } from "./calls.ts";
import { installPrograms } from "../support/installation.ts";
import { compareObjects, type ObjectComparison } from "./objects.ts";
import type { Project } from "./project.ts";
import { fetchSource } from "./source-packages.ts";

/** One build through homcc, measured against the plain one. */
export interface Measurement {
  readonly project: string;
  /** Whether /usr/include was there on the server. */
  readonly server: "usual" | "no headers";
  readonly calls: CallCounts;
  readonly objects: ObjectComparison;
  readonly plainSeconds: number;
  readonly homccSeconds: number;
}

/** Not below /tmp, of which a job has its own, nor below the home, which the server has not. */
const parentFolder = "/var/tmp";

/** @throws SourceUnavailableError when the project's source cannot be had. */
export async function checkProject(project: Project): Promise<Measurement[]> {
  const archive = await fetchSource(project.sourcePackage);
  const folder = await mkdtemp(join(parentFolder, "homcc-projects-"));
  try {
    await chmod(folder, 0o755);
    const clientFolder = join(folder, "client");
    await mkdir(clientFolder);
    const installation = await installPrograms(join(folder, "homcc"));
    const site: BuildSite = { project, archive, installation, clientFolder };
    const plain = await buildPlainly(site);
    const hidden = [clientFolder, homedir(), "/usr/local"];
    const usual = await buildThroughHomcc(site, hidden);
    const bare = await buildThroughHomcc(site, [...hidden, "/usr/include"]);
    const differs = [usual, bare].some(
      ({ objects }) => compareObjects(plain.objects, objects).different.length > 0,
    );
    // Only what two plain builds agree on can be asked of homcc.
    const again = differs ? await buildPlainly(site) : plain;
    const measure = (server: Measurement["server"], build: RemoteBuild): Measurement => ({
      project: project.name,
      server,
      calls: countCalls(build.jobs),
      objects: compareObjects(plain.objects, build.objects, again.objects),
      plainSeconds: plain.seconds,
      homccSeconds: build.seconds,
    });
    return [measure("usual", usual), measure("no headers", bare)];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What does not hold, in words, one each. */
export function problemsOf(measurements: readonly Measurement[]): string[] {
  return [...measurements.flatMap(problemsOfOne), ...unequalShares(measurements)];
}

/** Of the compile calls, so many run remotely. */
const requiredShare = 0.99;

function problemsOfOne({ project, server, calls, objects }: Measurement): string[] {
  const problems: string[] = [];
  const share = calls.remote / calls.compiles;
  if (!(share >= requiredShare)) {
    problems.push(`only ${calls.remote} of ${calls.compiles} compile calls ran remotely`);
  }
  const calledFor = calls.compiles + (calls.others.get("unsupported-language") ?? 0);
  if (calledFor < objects.total)
    problems.push(`${calledFor} calls were recorded for ${objects.total} objects`);
  if (objects.total === 0) problems.push("no objects were made");
  problems.push(...objects.different.map((name) => `${name} differs`));
  return problems.map((text) => `${project}, server ${server}: ${text}`);
}

function unequalShares(measurements: readonly Measurement[]): string[] {
  const shares = new Set(measurements.map(({ calls }) => `${calls.remote} of ${calls.compiles}`));
  return shares.size <= 1
    ? []
    : [`the remote share depends on the server's headers: ${[...shares].join(", ")}`];
}
