import { execFileSync } from "node:child_process";
import type { MemoryGroup } from "./memory-group.ts";
import { isAlive } from "./processes.ts";
import { waitFor } from "./wait-for.ts";

/**
 * Memory runs out until the process is gone: the kernel's OOM killer ends it, or, where no group can be made, it is given no more and
 * ends itself at its next allocation. `poke` makes it allocate.
 */
export async function endForWantOfMemory(
  pid: number,
  group: MemoryGroup | undefined,
  { chosen = true, poke = () => {} }: { readonly chosen?: boolean; readonly poke?: () => unknown } = {},
): Promise<void> {
  if (group !== undefined) return await group.exhaust(pid, chosen);
  execFileSync("prlimit", ["--pid", String(pid), "--data=1"]);
  const isGone = async (): Promise<boolean> => {
    await poke();
    return !isAlive(pid);
  };
  await waitFor("its end for want of memory", isGone, 60_000);
}
