import { readFile, rename, symlink, utimes, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { recordedFiles, recordKey } from "@homcc/execution/replay-record";
import type { Farm, Site } from "../build/contender.ts";
import { type LedgerEdit, ledgerHeader } from "../build/header-texts.ts";
import { homcc } from "../build/homcc-contender.ts";
import { build, type BuildOptions, objectName } from "../build/parallel-build.ts";
import { centralHeader } from "../build/project.ts";
import { record } from "../build/recording.ts";
import type { LinkProfile } from "../link/thin-link-process.ts";
import type { Figures } from "./goals.ts";

const edits = ["comment", "body", "member"] as const satisfies readonly LedgerEdit[];

type EditFigure = "commentEditRatio" | "bodyEditRatio" | "memberEditRatio" | "touchDownBytes";
type EditFigures = Required<Pick<Figures, EditFigure>>;

/**
 * Bytes down of rebuilds with all objects in place: after each edit of the header that every source reads, against a clean
 * build, and after a `touch` of the sources, a job. What the servers answer is recorded after each edit anew, of the first
 * `count` sources.
 */
export async function centralEdits(
  farm: Farm,
  count: number,
  profile: LinkProfile,
  say: (line: string) => void,
): Promise<EditFigures> {
  const project = { ...farm.project, sources: farm.project.sources.slice(0, count) };
  const current = join(farm.folder, "recording");
  const answerFrom = async (folder: string): Promise<void> => {
    await symlink(folder, `${current}.next`);
    await rename(`${current}.next`, current);
  };
  await answerFrom(farm.recording);
  const own: Farm = { ...farm, project, recording: current };
  await using site = await homcc.start(own, profile);
  const objects = join(farm.folder, "edited");
  const options = { ...site, project, jobs: farm.slots, objects };
  await build(options);
  const cleanBytes = await bytesDown(site, () => build(options));
  const header = join(project.root, centralHeader);
  const ratios: number[] = [];
  try {
    for (const edit of edits) {
      await writeFile(header, ledgerHeader(edit));
      const recording = await recordEdited(own, `${farm.recording}-${edit}`, say);
      await answerFrom(recording);
      ratios.push((await bytesDown(site, () => rebuild(options))) / cleanBytes);
      await requireObjects(own, objects, recording);
      await writeFile(header, ledgerHeader());
      await answerFrom(farm.recording);
      await rebuild(options);
    }
  } finally {
    await writeFile(header, ledgerHeader());
  }
  const now = new Date();
  for (const source of project.sources) await utimes(source, now, now);
  const touchedBytes = await bytesDown(site, () => rebuild(options));
  await requireObjects(own, objects, farm.recording);
  const [commentEditRatio = Number.NaN, bodyEditRatio = Number.NaN, memberEditRatio = Number.NaN] = ratios;
  return {
    commentEditRatio,
    bodyEditRatio,
    memberEditRatio,
    touchDownBytes: touchedBytes / project.sources.length,
  };
}

async function bytesDown(site: Site, run: () => Promise<unknown>): Promise<number> {
  const before = await site.traffic();
  await run();
  return (await site.traffic()).downBytes - before.downBytes;
}

function rebuild(options: BuildOptions): Promise<unknown> {
  return build({ ...options, keepObjects: true });
}

/** Kept beside the recording of the plain project, whose times count for the edited one too. */
async function recordEdited(
  { project, folder }: Farm,
  recording: string,
  say: (line: string) => void,
): Promise<string> {
  const done = `${recording}-${project.sources.length}.done`;
  if ((await readFile(done, "utf8").catch(() => undefined)) !== undefined) return recording;
  say(`compiling ${project.sources.length} sources after an edit of the central header`);
  const { root, sources, compiler } = project;
  await record({ folder: recording, root, sources, compiler, jobs: availableParallelism() });
  await writeFile(done, folder);
  return recording;
}

async function requireObjects({ project }: Farm, objects: string, recording: string): Promise<void> {
  for (const source of project.sources) {
    const { object } = recordedFiles(recording, recordKey(source, project.root) ?? "");
    const built = await readFile(join(objects, objectName(project, source)));
    if (!built.equals(await readFile(object))) throw new Error(`another object than recorded for ${source}`);
  }
}
