import { spawnSync } from "node:child_process";
import { copyFile, lstat, mkdir, realpath, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { DeclaredOutput, InputEntry } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import { analyse } from "@homcc/compiler/analyse";
import { FileDigests } from "@homcc/inputs/file-digests";
import type { ProducedOutput } from "../remote/produced-output.ts";
import { inputFile } from "../remote/remote-job.fixture.ts";
import type { LocalRunPlace } from "./local-run.ts";
import type { AuditSubject } from "./subject.ts";

export const compilerPath = "/usr/bin/gcc";
/** Of the test toolchain, which no test changes. */
export const toolchainDigest = digestOf(Buffer.from("toolchain"));

/** Where the runner is when nothing was built. */
export function placeIn(folder: string): LocalRunPlace {
  return {
    nodePath: process.execPath,
    programPath: join(import.meta.dirname, "local-run-program.ts"),
    folder: join(folder, "work"),
  };
}

export function freshDigests(): FileDigests {
  return new FileDigests();
}

/**
 * A compile of `files` (the first is the source) in a folder of its own, as an honest server would have answered: by the same
 * compiler, just now. The outputs are not in their places, but for those in `present`.
 */
export async function answeredCompile(
  parent: string,
  files: Readonly<Record<string, string>>,
  args: readonly string[] = ["-O1", "-c", "a.c", "-o", "a.o"],
  present: readonly string[] = [],
): Promise<AuditSubject> {
  const folder = join(await realpath(parent), "project");
  const served = join(parent, "served");
  for (const path of [folder, served]) await mkdir(path, { recursive: true });
  const inputs: InputEntry[] = [];
  for (const [name, text] of Object.entries(files)) inputs.push(await inputFile(join(folder, name), text));
  const argv = ["gcc", ...args];
  const environment = { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };
  const analysis = await analyse(
    { argv, cwd: folder, environment, family: "gcc" },
    { temporaryObject: () => join(folder, "temporary.o") },
  );
  if (analysis.verdict !== "distribute") throw new Error(`${argv.join(" ")}: ${analysis.detail}`);
  const [compilation] = analysis.compilations;
  if (compilation === undefined) throw new Error("no source");
  const outputs: DeclaredOutput[] = compilation.outputs.map((name) => ({
    path: join(folder, name),
    exists: present.includes(name),
    ...(present.includes(name) ? { mode: 0o644 } : {}),
  }));
  const run = spawnSync(compilerPath, args, { cwd: folder, env: environment, argv0: "gcc" });
  if (run.error !== undefined) throw run.error;
  const produced: ProducedOutput[] = [];
  for (const { path } of outputs) {
    const stats = await lstat(path).catch(() => undefined);
    if (stats === undefined) continue;
    const file = join(served, basename(path));
    await copyFile(path, file);
    if (!present.includes(basename(path))) await rm(path);
    produced.push({ kind: "written", path, file, mode: stats.mode & 0o777 });
  }
  return {
    action: {
      toolchain: toolchainDigest,
      steps: [{ program: compilerPath, argv }],
      cwd: folder,
      environment,
      umask: process.umask(),
      terminal: {},
      inputs,
      absent: [],
      outputs,
      timeoutMs: 60_000,
    },
    compilation,
    family: "gcc",
    compilerPath,
    driver: compilerPath,
    compilerVersion: "gcc",
    environment,
    answer: {
      status: run.status ?? undefined,
      stdout: run.stdout,
      stderr: run.stderr,
      produced,
      undeclared: [],
    },
    from: { host: "office:3126", serverVersion: "homccd 2.0.0", origin: "compiler", executor: "namespace" },
  };
}
