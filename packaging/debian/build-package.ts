import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { run } from "../scratch.ts";
import { renderControlFile } from "./control-file.ts";
import { layOutControlFiles, layOutFiles, type LayoutFacts } from "./file-layout.ts";
import type { DebianPackage } from "./package-table.ts";

export type Compression = "xz" | "gzip";

/**
 * `xz -1`: 32 MB in 20 s of one processor; `gzip -1`: 46 MB in 3 s, for tests. `zstd -1` makes 44 MB in 0.7 s, but the dpkg of
 * Debian 11 cannot read it, and lintian 2.116 takes it for damage.
 */
const compressionWords: Readonly<Record<Compression, readonly string[]>> = {
  xz: ["-Zxz", "-z1"],
  gzip: ["-Zgzip", "-z1"],
};

/** Makes OUTPUT/NAME.deb and returns its path. `scratch` is a folder in the same file system, for nobody else. */
export async function buildDebianPackage(
  item: DebianPackage,
  facts: LayoutFacts & { readonly version: string; readonly compression: Compression },
  { scratch, output }: { readonly scratch: string; readonly output: string },
): Promise<string> {
  const root = join(scratch, item.name);
  await layOutFiles(root, item.name, facts);
  const files = await setModes(root);
  const control = join(root, "DEBIAN");
  await mkdir(control);
  await layOutControlFiles(control, item.name);
  await writeFile(join(control, "md5sums"), await checksums(root, files));
  await writeFile(
    join(control, "control"),
    renderControlFile(item, {
      version: facts.version,
      maintainer: facts.maintainer,
      architecture: (await run("dpkg", ["--print-architecture"])).trim(),
      installedBytes: await totalBytes(files),
    }),
  );
  const made = join(scratch, `${item.name}.deb`);
  await run("dpkg-deb", [
    "--root-owner-group",
    ...compressionWords[facts.compression],
    "--build",
    root,
    made,
  ]);
  const path = join(output, `${item.name}.deb`);
  await rename(made, path);
  return path;
}

/** Whatever umask and clone have made of them: folders 755, programs 755, all else 644. Returns the files. */
async function setModes(root: string): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(path, 0o755);
    if (!entry.isFile()) continue;
    files.push(path);
    const isProgram = /\/bin\/[^/]*$|\/dist\/(?:node|runner)$/.test(path);
    await chmod(path, isProgram ? 0o755 : 0o644);
  }
  await chmod(root, 0o755);
  return files.sort();
}

async function checksums(root: string, files: readonly string[]): Promise<string> {
  const lines = files
    .filter((path) => !relative(root, path).startsWith("etc/"))
    .map(async (path) => {
      const digest = createHash("md5")
        .update(await readFile(path))
        .digest("hex");
      return `${digest}  ${relative(root, path)}\n`;
    });
  return (await Promise.all(lines)).join("");
}

async function totalBytes(files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (path) => (await stat(path)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
