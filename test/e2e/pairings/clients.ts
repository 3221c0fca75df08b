import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CommandResult, runCommand } from "../../support/command.ts";
import { homccProgram } from "../../support/repository.ts";
import { askAsV1Client } from "../../support/v1-peer.ts";
import { systemPath } from "../../support/workplace.ts";
import type { PairingSite } from "./pairing-site.ts";
import { type Build, builds, type Row } from "./table.ts";

export type BuildRow = Extract<Row, { kind: "build" }>;
/** By name in the project. */
export type Outputs = ReadonlyMap<string, Buffer>;

const environment = { PATH: systemPath, LANG: "C.UTF-8" };

/** What the compiler alone makes, in the sandbox where the row has one. */
export async function buildPlainly(site: PairingSite, row: BuildRow): Promise<Outputs> {
  const words = [row.compiler, ...wordsOf(site, row)];
  const inside = ["sh", "-c", `cd ${site.project} && exec "$@"`, "sh"];
  const before = {
    schroot: ["schroot", "--chroot", site.profile, "--directory", "/", "--", ...inside],
    docker: ["docker", "exec", site.container, ...inside],
    ssh: [],
  }[row.place ?? "ssh"];
  return await outputsOf(site, row, () => succeed(site, [...before, ...words], site.variables));
}

/** With homcc, which may compile nowhere but at `host`, as a line of the hosts file names it. */
export async function buildWithOurs(
  site: PairingSite,
  row: BuildRow,
  { host, isV1 }: { readonly host: string; readonly isV1: boolean },
): Promise<Outputs> {
  const { workplace, project } = site;
  const before = (await workplace.jobs()).length;
  const outputs = await outputsOf(site, row, async () => {
    const suffix = row.compression === "no compression" ? "" : `,${row.compression}`;
    const variables = workplace.environment({
      LANG: "C.UTF-8",
      HOMCC_HOSTS: `${host}/4${suffix}`,
      HOMCC_SSH_OPTIONS: `-F ${site.sshConfigFile}`,
      ...(row.place === "schroot" ? { HOMCC_SCHROOT_PROFILE: site.profile } : {}),
      ...(row.place === "docker" ? { HOMCC_DOCKER_CONTAINER: site.container } : {}),
    });
    const command = [homccProgram, row.compiler, ...wordsOf(site, row)];
    const result = await workplace.run(command, { cwd: project, environment: variables });
    // Said once for each sandbox, which has another compiler than this machine.
    const stderr = result.stderr.replace(/^\[HOMCC-WARNING\] the compiler of .*\n/, "");
    assert.deepEqual([result.status, result.stdout, stderr], [0, "", ""]);
  });
  const [job] = (await workplace.jobs(before + 1)).slice(before);
  assert.equal(job?.outcome, "compiled-remotely");
  assert.ok(job.host.startsWith(host), job.host);
  assert.equal(job.executor === "homcc 1.x", isV1, job.executor);
  return outputs;
}

/**
 * What homcc 1.x does around the conversation of its client: it keeps options of dependency files and the linking to
 * itself.
 */
export async function buildWithV1(site: PairingSite, row: BuildRow, port: number): Promise<Outputs> {
  const build: Build = builds[row.build];
  const words = wordsOf(site, row);
  const sent = words.filter((word) => word !== "-MD" && word !== "-MF" && word !== "one.dep");
  const paths = site.fileNames.filter((name) => name.startsWith("include/") || build.sources.includes(name));
  return await outputsOf(site, row, async () => {
    const { answer, outputs } = await askAsV1Client(port, {
      args: [row.compiler, ...sent],
      cwd: site.project,
      files: Object.fromEntries(paths.map((name) => [join(site.project, name), join(site.project, name)])),
      ...(row.compression === "no compression" ? {} : { compression: row.compression }),
      ...(row.place === "schroot" ? { schroot_profile: site.profile } : {}),
      ...(row.place === "docker" ? { docker_container: site.container } : {}),
    });
    assert.deepEqual([answer.return_code, answer.stdout, answer.stderr], [0, "", ""], answer.info);
    const objects = build.sources.map((source) => source.replace(/^src\/(.*)\.c$/, "$1.o"));
    const dwarf = row.build === "fission" ? ["one.dwo"] : [];
    const expected = [...objects, ...dwarf].map((name) => join(site.project, name));
    assert.deepEqual([...outputs.keys()], expected);
    for (const [path, bytes] of outputs) await writeFile(path, bytes);
    if (build.sources.length > 1) await succeed(site, [row.compiler, ...objects, "-o", "app"]);
    if (sent.length < words.length) {
      const [source = ""] = build.sources;
      const options = ["-Iinclude", "-M", "-MF", "one.dep", "-MT", "one.o", join(site.project, source)];
      await succeed(site, [row.compiler, ...options]);
    }
    for (const object of objects) if (!build.outputs.includes(object)) await rm(join(site.project, object));
  });
}

function wordsOf({ project }: PairingSite, row: BuildRow): string[] {
  return builds[row.build].words.map((word) => word.replace("$PWD", project));
}

async function succeed(
  { project }: PairingSite,
  command: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<void> {
  const options = { cwd: project, environment: { ...environment, ...variables } };
  const result: CommandResult = await runCommand(command, options);
  assert.equal(result.status, 0, `${command.join(" ")}: ${result.stderr}`);
}

/** Of one build, and nothing is left of it. */
async function outputsOf(
  { project }: PairingSite,
  row: BuildRow,
  run: () => Promise<void>,
): Promise<Outputs> {
  const made = new Map<string, Buffer>();
  await run();
  for (const name of builds[row.build].outputs) {
    made.set(name, await readFile(join(project, name)));
    await rm(join(project, name));
  }
  return made;
}
