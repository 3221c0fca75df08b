import { spawn, type ChildProcess } from "node:child_process";
import { realpathSync } from "node:fs";

export interface ProgramRun {
  readonly args: readonly string[];
  readonly argv0?: string;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeLimitMs: number;
  /** Of both streams together; more ends the program. */
  readonly maxOutputBytes?: number;
  /** Ends the program; the run then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ProgramOutput {
  /** `undefined` when it did not run to its end: not startable, killed, out of time, too much output. */
  readonly status: number | undefined;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

const defaultMaxOutputBytes = 64 << 20;

/**
 * Runs a program that answers a question, without input. It gets a process group of its own, so that a driver is
 * ended together with the compiler proper that it started.
 */
export async function runProgram(program: string, run: ProgramRun): Promise<ProgramOutput> {
  run.signal?.throwIfAborted();
  const output = await new Promise<ProgramOutput>((resolve) => start(program, run, resolve));
  run.signal?.throwIfAborted();
  return output;
}

/** Real paths of the programs that homcc has started further up, separated by `:`; the launcher reads it. */
const safeguardVariable = "_HOMCC_SAFEGUARD";

/** A wrapper that calls homcc on itself must get the next program of its name, not ask the agent again. */
function guarded(environment: Readonly<Record<string, string>>, program: string): Record<string, string> {
  const present = environment[safeguardVariable] ?? "";
  const entry = realPathOf(program).replaceAll(":", "?");
  return { ...environment, [safeguardVariable]: present === "" ? entry : `${present}:${entry}` };
}

function realPathOf(program: string): string {
  try {
    return realpathSync(program);
  } catch {
    return program;
  }
}

function start(program: string, run: ProgramRun, resolve: (output: ProgramOutput) => void): void {
  const child = spawn(program, run.args, {
    cwd: run.cwd,
    env: guarded(run.environment, program),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    ...(run.argv0 === undefined ? {} : { argv0: run.argv0 }),
  });
  const end = (): void => endGroup(child);
  const streams = [new Collected(), new Collected()] as const;
  const collect = (stream: Collected) => (chunk: Buffer) => {
    stream.add(chunk);
    if (streams[0].sizeBytes + streams[1].sizeBytes > (run.maxOutputBytes ?? defaultMaxOutputBytes)) end();
  };
  child.stdout.on("data", collect(streams[0]));
  child.stderr.on("data", collect(streams[1]));
  const timer = setTimeout(end, run.timeLimitMs);
  run.signal?.addEventListener("abort", end);
  const finish = (status: number | null): void => {
    clearTimeout(timer);
    run.signal?.removeEventListener("abort", end);
    resolve({ status: status ?? undefined, stdout: streams[0].bytes(), stderr: streams[1].bytes() });
  };
  child.once("error", () => finish(null));
  child.once("close", finish);
}

class Collected {
  readonly #chunks: Buffer[] = [];
  sizeBytes = 0;

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.sizeBytes += chunk.byteLength;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
