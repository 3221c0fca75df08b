/**
 * Runs one compiler and tells what it did to its outputs. Entry of dist/local-run.mjs, a process of its own: the umask of the
 * job is a process's, and in a mount namespace only this process sees what was written.
 */
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  type BigIntStats,
} from "node:fs";
import { join } from "node:path";
import type { DeclaredOutput } from "@homcc/cas/action";
import { runProgram } from "@homcc/compiler/run-program";
import type { ProducedOutput } from "../remote/produced-output.ts";
import { type LocalRunJob, type LocalRunReport, reportName } from "./local-run-job.ts";

const [, , jobPath = ""] = process.argv;
const job: LocalRunJob = JSON.parse(readFileSync(jobPath, "utf8"));
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort(new Error("stopped")));
process.umask(job.umask);
if (job.layers.length > 0) job.outputs.forEach(restoreOutput);
const before = new Map(job.outputs.map(({ path }) => [path, stampOf(path)]));
const { status, stdout, stderr } = await runProgram(job.program, {
  args: job.argv.slice(1),
  ...(job.argv[0] === undefined ? {} : { argv0: job.argv[0] }),
  cwd: job.cwd,
  environment: job.environment,
  timeLimitMs: job.timeLimitMs,
  signal: stop.signal,
});
process.umask(0o077);
const report: LocalRunReport = {
  status,
  produced: job.outputs.flatMap(({ path }, index) => whatBecameOf(path, index)),
  undeclared: job.layers.flatMap(({ upper, folder }) => undeclaredIn(upper, folder)),
};
writeFileSync(join(job.resultFolder, "stdout"), stdout);
writeFileSync(join(job.resultFolder, "stderr"), stderr);
writeFileSync(join(job.resultFolder, reportName), JSON.stringify(report));

/** The job on the server found nothing there, or a placeholder of that mode. */
function restoreOutput({ path, exists, mode }: DeclaredOutput): void {
  rmSync(path, { force: true });
  if (!exists) return;
  writeFileSync(path, "");
  chmodSync(path, mode ?? 0o644);
}

function whatBecameOf(path: string, index: number): ProducedOutput[] {
  const [was, is] = [before.get(path), stampOf(path)];
  if (is === undefined) return was === undefined ? [] : [{ kind: "removed", path }];
  const stays = was !== undefined && was.ino === is.ino && was.ctimeNs === is.ctimeNs && was.size === is.size;
  if (stays) return [];
  const file = join(job.resultFolder, String(index));
  copyFileSync(path, file);
  return [{ kind: "written", path, file, mode: Number(is.mode) & 0o777 }];
}

function stampOf(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

/** What lies in the layer is what was written; what was removed is a device there. */
function undeclaredIn(upper: string, folder: string): string[] {
  const declared = new Set(job.outputs.map(({ path }) => path));
  return readdirSync(upper, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory() && !entry.isCharacterDevice())
    .map((entry) => join(folder, join(entry.parentPath, entry.name).slice(upper.length)))
    .filter((path) => !declared.has(path));
}
