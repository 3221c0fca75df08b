import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandOptions, type CommandResult, runCommand } from "./command.ts";

export interface TerminalOptions extends CommandOptions {
  readonly columns: number;
  readonly rows: number;
  /** Which standard descriptors are terminals, as digits: `2`, `012`. */
  readonly descriptors: string;
}

export interface TerminalResult extends CommandResult {
  /** What arrived on the terminal. */
  readonly terminal: string;
}

/** Runs a command with a terminal; needs python3. */
export async function runPty(argv: readonly string[], options: TerminalOptions): Promise<TerminalResult> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-pty-"));
  try {
    const size = `${options.columns}x${options.rows}`;
    const helper = join(import.meta.dirname, "terminal.py");
    const command = ["python3", helper, size, options.descriptors, ...argv];
    // Descriptor 3 by way of a shell: spawn's own pipes would be inherited by what the command leaves behind.
    const redirected = [
      "/bin/sh",
      "-c",
      'screen=$1; shift; exec "$@" 3>"$screen"',
      "sh",
      join(folder, "screen"),
    ];
    const result = await runCommand([...redirected, ...command], options);
    return { ...result, terminal: await readFile(join(folder, "screen"), "latin1") };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
