import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";

/** Removes a folder with everything in it, also what its owner may not search, such as the rests of an overlay. */
export async function removeFolder(folder: string): Promise<void> {
  // Fails on what somebody else owns; then removing says so.
  await promisify(execFile)("chmod", ["-R", "u+rwX", folder]).catch(() => {});
  await rm(folder, { recursive: true, force: true });
}
