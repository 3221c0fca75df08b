import { chmod, lutimes, mkdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** One file of a test's project: its text, or what it is. `null` removes it. */
export type FileSpec =
  | string
  | {
      readonly content: string | Uint8Array;
      readonly mode?: number;
      /** Default: the project's time. */
      readonly modified?: string;
    }
  | { readonly symlink: string }
  | { readonly directory: true }
  | null;

/** By path relative to the project's folder. */
export type Files = Readonly<Record<string, FileSpec>>;

/** Old enough that no clock's grain makes it doubtful. */
export const projectTimeMs: number = Date.parse("2024-03-04T05:06:07Z");

/** Writes files below `folder`; `$ROOT` in texts and link targets stands for `folder`. */
export async function writeFiles(
  folder: string,
  files: Files,
  modified: Date = new Date(projectTimeMs),
): Promise<void> {
  for (const [name, spec] of Object.entries(files)) {
    await writeOne(join(folder, name), spec, folder, modified);
  }
}

async function writeOne(path: string, spec: FileSpec, root: string, projectTime: Date): Promise<void> {
  await rm(path, { recursive: true, force: true });
  if (spec === null) return;
  await mkdir(dirname(path), { recursive: true });
  if (typeof spec !== "string" && "directory" in spec) {
    await mkdir(path);
    return;
  }
  if (typeof spec !== "string" && "symlink" in spec) {
    await symlink(spec.symlink.replaceAll("$ROOT", root), path);
    await lutimes(path, projectTime, projectTime);
    return;
  }
  const { content, mode, modified } = typeof spec === "string" ? { content: spec } : spec;
  await writeFile(path, typeof content === "string" ? content.replaceAll("$ROOT", root) : content);
  if (mode !== undefined) await chmod(path, mode);
  const time = modified === undefined ? projectTime : new Date(modified);
  await utimes(path, time, time);
}
