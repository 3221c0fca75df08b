import type { Step } from "@homcc/cas/action";

/** What an assembler calls the text that it gets through a pipe. */
const pipeName = "{standard input}";

/**
 * Messages as gcc's -pipe gives them. A replay has a temporary file in place of the pipe, and the assembler names it;
 * the file is of our own making, so that its name can mean nothing else.
 */
export function pipedMessages(
  stderr: Uint8Array,
  steps: readonly Step[],
  argv: readonly string[],
): Uint8Array {
  const text = steps[1]?.argv.at(-1);
  if (text === undefined || !argv.some((word) => word === "-pipe" || word === "--pipe")) return stderr;
  const messages = Buffer.from(stderr).toString("latin1");
  return Buffer.from(messages.replaceAll(`${text}:`, `${pipeName}:`), "latin1");
}
