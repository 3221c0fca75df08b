import { ownRootIdentity } from "@homcc/launch/agent-identity";
import type { LaunchCall } from "@homcc/launch/call";

/** What a launcher that called gcc in `cwd` is told. */
export interface Told {
  readonly call: LaunchCall;
  readonly printed: string[];
  readonly launcher: AbortController;
}

export function launcherIn(cwd: string, argv: readonly string[]): Told {
  const launcher = new AbortController();
  const printed: string[] = [];
  const print = (bytes: Uint8Array): Promise<void> => {
    printed.push(Buffer.from(bytes).toString());
    return Promise.resolve();
  };
  const call: LaunchCall = {
    request: {
      argv,
      compilerPath: "/usr/bin/gcc",
      cwd,
      environment: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
      invalidVariables: [],
      notUtf8: false,
      options: {},
      umask: 0o022,
      pid: process.pid,
      rootIdentity: ownRootIdentity(),
      agentIdentity: "",
      terminals: [undefined, undefined, undefined],
      noticeTerminal: false,
      session: 0,
    },
    signal: launcher.signal,
    stdout: print,
    stderr: print,
    notice: print,
    exit: () => {},
    killedBy: () => {},
    execute: () => Promise.resolve(),
    supervise: () => Promise.resolve(undefined),
    abandon: () => {},
  };
  return { call, printed, launcher };
}
