import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { fstatSync } from "node:fs";
import { constants } from "node:os";
import { errnoOf } from "@homcc/cas/errno";
import { type Environment, guardedEnvironment } from "./find-compiler.ts";
import { noticeDescriptor, notify } from "./notices.ts";

/** How a launcher ends: as the compiler did. */
export type LaunchEnd =
  | { readonly kind: "exit"; readonly status: number }
  | { readonly kind: "signal"; readonly signal: number };

/** What shells use. */
const notFoundStatus = 127;
const cannotExecuteStatus = 126;

/** strerror(3) for what a wrong name or a wrong mode gives. */
const systemText: Readonly<Record<string, string>> = {
  ENOENT: "No such file or directory",
  EACCES: "Permission denied",
  ENOEXEC: "Exec format error",
};

const forwardedSignals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/**
 * Runs `program` in our place: our terminal, our working folder, our signals, and `_HOMCC_SAFEGUARD` set. The native
 * launcher replaces itself instead; Node cannot keep a socket open across that.
 */
export async function runCompiler(
  program: string,
  argv: readonly string[],
  environment: Environment,
  onSignal: (signal: NodeJS.Signals) => void = ignore,
): Promise<LaunchEnd> {
  // Before the child exists: a signal that came between its start and the handler would end us and leave it running.
  let child: ChildProcess | undefined;
  const stopForwarding = forwardSignals((signal) => {
    onSignal(signal);
    child?.kill(signal);
  });
  try {
    child = spawn(program, argv.slice(1), {
      argv0: argv[0] ?? program,
      env: { ...guardedEnvironment(environment, program) },
      stdio: inheritedStdio(environment),
    });
    return await endOf(child);
  } catch (error) {
    const errno = errnoOf(error);
    const reason = systemText[errno ?? ""] ?? String(error);
    await notify(environment, Buffer.from(`homcc: ${program}: ${reason}\n`));
    return { kind: "exit", status: errno === "ENOENT" ? notFoundStatus : cannotExecuteStatus };
  } finally {
    stopForwarding();
  }
}

/** Ends this process by the signal that ended the compiler. */
export function dieBy(signal: number): never {
  // One that only stops would leave a build waiting for ever.
  if (!stopping.has(signal)) {
    restoreDefault(signal);
    process.kill(process.pid, signal);
  }
  process.exit(128 + signal);
}

const { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU } = constants.signals;
const stopping: ReadonlySet<number> = new Set([SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU]);

async function endOf(child: ChildProcess): Promise<LaunchEnd> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (status, signal) => {
      if (signal === null) resolve({ kind: "exit", status: status ?? cannotExecuteStatus });
      else resolve({ kind: "signal", signal: constants.signals[signal] });
    });
  });
}

function forwardSignals(forward: (signal: NodeJS.Signals) => void): () => void {
  for (const signal of forwardedSignals) process.on(signal, forward);
  return () => {
    for (const signal of forwardedSignals) process.off(signal, forward);
  };
}

/** Node ignores SIGPIPE from its start; taking a handler away again leaves the default. */
function restoreDefault(number: number): void {
  const [name] = Object.entries(constants.signals).find(([, value]) => value === number) ?? [];
  if (name === undefined || name === "SIGKILL" || name === "SIGSTOP") return;
  process.on(name, ignore).off(name, ignore);
}

function ignore(): void {}

/** 0, 1, 2, make's job server, and where a cache above us wants what it must not keep; Node closes all others. */
function inheritedStdio(environment: Environment): StdioOptions {
  const stdio: Exclude<StdioOptions, string> = ["inherit", "inherit", "inherit"];
  const descriptors = [...jobServer(environment), noticeDescriptor(environment)];
  for (const descriptor of descriptors.filter((each) => each > 2)) {
    while (stdio.length < descriptor) stdio.push("ignore");
    stdio[descriptor] = descriptor;
  }
  return stdio;
}

/** The pipe of make's job server, which `gcc -flto=jobserver` reads. */
function jobServer(environment: Environment): readonly number[] {
  const match = /--jobserver-(?:auth|fds)=(\d{1,4}),(\d{1,4})/.exec(environment["MAKEFLAGS"] ?? "");
  const descriptors = match === null ? [] : [Number(match[1]), Number(match[2])];
  return descriptors.every((descriptor) => descriptor > 2 && isPipe(descriptor)) ? descriptors : [];
}

function isPipe(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isFIFO();
  } catch {
    return false;
  }
}
