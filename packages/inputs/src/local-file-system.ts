import { statfsSync } from "node:fs";

/**
 * Types of statfs(2) whose changes all go through this machine's kernel, which tells of them. Of an overlay that holds for
 * changes through the overlay; others, below it while it is mounted, the kernel leaves undefined.
 */
const localTypes: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // xfs
  0x9123683e, // btrfs
  0x01021994, // tmpfs
  0x794c7630, // overlayfs
]);

export function isOnLocalFileSystem(path: string): boolean {
  try {
    return localTypes.has(statfsSync(path).type);
  } catch {
    return false;
  }
}
