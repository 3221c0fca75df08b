import { posix } from "node:path";
import type { Toolchain } from "@homcc/compiler/toolchain";

/**
 * Where systems keep compilers, what those load, and what everybody may know. Not /home, /root, /var, /run, /tmp, /proc, nor the rest of
 * /etc: a job without a root of its own runs as homccd's account, whose keys and store lie there.
 */
const systemPlaces: readonly string[] = [
  "/usr",
  "/bin",
  "/sbin",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/opt",
  "/nix/store",
  "/gnu/store",
  "/etc/alternatives",
  "/etc/clang",
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/localtime",
  "/etc/locale.alias",
  "/proc/cpuinfo",
  "/proc/meminfo",
  "/sys/devices/system/cpu",
];

/** For jobs with a toolchain of this machine: those places, and the toolchain's files that lie elsewhere. */
export function placesOf(toolchain: Pick<Toolchain, "entries"> | undefined): readonly string[] {
  const elsewhere = (toolchain?.entries ?? []).flatMap((entry) =>
    entry.kind === "file" && !isBelow(entry.path, systemPlaces) ? [entry.path] : [],
  );
  return [...systemPlaces, ...elsewhere];
}

/** For jobs in a sandbox, whose compilers are found through `path`: a folder `bin` stands for what is installed around it. */
export function placesInSandbox(path: string): readonly string[] {
  const folders = path.split(":").filter((folder) => folder.startsWith("/"));
  const around = folders.map((folder) =>
    /^s?bin$/.test(posix.basename(folder)) ? posix.dirname(posix.normalize(folder)) : folder,
  );
  return [...systemPlaces, ...folders, ...around.filter((folder) => folder !== "/")];
}

function isBelow(path: string, places: readonly string[]): boolean {
  return places.some((place) => path === place || path.startsWith(`${place}/`));
}
