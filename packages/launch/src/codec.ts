import { encodeFrame, type Frame, frameTypes } from "./frame.ts";
import type { LaunchReply, LaunchRequest, SupervisedEnd, TerminalSize } from "./messages.ts";
import { decodeText, protocolError, WireReader, WireWriter } from "./wire.ts";

/**
 * Messages to frames and back. The grammar of the payloads, in the letters of wire.ts:
 *
 *     request  u8 version, string agentIdentity                     (these two never change, see peekRequest)
 *              string rootIdentity, u32 pid, u32 umask,
 *              u8 terminals (bit n: descriptor n; bit 3: notices), 3 × (u16 columns, u16 rows),
 *              string compilerPath, string cwd, list<string> argv, list<string "NAME=value"> environment,
 *              list<string name, string value> options, u32 session
 *     accepted, retired   nothing
 *     stdout, stderr, notice   the bytes
 *     exit, signal        u32
 *     execute, supervise  string program, list<string> argv
 *     ended               u32: an exit status, or 256 plus a signal
 *
 * Bytes after the last field are ignored, so that fields can be added at the end.
 */
export const requestVersion = 1;

/** What an agent must know of a request before anything else: both stand first in every version. */
export interface RequestOrigin {
  readonly version: number;
  readonly agentIdentity: string;
}

export function encodeRequest(request: LaunchRequest): Uint8Array {
  const writer = new WireWriter();
  writer.u8(requestVersion);
  writer.string(request.agentIdentity);
  writer.string(request.rootIdentity);
  writer.u32(request.pid);
  writer.u32(request.umask);
  writeTerminals(writer, request);
  writer.string(request.compilerPath);
  writer.string(request.cwd);
  writer.strings(request.argv);
  writer.strings(Object.entries(request.environment).map(([name, value]) => `${name}=${value}`));
  writeOptions(writer, Object.entries(request.options));
  writer.u32(request.session);
  return encodeFrame(frameTypes.request, writer.finish());
}

/** The origin of a request of any version. */
export function peekRequest(frame: Frame): RequestOrigin {
  if (frame.type !== frameTypes.request) throw protocolError(`frame type ${frame.type} instead of a request`);
  const reader = new WireReader(frame.payload);
  return { version: reader.u8(), agentIdentity: reader.string() };
}

export function decodeRequest(frame: Frame): LaunchRequest {
  const { version, agentIdentity } = peekRequest(frame);
  if (version !== requestVersion) throw protocolError(`a request of version ${version}`);
  const reader = new WireReader(frame.payload);
  reader.u8();
  reader.string();
  const rootIdentity = reader.string();
  const pid = reader.u32();
  const umask = reader.u32();
  const { terminals, noticeTerminal } = readTerminals(reader);
  const compilerPath = reader.text();
  const cwd = reader.text();
  const argv = reader.list(4, () => reader.text());
  const { environment, invalidVariables } = readEnvironment(reader.list(4, () => reader.bytes()));
  const options = reader.list(8, () => [reader.string(), reader.string()] as const);
  const session = reader.u32();
  return {
    argv: argv.map((word) => word.text),
    compilerPath: compilerPath.text,
    cwd: cwd.text,
    environment,
    invalidVariables,
    notUtf8: ![compilerPath, cwd, ...argv].every((word) => word.isUtf8),
    umask,
    pid,
    rootIdentity,
    agentIdentity,
    terminals,
    noticeTerminal,
    session,
    options: Object.fromEntries(options),
  };
}

export function encodeReply(reply: LaunchReply): Uint8Array {
  return encodeFrame(frameTypes[reply.kind], replyPayload(reply));
}

export function decodeReply({ type, payload }: Frame): LaunchReply {
  switch (type) {
    case frameTypes.accepted:
      return { kind: "accepted" };
    case frameTypes.retired:
      return { kind: "retired" };
    case frameTypes.stdout:
      return { kind: "stdout", bytes: payload };
    case frameTypes.stderr:
      return { kind: "stderr", bytes: payload };
    case frameTypes.notice:
      return { kind: "notice", bytes: payload };
    case frameTypes.exit:
      return { kind: "exit", status: readNumber(payload, "an exit status", 0, 255) };
    case frameTypes.signal:
      return { kind: "signal", signal: readNumber(payload, "a signal", 1, 64) };
    case frameTypes.execute:
      return { kind: "execute", ...readCommand(payload) };
    case frameTypes.supervise:
      return { kind: "supervise", ...readCommand(payload) };
    default:
      throw protocolError(`frame type ${type} instead of a reply`);
  }
}

