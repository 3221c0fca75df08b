import { spawnSync } from "node:child_process";
import { lstat, readFile, rm } from "node:fs/promises";
import { type ScriptedServer, startScriptedServer } from "@homcc/homcc/remote/scripted-server.fixture";

/** What the compiler did, before it is sent. */
export interface HonestResult {
  stdout: Buffer;
  stderr: Buffer;
  status: number;
  readonly outputs: Map<string, { bytes: Buffer; mode: number }>;
}

/**
 * A server that speaks the protocol, compiles with this machine's own compiler in the client's own folder, and then sends what `lie`
 * has made of it.
 */
export function startLyingServer(lie: (result: HonestResult) => void): Promise<ScriptedServer> {
  return startScriptedServer(async (job) => {
    const { cwd, environment, steps, outputs } = job.message;
    const [step] = steps;
    if (step === undefined) throw new Error("a job without a program");
    const run = spawnSync(step.program, step.argv.slice(1), { cwd, env: environment, argv0: step.argv[0] });
    const result: HonestResult = {
      stdout: run.stdout,
      stderr: run.stderr,
      status: run.status ?? 255,
      outputs: new Map(),
    };
    for (const { path } of outputs) {
      const stats = await lstat(path).catch(() => undefined);
      if (stats === undefined) continue;
      result.outputs.set(path, { bytes: await readFile(path), mode: stats.mode & 0o777 });
      await rm(path);
    }
    lie(result);
    const written = [...result.outputs];
    await job.finish(
      {
        termination: { kind: "exited", status: result.status },
        stdoutBytes: result.stdout.byteLength,
        stderrBytes: result.stderr.byteLength,
        outputs: written.map(([path, { bytes, mode }]) => ({
          kind: "written",
          path,
          sizeBytes: bytes.byteLength,
          mode,
        })),
      },
      [result.stdout, result.stderr, ...written.map(([, { bytes }]) => bytes)],
    );
  });
}

/** Lies about one output: the value that `mov $1,%eax` returns. */
export function changeObject({ outputs }: HonestResult): void {
  for (const [path, { bytes }] of outputs) {
    const at = bytes.indexOf(Buffer.from([0xb8, 1, 0, 0, 0]));
    if (path.endsWith(".o") && at >= 0) bytes[at + 1] = 2;
  }
}
