/**
 * What one job costs on top of its program: `node packages/execution/src/runner.bench.ts [jobs] [layers]`.
 * The program is the runner itself printing its version; CPU is what the kernel reports for the job's processes.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deviceFiles } from "./action-paths.ts";
import { noBounds } from "./runner-codec.ts";
import { JobRunner } from "./runner.ts";
import { findSharedFolders } from "./shared-folders.ts";

const jobs = Number(process.argv[2] ?? 300);
const layers = Number(process.argv[3] ?? 4);
const program = new URL("../../../dist/runner", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "homcc-bench-"));
const shares = await findSharedFolders();

mkdirSync(join(folder, "t/probe"), { recursive: true });
copyFileSync(program, join(folder, "t/probe/runner"));
for (const path of ["/proc", "/dev", ...shares]) mkdirSync(`${folder}/s/base${path}`, { recursive: true });
for (const device of deviceFiles) writeFileSync(`${folder}/s/base${device}`, "");
const generations = Array.from({ length: layers - 2 }, (_, at) => `g/${at}`);
for (const generation of generations)
  mkdirSync(join(folder, "s", generation, "usr/include"), { recursive: true });
const lower = [...generations, "/t/probe", "base"].join(":");

try {
  await measure(
    `namespace, ${layers} layers`,
    ["namespace", join(folder, "s"), join(folder, "t"), ...shares],
    lower,
  );
  await measure("plain (fork and exec alone)", ["plain"], "");
} finally {
  rmSync(folder, { recursive: true });
}

async function measure(name: string, args: readonly string[], layersOption: string): Promise<void> {
  const runner = new JobRunner(program, args);
  const inNamespace = layersOption !== "";
  let cpuMs = 0;
  let wallMs = 0;
  for (let job = 0; job < jobs; job++) {
    const path = join(folder, "s", `${args[0]}-${job}`);
    mkdirSync(join(path, "upper"), { recursive: true });
    mkdirSync(join(path, "work"));
    const startedMs = performance.now();
    const result = await runner.run(
      {
        folder: inNamespace ? `${args[0]}-${job}` : path,
        layers: layersOption,
        absent: [],
        cwd: "/",
        umask: 0o022,
        terminals: { stdin: false, stdout: false, stderr: false },
        columns: 0,
        rows: 0,
        terminalOutputLimitBytes: 0,
        limits: [],
        bounds: noBounds,
        readable: [program],
        environment: {},
        steps: [{ program: inNamespace ? "/runner" : program, argv: ["runner", "--version"] }],
      },
      new AbortController().signal,
    );
    if (job === 0) continue; // starts the runner
    wallMs += performance.now() - startedMs;
    cpuMs += result.cpuMs;
  }
  await runner.close();
  const each = (ms: number) => (ms / (jobs - 1)).toFixed(2);
  console.log(`${name}: ${each(wallMs)} ms wall, ${each(cpuMs)} ms CPU per job (${jobs} jobs)`);
}