/** Added to a signal's number in `ended`, which has exit statuses below. */
const signalBase = 256;

export function encodeEnded(end: SupervisedEnd): Uint8Array {
  const writer = new WireWriter();
  writer.u32(end.kind === "exit" ? end.status : signalBase + end.signal);
  return encodeFrame(frameTypes.ended, writer.finish());
}

export function decodeEnded({ type, payload }: Frame): SupervisedEnd {
  if (type !== frameTypes.ended) throw protocolError(`frame type ${type} instead of the end of a program`);
  const value = readNumber(payload, "the end of a program", 0, signalBase + 64);
  if (value === signalBase) throw protocolError("signal 0 as the end of a program");
  return value < signalBase
    ? { kind: "exit", status: value }
    : { kind: "signal", signal: value - signalBase };
}

function readCommand(payload: Uint8Array): { readonly program: string; readonly argv: readonly string[] } {
  const reader = new WireReader(payload);
  return { program: reader.string(), argv: reader.list(4, () => reader.string()) };
}

function replyPayload(reply: LaunchReply): Uint8Array {
  if ("bytes" in reply) return reply.bytes;
  const writer = new WireWriter();
  if (reply.kind === "exit") writer.u32(reply.status);
  if (reply.kind === "signal") writer.u32(reply.signal);
  if (reply.kind === "execute" || reply.kind === "supervise") {
    writer.string(reply.program);
    writer.strings(reply.argv);
  }
  return writer.finish();
}

function readNumber(payload: Uint8Array, what: string, least: number, most: number): number {
  const value = new WireReader(payload).u32();
  if (value < least || value > most) throw protocolError(`${value} as ${what}`);
  return value;
}

/** The bit of `terminals` for what notices are written to. */
const noticeBit = 1 << 3;

type Terminals = Pick<LaunchRequest, "terminals" | "noticeTerminal">;

function writeTerminals(writer: WireWriter, { terminals, noticeTerminal }: Terminals): void {
  let present = noticeTerminal ? noticeBit : 0;
  for (const [descriptor, size] of terminals.entries()) if (size !== undefined) present |= 1 << descriptor;
  writer.u8(present);
  for (const size of terminals) {
    writer.u16(size?.columns ?? 0);
    writer.u16(size?.rows ?? 0);
  }
}

function readTerminals(reader: WireReader): Terminals {
  const present = reader.u8();
  const readSize = (descriptor: number): TerminalSize | undefined => {
    const size = { columns: reader.u16(), rows: reader.u16() };
    return (present & (1 << descriptor)) === 0 ? undefined : size;
  };
  return {
    terminals: [readSize(0), readSize(1), readSize(2)],
    noticeTerminal: (present & noticeBit) !== 0,
  };
}

function writeOptions(writer: WireWriter, options: readonly (readonly [string, string])[]): void {
  writer.u32(options.length);
  for (const [name, value] of options) {
    writer.string(name);
    writer.string(value);
  }
}

/** The first of two entries with one name counts, as for getenv(3); an entry without `=` has no name and is dropped. */
function readEnvironment(
  entries: readonly Uint8Array[],
): Pick<LaunchRequest, "environment" | "invalidVariables"> {
  const variables = new Map<string, string>();
  const invalidVariables: string[] = [];
  for (const entry of entries) {
    const { text, isUtf8 } = decodeText(entry);
    const separator = text.indexOf("=");
    if (separator <= 0) continue;
    const name = text.slice(0, separator);
    if (!isUtf8) invalidVariables.push(name);
    else if (!variables.has(name)) variables.set(name, text.slice(separator + 1));
  }
  return { environment: Object.fromEntries(variables), invalidVariables };
}
