import { copyFileSync, fstatSync, readlinkSync, truncateSync, writeSync } from "node:fs";

/** Above this the log's content moves to `agent.log.1`, whose former content is lost: some 40,000 jobs each. */
export const maxAgentLogBytes = 4 * 1024 * 1024;

export interface AgentLogFile {
  /** `undefined` when the agent prints to something that is no file. */
  readonly path: string | undefined;
  write(line: string): void;
}

/**
 * The log that a launcher opened as the agent's standard error. It is emptied and not replaced, because descriptors 1
 * and 2 lead to it for as long as the agent lives, and what Node says when it dies must not end up in a file of yesterday.
 */
export function agentLogFile(descriptor = 2, maxBytes = maxAgentLogBytes): AgentLogFile {
  const path = pathOf(descriptor);
  let writtenBytes = maxBytes;
  return {
    path,
    write(line) {
      try {
        writeSync(descriptor, line);
        writtenBytes += Buffer.byteLength(line);
        // Others append too, so that the size counts and not what we wrote; asked for once in a while.
        if (path === undefined || writtenBytes < maxBytes / 64) return;
        writtenBytes = 0;
        if (fstatSync(descriptor).size > maxBytes) moveContent(path);
      } catch {
        // A full disk: an agent without a log still serves builds.
      }
    },
  };
}

function moveContent(path: string): void {
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
}

function pathOf(descriptor: number): string | undefined {
  try {
    return fstatSync(descriptor).isFile() ? readlinkSync(`/proc/self/fd/${descriptor}`) : undefined;
  } catch {
    return undefined;
  }
}
