import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startServer } from "../../test/support/server.ts";
import type { Farm } from "../build/contender.ts";
import { homccSite } from "../build/homcc-contender.ts";
import { build, buildNothing } from "../build/parallel-build.ts";
import type { LinkProfile } from "../link/thin-link-process.ts";
import { failingFiles } from "./goals.ts";

/** Compilers at once on a server that shares this machine. */
const realSlots = 4;

/** The client's CPU for 500 files that the compiler refuses; `count` of them are compiled, by a server that really does. */
export async function failingCpuMs(farm: Farm, count: number, profile: LinkProfile): Promise<number> {
  const root = join(farm.folder, "failing");
  await mkdir(root, { recursive: true });
  const sources = Array.from({ length: count }, (_, index) => join(root, `file${index}.cpp`));
  for (const [index, source] of sources.entries())
    await writeFile(source, `#include <cstddef>\nstd::size_t size${index}() { return unknown${index}; }\n`);
  const project = { root, sources, compiler: ["g++", "-std=c++17", "-O2", "-g"] };
  await using site = await homccSite(
    farm.folder,
    profile,
    await startServer({ limit: realSlots }),
    realSlots,
  );
  const options = { ...site, project, jobs: farm.slots, objects: join(farm.folder, "failing-objects") };
  // The agent's start and the first look at the compiler are no part of it.
  await build({ ...options, project: { ...project, sources: sources.slice(0, 1) }, expected: "failures" });
  const before = site.clientDaemonsMs();
  const { cpuMs, stderr } = await build({ ...options, expected: "failures" });
  const daemonMs = site.clientDaemonsMs() - before;
  const refused = stderr.match(/error: .unknown\d+. was not declared/g)?.length ?? 0;
  if (refused !== count)
    throw new Error(`${refused} of ${count} files were refused by the compiler: ${stderr}`);
  const nothing = await buildNothing(options);
  return ((cpuMs - nothing.cpuMs + daemonMs) / count) * failingFiles;
}
