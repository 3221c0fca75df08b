import { runProgram } from "./run-program.ts";

/** What a program that answers a question printed. */
export interface ProgramAnswer {
  /** It could not be started, or was killed: whatever it printed is no answer. */
  readonly isBroken?: boolean;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Where a toolchain lies and its programs can be asked: this machine, or a sandbox on it. */
export interface ToolchainPlace {
  /** The folder of this machine that is `/` there. Paths of the toolchain are never looked up but below it. */
  readonly root: string;
  /** In the folder `/` there, with this environment and nothing else. */
  run(
    program: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<ProgramAnswer>;
}

const timeLimitMs = 20_000;

export const thisMachine: ToolchainPlace = {
  root: "",
  run: async (program, args, environment) => {
    const { status, ...printed } = await runProgram(program, { args, cwd: "/", environment, timeLimitMs });
    return { ...printed, isBroken: status === undefined };
  },
};
