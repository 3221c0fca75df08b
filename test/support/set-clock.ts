import { chmod, cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "./repository.ts";

/** Debian's `faketime`. */
const library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

export interface ClockedPrograms {
  readonly homcc: string;
  readonly homccd: string;
}

/**
 * homcc and homccd, copied into `folder`, whose agent and server have a wall clock that `setClock` moves. The monotonic one, the files'
 * times and the compilers stay as they are.
 */
export async function clockedPrograms(folder: string): Promise<ClockedPrograms> {
  const [bin, dist] = [join(folder, "bin"), join(folder, "dist")];
  for (const path of [bin, dist]) await mkdir(path, { recursive: true });
  for (const name of ["bin", "dist"])
    await cp(join(repository, name), join(folder, name), { recursive: true, verbatimSymlinks: true });
  const node = join(dist, "node");
  await rm(node);
  const variables = [
    `LD_PRELOAD=${library}`,
    "FAKETIME_DONT_FAKE_MONOTONIC=1",
    "NO_FAKE_STAT=1",
    "FAKETIME_NO_CACHE=1",
    'FAKETIME_TIMESTAMP_FILE="$HOMCC_DIR/clock"',
  ];
  await writeFile(
    node,
    `#!/bin/sh\nexport ${variables.join(" ")}\nexec '${join(repository, "dist/node")}' "$@"\n`,
  );
  await chmod(node, 0o755);
  return { homcc: join(bin, "homcc"), homccd: join(bin, "homccd") };
}

/** From now on the clock of the process whose HOMCC_DIR is `folder` is `hours` before or behind the machine's. */
export async function setClock(folder: string, hours: number): Promise<void> {
  await writeFile(join(folder, "clock"), `${hours < 0 ? "-" : "+"}${Math.abs(hours)}h\n`);
}
