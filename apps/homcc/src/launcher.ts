import { existsSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { constants } from "node:os";
import { isatty } from "node:tty";
import { agentIdentityOf, ownRootIdentity } from "@homcc/launch/agent-identity";
import { decodeReply, encodeEnded, encodeRequest } from "@homcc/launch/codec";
import { FrameReader } from "@homcc/launch/frame";
import type { LaunchReply, LaunchRequest, TerminalSize } from "@homcc/launch/messages";
import { launchPaths } from "@homcc/launch/paths";
import { exitStatusOf } from "@homcc/observability/error";
import { clientLine } from "@homcc/observability/log";
import { emit } from "./launcher/emit.ts";
import {
  type Environment,
  findCompiler,
  type FoundCompiler,
  throughLinkVariable,
} from "./launcher/find-compiler.ts";
import { isForbiddenByCaller, mayForbidLocal } from "./launcher/forbidden-local.ts";
import { type Installation, installationAround } from "./launcher/installation.ts";
import { isNoticeTerminal, notify } from "./launcher/notices.ts";
import { dieBy, type LaunchEnd, runCompiler } from "./launcher/run-compiler.ts";
import { type AgentConnection, reachAgent } from "./launcher/start-agent.ts";
import type * as withoutAgentProgram from "./without-agent.ts";

export interface LaunchOptions {
  readonly environment?: Environment;
  /** homcc's own options of the command line, for the agent. */
  readonly options?: Readonly<Record<string, string>>;
  /** Without it: the programs beside the bundle that this is part of. */
  readonly installation?: Installation;
}

/** Agents that may send a call away or end under it before the compiler is run at home. */
const maxAttempts = 3;
/** An agent that is alive accepts at once; one that starts on a loaded machine takes a second. */
const acceptTimeoutMs = 10_000;
const commandNotFoundStatus = 127;
/** As the agent has it: 69. */
const forbiddenStatus = exitStatusOf.ERR_HOMCC_UNAVAILABLE ?? 69;

/**
 * Runs the compiler call `command` through the agent and resolves with the exit status; where the compiler died of a
 * signal, this process does too. The twin of native/launcher.c: the same protocol, the same search for the compiler,
 * the same fallbacks. It serves calls with options of homcc's own and machines without a C compiler.
 * Throws ERR_HOMCC_RECURSION when only homcc itself is left to be called.
 */
export async function launch(command: readonly string[], options: LaunchOptions = {}): Promise<number> {
  const environment = options.environment ?? process.env;
  const installation = options.installation ?? installationAround(import.meta.dirname);
  const [word = "", ...rest] = command;
  const compiler = findCompiler(word, environment, installation.launcherPath);
  if (compiler === undefined) {
    await notify(environment, Buffer.from(`homcc: ${word}: command not found\n`));
    return commandNotFoundStatus;
  }
  const call = {
    compiler,
    argv: [compiler.name, ...rest],
    environment,
    installation,
    options: options.options ?? {},
  };
  const withoutAgent = (environment["HOMCC_NO_AGENT"] ?? "") !== "";
  const end = withoutAgent ? undefined : await askAgent(call);
  const lastEnd = end ?? (await endWithoutAgent(call, withoutAgent));
  return lastEnd.kind === "exit" ? lastEnd.status : dieBy(lastEnd.signal);
}

interface Call {
  readonly compiler: FoundCompiler;
  readonly argv: readonly string[];
  readonly environment: Environment;
  readonly installation: Installation;
  readonly options: Readonly<Record<string, string>>;
}

/** Where to compile here may be forbidden, only a reader of all settings can say whether it is, and which commands belong at home. */
async function endWithoutAgent(call: Call, isWanted: boolean): Promise<LaunchEnd> {
  const { environment, options, compiler, argv, installation } = call;
  const mayBeForbidden = mayForbidLocal(environment, options);
  const end = isWanted || mayBeForbidden ? await serveHere(call) : undefined;
  if (end !== undefined) return end;
  if (mayBeForbidden && isForbiddenByCaller(environment, options)) {
    const text = `no agent, and ${installation.withoutAgentPath} cannot be started. Local compilation is forbidden.`;
    await notify(environment, Buffer.from(`${clientLine("ERROR", text)}\n`));
    return { kind: "exit", status: forbiddenStatus };
  }
  return await runCompiler(compiler.path, argv, environment);
}

/** Does the agent's work in this process; `undefined` when that is not installed or the call cannot be described. */
async function serveHere(call: Call): Promise<LaunchEnd | undefined> {
  const request = describeCall(call);
  const path = call.installation.withoutAgentPath;
  if (request === undefined || !existsSync(path)) return undefined;
  // A bundle of its own, so that calls with an agent do not load what they do not need.
  const program: typeof withoutAgentProgram = await import(path);
  return await program.callWithoutAgent(request);
}

/** `undefined` when no agent served the call. */
async function askAgent(call: Call): Promise<LaunchEnd | undefined> {
  const { environment, installation } = call;
  const uid = process.getuid?.() ?? 0;
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const request = describeCall(call);
    if (request === undefined) return undefined;
    const paths = launchPaths(environment, uid, request.cwd);
    const identity = request.agentIdentity;
    const connection = await reachAgent({ paths, identity, uid, environment, installation });
    if (connection === undefined) return undefined;
    const outcome = await converse(connection, request, environment);
    if (outcome.kind === "ended") return outcome.end;
    if (outcome.kind === "local") return undefined;
  }
  return undefined;
}

