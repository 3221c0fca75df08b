import { chmod, copyFile, cp, link, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { repository, run } from "./scratch.ts";

export type ProgramName = "homcc" | "homccd";
export const programNames: readonly ProgramName[] = ["homcc", "homccd"];

/** What of dist/ is one program's alone. All else there (Node, native addons) goes with both. */
const ownFiles: Readonly<Record<ProgramName, readonly string[]>> = {
  homcc: ["homcc.mjs", "agent.mjs", "without-agent.mjs", "doctor.mjs", "local-run.mjs"],
  homccd: ["homccd.mjs", "runner"],
};

/** Programs that are made once for all packages of a run. */
export interface NativePrograms {
  /** Node without its debugging symbols: 108 MB of 127. */
  readonly node: string;
  readonly launcher: string;
  readonly runner: string;
}

/**
 * Static, unlike those of the set-up: one file for every Linux of the architecture, and the launcher starts 0.1 ms faster.
 */
export async function makeNativePrograms(folder: string): Promise<NativePrograms> {
  const node = join(folder, "node");
  await copyFile(join(repository, "dist/node"), node);
  const strip = run("strip", ["--strip-unneeded", node]);
  const [launcher, runner] = await Promise.all(
    Object.entries(sources).map(([name, files]) => compile(files, join(folder, name))),
  );
  await strip;
  await chmod(node, 0o755);
  return { node, launcher: launcher ?? "", runner: runner ?? "" };
}

/** What each C program is made of, in native/. */
const sources = { launcher: ["launcher.c"], runner: ["runner.c", "door.c", "confine.c", "watch.c"] } as const;

const runnerHeaders = ["door.h", "confine.h", "watch.h"];

async function compile(files: readonly string[], output: string): Promise<string> {
  const paths = files.map((file) => join(repository, "native", file));
  await run(process.env["CC"] ?? "cc", ["-O2", "-static", "-s", ...paths, "-o", output]);
  return output;
}

async function copySources(files: readonly string[], folder: string): Promise<void> {
  for (const file of files) await copyFile(join(repository, "native", file), join(folder, "native", file));
}

/**
 * Fills `folder` with bin/, dist/ and native/ as the programs expect them around themselves, so that it can lie anywhere.
 * native/ is the source of the C programs, because the C library's licence wants whoever has them to be able to link anew.
 */
export async function layOutPrograms(
  folder: string,
  programs: readonly ProgramName[],
  native: NativePrograms,
): Promise<void> {
  for (const name of ["bin", "dist", "native"]) await mkdir(join(folder, name), { recursive: true });
  const others = programNames.filter((name) => !programs.includes(name));
  const absent = new Set(others.flatMap((name) => ownFiles[name]));
  for (const name of await readdir(join(repository, "dist"))) {
    if (absent.has(name) || name === "node") continue;
    await cp(join(repository, "dist", name), join(folder, "dist", name), { recursive: true });
  }
  await link(native.node, join(folder, "dist/node"));
  if (programs.includes("homcc")) {
    await copyFile(native.launcher, join(folder, "bin/homcc"));
    await copySources(sources.launcher, folder);
    await copyFile(
      join(repository, "packaging/homcc-update-masquerade"),
      join(folder, "bin/homcc-update-masquerade"),
    );
  }
  if (programs.includes("homccd")) {
    await copyFile(join(repository, "bin/homccd"), join(folder, "bin/homccd"));
    await rm(join(folder, "dist/runner"), { force: true });
    await copyFile(native.runner, join(folder, "dist/runner"));
    await copySources([...sources.runner, ...runnerHeaders], folder);
  }
}
