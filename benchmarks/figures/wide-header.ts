import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Farm } from "../build/contender.ts";
import { homcc } from "../build/homcc-contender.ts";
import { build } from "../build/parallel-build.ts";
import { record } from "../build/recording.ts";
import { Words } from "../build/words.ts";
import type { LinkProfile } from "../link/thin-link-process.ts";

const headerBytes = 200_000;

/** Bytes up of a job whose header of 200 kB has another line in its middle than last time. */
export async function wideHeaderUpBytes(farm: Farm, profile: LinkProfile): Promise<number> {
  const root = join(farm.folder, "wide");
  await mkdir(join(root, "src"), { recursive: true });
  const [header, source] = [join(root, "src/wide.h"), join(root, "src/wide.cpp")];
  const lines = wideHeader();
  await writeFile(header, lines.join(""));
  await writeFile(source, '#include "wide.h"\nint main_of_wide() { return 1; }\n');
  const compiler = ["g++", "-std=c++17", "-O2", "-g"];
  const recording = join(farm.folder, "wide-recording");
  await record({ folder: recording, root, sources: [source], compiler, jobs: 1 });
  const project = { root, sources: [source], compiler };
  await using site = await homcc.start({ ...farm, project, recording }, profile);
  const options = { ...site, project, jobs: 1, objects: join(farm.folder, "wide-objects") };
  await build(options);
  lines[lines.length >> 1] = "int edited(int first, int second);\n";
  await writeFile(header, lines.join(""));
  const before = await site.traffic();
  await build({ ...options, keepObjects: true });
  return (await site.traffic()).upBytes - before.upBytes;
}

function wideHeader(): string[] {
  const words = new Words("wide");
  const lines = ["#pragma once\n"];
  for (let bytes = 0; bytes < headerBytes; bytes += lines.at(-1)?.length ?? 0) {
    const [name, first, second] = [words.word(), words.word(), words.word()];
    lines.push(`int ${name}_${lines.length}(int ${first}_1, long ${second}_2); ${words.comment(1)}`);
  }
  return lines;
}