/** `undefined` when the call cannot be described: no working folder, or no agent program to start. */
function describeCall(call: Call): LaunchRequest | undefined {
  try {
    return {
      argv: call.argv,
      compilerPath: call.compiler.path,
      cwd: process.cwd(),
      environment: sentEnvironment(call.environment),
      invalidVariables: [],
      notUtf8: false,
      options: call.options,
      umask: process.umask(),
      pid: process.pid,
      rootIdentity: ownRootIdentity(),
      agentIdentity: agentIdentityOf(call.installation.agentPath),
      terminals: [terminalSize(0), terminalSize(1), terminalSize(2)],
      noticeTerminal: isNoticeTerminal(call.environment),
      session: ownSession(),
    };
  } catch {
    return undefined;
  }
}

function sentEnvironment(environment: Environment): Record<string, string> {
  const entries = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined || name === throughLinkVariable ? [] : [[name, value] as const],
  );
  return Object.fromEntries(entries);
}

/** getsid(2), which Node does not have; 0 without /proc. */
function ownSession(): number {
  try {
    const status = readFileSync("/proc/self/stat", "latin1");
    // The name in parentheses is the program's own choice and may hold blanks and parentheses.
    return Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[3]);
  } catch {
    return 0;
  }
}

/** Node knows the sizes of 1 and 2; where only 0 is a terminal its size is 0 by 0, unknown. */
function terminalSize(descriptor: number): TerminalSize | undefined {
  if (!isatty(descriptor)) return undefined;
  const stream = [process.stderr, process.stdout].find(
    ({ isTTY, fd }) => isTTY && (descriptor === 0 || fd === descriptor),
  );
  return { columns: stream?.columns ?? 0, rows: stream?.rows ?? 0 };
}

type Outcome =
  | { readonly kind: "ended"; readonly end: LaunchEnd }
  /** This agent does not take the call, another one may. */
  | { readonly kind: "again" }
  | { readonly kind: "local" };

/** One request and its replies, until the agent has decided or is lost. */
async function converse(
  { socket, started }: AgentConnection,
  request: LaunchRequest,
  environment: Environment,
): Promise<Outcome> {
  let accepted = false;
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    socket.destroy();
  }, acceptTimeoutMs);
  try {
    socket.write(encodeRequest(request));
    for await (const reply of repliesOf(socket)) {
      if (reply.kind === "accepted") {
        accepted = true;
        clearTimeout(timer);
      }
      const outcome = await follow(reply, request, environment, socket);
      if (outcome !== undefined) return outcome;
    }
  } catch {
    // A reset connection, or bytes that are no replies: the agent is lost either way.
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
  // An agent may end between our connect and its accept; one that we started and that ends at once is broken.
  return accepted || timedOut || started ? { kind: "local" } : { kind: "again" };
}

async function* repliesOf(socket: Socket): AsyncGenerator<LaunchReply> {
  const reader = new FrameReader();
  const chunks: AsyncIterable<Uint8Array> = socket;
  for await (const chunk of chunks) {
    for (const frame of reader.push(chunk)) yield decodeReply(frame);
  }
}

/** Does what the reply says; `undefined` when more replies follow. */
async function follow(
  reply: LaunchReply,
  request: LaunchRequest,
  environment: Environment,
  socket: Socket,
): Promise<Outcome | undefined> {
  switch (reply.kind) {
    case "accepted":
      return undefined;
    case "retired":
      return { kind: "again" };
    case "stdout":
    case "stderr":
      return (await emit(reply.kind === "stdout" ? 1 : 2, reply.bytes)) ? undefined : brokenPipe;
    case "notice":
      await notify(environment, reply.bytes);
      return undefined;
    case "exit":
      return { kind: "ended", end: reply };
    case "signal":
      return { kind: "ended", end: reply };
    case "execute":
      return { kind: "ended", end: await runNamed(reply, request, environment) };
    case "supervise":
      return supervise(reply, request, environment, socket);
    default:
      return reply satisfies never;
  }
}

/** `undefined`: the agent has the last word, unless we were told to end meanwhile. */
async function supervise(
  reply: Extract<LaunchReply, { kind: "supervise" }>,
  request: LaunchRequest,
  environment: Environment,
  socket: Socket,
): Promise<Outcome | undefined> {
  let received: NodeJS.Signals | undefined;
  const end = await runNamed(reply, request, environment, (signal) => {
    received = signal;
  });
  if (received !== undefined)
    return { kind: "ended", end: { kind: "signal", signal: constants.signals[received] } };
  socket.write(encodeEnded(end));
  return undefined;
}

/** An empty `argv` stands for the call's own compiler and arguments. */
async function runNamed(
  { program, argv }: Extract<LaunchReply, { kind: "execute" | "supervise" }>,
  request: LaunchRequest,
  environment: Environment,
  onSignal?: (signal: NodeJS.Signals) => void,
): Promise<LaunchEnd> {
  return argv.length === 0
    ? await runCompiler(request.compilerPath, request.argv, environment, onSignal)
    : await runCompiler(program, argv, environment, onSignal);
}

/** A compiler dies when nobody reads what it prints. */
const brokenPipe: Outcome = { kind: "ended", end: { kind: "signal", signal: constants.signals.SIGPIPE } };
