import { basename, dirname } from "node:path";
import type { InputEntry } from "@homcc/cas/action";
import { HomccError } from "@homcc/observability/error";
import { isSharedLibrary, type LayerListing } from "./layer-listing.ts";

/**
 * Refuses an input that would change which programs or libraries a job runs: a client's `as`, a library before the
 * toolchain's own, /etc/ld.so.preload, a `specs` file beside cc1. The job's walls would hold, but the toolchain whose
 * digest was compared would not be the one that compiles, and whatever the command's check refuses came in this way.
 * `entry` is at the place where it really lies. Headers in the toolchain's folders are ordinary inputs.
 */
export function guardToolchain(entry: InputEntry, toolchain: LayerListing): void {
  if (entry.kind !== "directory" && replacesPrograms(entry, toolchain)) {
    throw new HomccError(
      "ERR_HOMCC_REFUSED",
      `the input ${entry.path} would replace a part of the toolchain`,
    );
  }
}

function replacesPrograms(
  { path, ...entry }: Exclude<InputEntry, { kind: "directory" }>,
  toolchain: LayerListing,
): boolean {
  if (entry.kind === "symlink" && toolchain.readLink(path) === entry.target) return false;
  if (path.startsWith("/etc/ld.so.") || toolchain.isFolder(path)) return true;
  if (toolchain.readLink(path) !== undefined) return true;
  // The loader looks there first, if the processor is that new.
  if (path.includes("/glibc-hwcaps/")) return true;
  // clang's configuration files of the whole system hold options, also those that load plug-ins.
  if (path.startsWith("/etc/clang")) return true;
  // Both are looked for in folders below those of a toolchain that need not be there: gcc's `specs`, and libraries for newer processors.
  if ((basename(path) === "specs" || isSharedLibrary(basename(path))) && isAmong(dirname(path), toolchain))
    return true;
  if (!toolchain.holdsPrograms(dirname(path))) return false;
  // Distributions keep links to folders of headers among their libraries.
  return entry.kind === "file" || toolchain.has(path) || isReadByPrograms(basename(path));
}

/** The root itself holds everything. */
function isAmong(folder: string, toolchain: LayerListing): boolean {
  return folder !== "/" && (toolchain.isFolder(folder) || isAmong(dirname(folder), toolchain));
}

/** By the loader, by gcc, by clang. */
function isReadByPrograms(name: string): boolean {
  return isSharedLibrary(name) || name === "specs" || name.endsWith(".cfg");
}
