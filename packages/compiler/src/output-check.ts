import { basename, dirname, isAbsolute } from "node:path";
import type { FileProbe } from "./file-probe.ts";

/**
 * The first output that cannot be put in place by a rename: a device, a pipe, a folder, a link, or one in a folder that
 * is missing or not writable. The local compiler then does, or says, what is right.
 */
export async function specialOutput(
  outputs: readonly string[],
  cwd: string,
  probe: FileProbe,
): Promise<string | undefined> {
  const folders = [...new Set(outputs.map((output) => dirname(absolute(output, cwd))))];
  const [places, writable] = await Promise.all([
    Promise.all(outputs.map((output) => probe.kind(absolute(output, cwd)))),
    Promise.all(folders.map((folder) => probe.isWritableFolder(folder))),
  ]);
  const special = outputs.find((output, index) => {
    const kind = places[index];
    return basename(output) === "" || output.endsWith("/") || (kind !== "file" && kind !== "absent");
  });
  return special ?? folders.find((_, index) => writable[index] !== true);
}

/** Not normalised: `link/../f` is another file than `f`. */
export function absolute(path: string, cwd: string): string {
  return isAbsolute(path) ? path : `${cwd}/${path}`;
}
