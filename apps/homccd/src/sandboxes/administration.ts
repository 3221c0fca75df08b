import { accessSync, constants } from "node:fs";
import { findProgram } from "@homcc/compiler/find-program";
import { runProgram } from "@homcc/compiler/run-program";

/** What a program of the system answered. */
export interface Answer {
  /** `undefined` when it did not run to its end. */
  readonly status: number | undefined;
  readonly stdout: string;
  /** Without line ends around it. */
  readonly complaint: string;
}

/** A session of schroot with a large file system to unpack may take minutes. */
const timeLimitMs = 300_000;

/** What is only listed is there at once, or the engine hangs. */
const listTimeLimitMs = 10_000;

/** Calls the programs by which the sandboxes of this machine are administered: `schroot`, `docker`. */
export class Administration {
  /** Of those programs: PATH, and whatever says where docker's engine is. */
  readonly environment: Readonly<Record<string, string>>;

  constructor(environment: Readonly<Record<string, string>>) {
    this.environment = {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      ...Object.fromEntries(Object.entries(environment).filter(([name]) => isForwarded(name))),
      HOME: homeOf(environment),
      LC_ALL: "C",
    };
  }

  /** Absolute path of the program; `undefined` when it is not installed. */
  find(name: string): string | undefined {
    return findProgram(name, this.environment["PATH"] ?? "");
  }

  async ask(program: string, args: readonly string[]): Promise<Answer> {
    return await this.#ask(program, args, timeLimitMs);
  }

  /** For questions that people wait for. */
  async list(program: string, args: readonly string[]): Promise<Answer> {
    const answer = await this.#ask(program, args, listTimeLimitMs);
    if (answer.status !== undefined || answer.complaint !== "") return answer;
    return { ...answer, complaint: `no answer within ${listTimeLimitMs / 1000} s` };
  }

  async #ask(program: string, args: readonly string[], limitMs: number): Promise<Answer> {
    const { environment } = this;
    const { status, stdout, stderr } = await runProgram(program, {
      args,
      cwd: "/",
      environment,
      timeLimitMs: limitMs,
    });
    return { status, stdout: stdout.toString(), complaint: stderr.toString().trim() };
  }
}

/** podman does nothing with a home that is not there; an account of a service has often none, and that of root is closed. */
function homeOf({ HOME: home = "/" }: Readonly<Record<string, string>>): string {
  try {
    accessSync(home, constants.X_OK);
    return home;
  } catch {
    return "/";
  }
}

function isForwarded(name: string): boolean {
  return /^(?:PATH|XDG_RUNTIME_DIR|XDG_CONFIG_HOME|DOCKER_.*|CONTAINER_.*|CONTAINERS_.*)$/.test(name);
}
