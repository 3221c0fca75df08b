import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file system of its own that a test fills up. Needs root. */
export interface SmallDisk extends AsyncDisposable {
  readonly folder: string;
  /** Leaves so much room, by a file that takes the rest. */
  leave(bytes: number): Promise<void>;
  /** There is room again. */
  clear(): void;
}

export function mountSmallDisk(size: string): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), "homcc-small-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=0755`, "homcc-test", folder]);
  const filler = join(folder, "lost+found");
  const clear = (): void => rmSync(filler, { force: true });
  return {
    folder,
    clear,
    leave: async (bytes) => {
      clear();
      const { bavail, bsize } = await statfs(folder);
      try {
        writeFileSync(filler, new Uint8Array(Math.max(0, bavail * bsize - bytes)));
      } catch {
        // Somebody else was writing: there is less.
      }
    },
    [Symbol.asyncDispose]: async () => {
      clear();
      // What has just ended may have held it a moment longer.
      execFileSync("umount", ["--lazy", folder]);
      rmSync(folder, { recursive: true });
    },
  };
}
