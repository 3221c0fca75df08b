import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { encodeCancel, encodeRun, type RunnerJob, RunnerReplyDecoder } from "@homcc/execution/runner-codec";
import type { Random } from "../random.ts";
import { SanitizedProgram, whyNotSanitized } from "../sanitized-programs.ts";
import { type FuzzTarget, must } from "../target.ts";

const nobody = 65_534;
/** What it ends with: its input is over; it could not go on; its input is malformed. */
const honestEnds: ReadonlySet<number | null> = new Set([0, 1, 2]);
const timeoutMs = 20_000;

let program: SanitizedProgram | undefined;

/** Frames for `runner plain`, built with the sanitizers. Programs that a job names are run, so as nobody, who owns nothing. */
export const runner: FuzzTarget = {
  name: "runner",
  property: "the job runner ends in order and never touches memory that is not its own",
  startsProcesses: true,
  unavailable: whyNotSanitized,
  generate: (random) => Buffer.concat(random.many(1, 3, () => frameOf(random))),
  check(input) {
    program ??= new SanitizedProgram("runner", ["runner.c", "door.c", "confine.c", "watch.c"]);
    mkdirSync(join(program.folder, "job"), { recursive: true, mode: 0o777 });
    const ids = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
    const { status, signal, stdout, error } = spawnSync(program.path, ["plain"], {
      ...ids,
      input,
      cwd: program.folder,
      env: program.environment,
      timeout: timeoutMs,
    });
    program.mustBeSilent();
    must(error === undefined, `the runner does not end: ${error?.message}`);
    must(honestEnds.has(status), `the runner ends by ${signal ?? status}`);
    // Whatever it answers, homccd reads.
    new RunnerReplyDecoder().push(stdout);
  },
  close() {
    program?.[Symbol.dispose]();
    program = undefined;
  },
};

function frameOf(random: Random): Buffer {
  if (random.chance(0.2)) return encodeCancel(random.below(3));
  const job: RunnerJob = {
    folder: random.pick(["job", "job", ".", "none"]),
    layers: random.pick(["", "a:b"]),
    absent: random.many(0, 2, () => "none/file"),
    cwd: random.pick([".", "job", "/nowhere"]),
    umask: 0o022,
    terminals: { stdin: random.chance(0.2), stdout: random.chance(0.2), stderr: random.chance(0.2) },
    columns: 80,
    rows: 24,
    terminalOutputLimitBytes: random.below(100),
    limits: random.many(0, 3, () => ({
      resource: random.pick([0, 1, 2, 7]),
      value: BigInt(random.below(1 << 30)),
    })),
    bounds: {
      memoryBytes: random.below(1 << 30),
      processes: random.below(4),
      writtenBytes: random.below(1 << 30),
      minFreeBytes: random.below(1 << 30),
    },
    readable: random.many(0, 3, () => random.pick(["/usr", "/none", "/etc/passwd", ""])),
    environment: { A: "b" },
    steps: random.many(1, 2, () => ({
      program: random.pick(["/bin/true", "/bin/echo", "/none"]),
      argv: ["x", "y"],
    })),
  };
  return encodeRun(random.below(3), job);
}
