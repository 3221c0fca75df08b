import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

export interface CommandOptions {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Written to standard input, which is empty without it. */
  readonly input?: string;
  /** Ends the command with SIGKILL; a test that hangs says which command did. */
  readonly timeoutMs?: number;
}

export interface CommandResult {
  /** `null` when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCommand {
  readonly pid: number;
  readonly finished: Promise<CommandResult>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts a command without a shell; its output is collected byte for byte (as latin1, so that nothing is lost). */
export function startCommand(argv: readonly string[], options: CommandOptions): RunningCommand {
  const [program, ...words] = argv;
  if (program === undefined) throw new Error("no program to start");
  const child = spawn(program, words, {
    cwd: options.cwd,
    env: { ...options.environment },
  });
  child.stdin.on("error", () => {}); // It does not read what it was given.
  child.stdin.end(options.input);
  const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? 60_000);
  const ended = new Promise<Pick<CommandResult, "status" | "signal">>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve({ status, signal }));
  });
  child.stdout.setEncoding("latin1");
  child.stderr.setEncoding("latin1");
  const finished = Promise.all([ended, text(child.stdout), text(child.stderr)]).then(
    ([end, stdout, stderr]) => ({ ...end, stdout, stderr }),
  );
  return {
    pid: child.pid ?? -1,
    finished: finished.finally(() => clearTimeout(timer)),
    kill: (signal) => child.kill(signal),
  };
}

export function runCommand(argv: readonly string[], options: CommandOptions): Promise<CommandResult> {
  return startCommand(argv, options).finished;
}
