import { randomBytes } from "node:crypto";
import { appendFile, chmod, copyFile, mkdir, readdir, rename, symlink } from "node:fs/promises";
import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { runCommand } from "./command.ts";
import { systemPath } from "./workplace.ts";

/** A gcc for C in a folder that a homccd, which is started as root and serves as another user, cannot look into. */
export interface ForeignCompiler {
  readonly driver: string;
  readonly cc1: string;
  /** As a package manager does: another file in its place, with `bytes` more than now. */
  upgrade(bytes: number): Promise<void>;
}

/** This machine's gcc in `folder`, with `bytes` at the end of its cc1 that no other has. Needs root. */
export async function makeForeignCompiler(folder: string, bytes: number): Promise<ForeignCompiler> {
  const own = realpathSync("/usr/bin/gcc");
  const { stdout } = await runCommand([own, "-print-prog-name=cc1"], {
    cwd: "/",
    environment: { PATH: systemPath },
  });
  const parts = dirname(stdout.trim());
  const driver = join(folder, "bin", basename(own));
  const library = join(folder, "lib/gcc", basename(dirname(parts)), basename(parts));
  await mkdir(dirname(driver), { recursive: true });
  await mkdir(library, { recursive: true });
  await chmod(folder, 0o700);
  await copyFile(own, driver);
  const cc1 = join(library, "cc1");
  await copyFile(join(parts, "cc1"), cc1);
  for (const name of [
    "include",
    ...(await readdir(parts)).filter((file) => file.startsWith("liblto_plugin")),
  ])
    await symlink(join(parts, name), join(library, name));
  const upgrade = async (more: number): Promise<void> => {
    await copyFile(cc1, `${cc1}.new`);
    await appendFile(`${cc1}.new`, randomBytes(more));
    await rename(`${cc1}.new`, cc1);
  };
  if (bytes > 0) await upgrade(bytes);
  return { driver, cc1, upgrade };
}
