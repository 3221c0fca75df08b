import { compilersOf, processTree } from "./processes.ts";
import type { Server } from "./server.ts";
import { waitFor } from "./wait-for.ts";

/** The process that compiles `NAME.cpp` on the server; waits for it. */
export async function remoteCompiler(server: Server, name: string): Promise<number> {
  const find = (): number | undefined => {
    const own = new Set(processTree(server.pid).map(({ pid }) => pid));
    return compilersOf(`${name}.cpp`).find(({ pid }) => own.has(pid))?.pid;
  };
  return await waitFor(`the remote compiler of ${name}`, find, 50_000);
}

/** The job stays in its compiler until that is let go; whoever ends it need not. */
export async function holdCompiler(server: Server, name: string): Promise<() => void> {
  const pid = await remoteCompiler(server, name);
  process.kill(pid, "SIGSTOP");
  return () => void process.kill(pid, "SIGCONT");
}
