import { fstatSync, readFileSync } from "node:fs";
import { isatty } from "node:tty";
import { emit } from "./emit.ts";
import type { Environment } from "./find-compiler.ts";

/** ccache tells in it what it had as stderr: the compiler's own goes into the cache. */
const noticeVariable = "UNCACHED_ERR_FD";

const stderrDescriptor = 2;

/** Where homcc's own words go: what `UNCACHED_ERR_FD` names if that is open for writing, else stderr. */
export function noticeDescriptor(environment: Environment): number {
  const text = environment[noticeVariable] ?? "";
  const descriptor = /^\d{1,9}$/.test(text) ? Number(text) : stderrDescriptor;
  return descriptor > stderrDescriptor && takesText(descriptor) ? descriptor : stderrDescriptor;
}

export function isNoticeTerminal(environment: Environment): boolean {
  return isatty(noticeDescriptor(environment));
}

/** Prints whole lines of homcc's own. What cannot be written is lost: nobody has to read it. */
export async function notify(environment: Environment, bytes: Uint8Array): Promise<void> {
  await emit(noticeDescriptor(environment), bytes);
}

/** Not what Node has opened for itself, an event queue for example: those are of no type that stat(2) has a name for. */
function takesText(descriptor: number): boolean {
  try {
    const status = fstatSync(descriptor);
    const isKnownType = status.isFIFO() || status.isFile() || status.isCharacterDevice() || status.isSocket();
    return isKnownType && isWritable(descriptor);
  } catch {
    return false;
  }
}

const accessModeMask = 0o3;

function isWritable(descriptor: number): boolean {
  const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1"))?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & accessModeMask) !== 0;
}
