import { chmod, mkdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { configurationFolders } from "@homcc/config/files";
import { HomccError } from "@homcc/observability/error";

export interface HostsPlace {
  /** Where pairings are kept too. */
  readonly folder: string;
  /** Behind links. */
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** What counted before and does not any more, once the file is there. */
  readonly hides: string | undefined;
}

const systemFolder = "/etc/homcc";

/** The hosts file of the user's own that counts, or the one that is to be made. */
export async function findHostsPlace(
  environment: Readonly<Record<string, string>>,
  cwd: string,
): Promise<HostsPlace> {
  const all = configurationFolders(environment, cwd, systemFolder);
  const own = all.filter((folder) => folder !== systemFolder);
  const [first] = own;
  if (first === undefined) {
    throw new HomccError("ERR_HOMCC_CONFIGURATION", "this user has no folder of its own", {
      hint: "set HOME, or HOMCC_DIR",
    });
  }
  const used = await firstOf(all, async (folder) => (await textOf(join(folder, "hosts"))).trim() !== "");
  const isNamed = (environment["HOMCC_DIR"] ?? "") !== "";
  const folder =
    used !== undefined && own.includes(used) && (!isNamed || used === first)
      ? used
      : isNamed
        ? first
        : ((await firstOf(own, isFolder)) ?? first);
  const path = await realpath(join(folder, "hosts")).catch(() => join(folder, "hosts"));
  const mode = await stat(path).then(
    (stats) => stats.mode & 0o777,
    () => 0o644,
  );
  const hides = used === undefined || used === folder ? undefined : join(used, "hosts");
  return { folder, path, text: await textOf(path), mode, hides };
}

/** Only what is made anew is closed to others. */
export async function makeOwnFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (made !== undefined) await chmod(folder, 0o700);
}

async function firstOf(
  folders: readonly string[],
  test: (folder: string) => Promise<boolean>,
): Promise<string | undefined> {
  for (const folder of folders) if (await test(folder)) return folder;
  return undefined;
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return "";
    throw new HomccError("ERR_HOMCC_CONFIGURATION", `${path} cannot be read`, { cause: error });
  }
}
