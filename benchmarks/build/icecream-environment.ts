import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, mkdtemp, readFile, rename, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { removeFolder } from "../../test/support/remove-folder.ts";
import type { Farm } from "./contender.ts";
import { buildReplayCompiler, replayCompilerSource } from "./replay-compiler.ts";

/**
 * What icecream sends to a server that does not have it yet: this machine's compiler as `icecc-create-env` packs it, so that
 * it is as large as ever, but with a driver that replays. Kept beside the recording; made in some 20 seconds.
 */
export async function icecreamEnvironment(farm: Farm): Promise<string> {
  const digest = createHash("sha256").update(await readFile(replayCompilerSource));
  const archive = `${farm.recording}.icecream-${digest.digest("hex").slice(0, 12)}.tar.gz`;
  const run = promisify(execFile);
  const folder = await mkdtemp(join(farm.folder, "environment-"));
  try {
    if (await isThere(archive)) return archive;
    await run("icecc-create-env", ["/usr/bin/gcc", "/usr/bin/g++"], { cwd: folder, maxBuffer: 1 << 24 });
    const packed = (await readdir(folder)).find((name) => name.endsWith(".tar.gz")) ?? "";
    const tree = join(folder, "tree");
    await run("mkdir", [tree]);
    await run("tar", ["-xzf", join(folder, packed), "-C", tree]);
    const driver = await buildReplayCompiler(farm, join(folder, "bin"), ["-static"]);
    for (const name of ["gcc", "g++"]) await copyFile(driver, join(tree, "usr/bin", name));
    const made = join(folder, "made.tar.gz");
    await run("tar", ["-czf", made, "-C", tree, ...(await readdir(tree))]);
    await rename(made, archive);
    return archive;
  } finally {
    await removeFolder(folder);
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await readdir(join(path, ".."))).some((name) => path.endsWith(`/${name}`));
}
