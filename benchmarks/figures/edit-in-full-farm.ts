import { appendFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Farm } from "../build/contender.ts";
import { homcc } from "../build/homcc-contender.ts";
import { build } from "../build/parallel-build.ts";
import type { LinkProfile } from "../link/thin-link-process.ts";

/** Edits of each kind; a round with a full farm takes as long as the build. */
const rounds = 10;
/** As many launchers as a thoughtless `make -j` has: most of them wait for the farm. */
const jobs = 200;
/** Each in a session of its own, as two terminals are. */
const place = ["setsid", "--wait"];

/**
 * The wall of one edited file in one terminal while a build in another fills the farm, against the same with nothing else going on: of
 * each the 95th percentile of ten, which is nearly the longest.
 */
export async function editInFullFarmRatio(farm: Farm, profile: LinkProfile): Promise<number> {
  const [edited = "", ...others] = farm.project.sources;
  const one = { ...farm.project, sources: [edited] };
  const all = { ...farm.project, sources: others };
  await using site = await homcc.start(farm, profile);
  const objects = join(farm.folder, "full-farm-objects");
  const editedObjects = join(farm.folder, "edited-objects");
  const edit = async (): Promise<number> => {
    await appendFile(edited, "// edited\n");
    return (await build({ ...site, place, project: one, jobs: 1, objects: editedObjects })).wallMs;
  };
  await build({ ...site, place, project: all, jobs, objects });
  await edit();
  const idleMs: number[] = [];
  for (let round = 0; round < rounds; round++) idleMs.push(await edit());
  const fullMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await rm(objects, { recursive: true });
    const building = build({ ...site, place, project: all, jobs, objects });
    // The first result has come: all slots were taken, and whoever waits for one does.
    await waitFor("a first object", async () => (await readdir(objects).catch(() => [])).length > 0);
    fullMs.push(await edit());
    await building;
  }
  return percentile95(fullMs) / percentile95(idleMs);
}

function percentile95(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? Number.NaN;
}
