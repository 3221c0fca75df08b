/**
 * Makes the programs that a user runs: one bundle per entry in dist/, `dist/node` and the shell script `bin/homccd`.
 * A file is written only when its content changed, and renamed into place: a running agent is retired by a new
 * identity of its bundle, and a build that is going on never sees half a program.
 */
import { mkdir, readFile, readlink, rename, symlink, unlink, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");

const bundles = [
  { entry: "apps/homcc/src/agent.ts", output: "dist/agent.mjs" },
  { entry: "apps/homcc/src/without-agent.ts", output: "dist/without-agent.mjs" },
  { entry: "apps/homcc/src/doctor.ts", output: "dist/doctor.mjs" },
  { entry: "apps/homcc/src/audit/local-run-program.ts", output: "dist/local-run.mjs" },
  { entry: "apps/homcc/src/main.ts", output: "dist/homcc.mjs" },
  { entry: "apps/homccd/src/main.ts", output: "dist/homccd.mjs" },
];

/** Finds its own folder through links of any name, so that it works from every working folder. */
const serverScript = `#!/bin/sh
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
exec "$root/dist/node" "$root/dist/homccd.mjs" "$@"
`;

await mkdir(join(root, "dist"), { recursive: true });
await mkdir(join(root, "bin"), { recursive: true });
await link(nodeBinary(), join(root, "dist/node"));
await replace(join(root, "bin/homccd"), serverScript, 0o755);
for (const { entry, output } of bundles) await bundle(entry, output);

function nodeBinary(): string {
  return join(root, `node_modules/node-linux-${process.arch}/bin/node`);
}

async function bundle(entry: string, output: string): Promise<void> {
  const result = await build({
    entryPoints: [join(root, entry)],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    // V8 keeps the text: half as long without comments, and with a byte a character once no comment has a "µ".
    minifyWhitespace: true,
    lineLimit: 120,
    absWorkingDir: root,
    logLevel: "warning",
    write: false,
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error(`esbuild made nothing of ${entry}`);
  await replace(join(root, output), file.text, 0o644);
}

async function replace(path: string, text: string, mode: number): Promise<void> {
  const present = await readFile(path, "utf8").catch(() => undefined);
  if (present === text) return;
  const temporaryPath = `${path}.${process.pid}`;
  await writeFile(temporaryPath, text, { mode });
  await rename(temporaryPath, path);
}

/** Relative, so that the whole folder can be moved. */
async function link(target: string, path: string): Promise<void> {
  const relativeTarget = relative(join(path, ".."), target);
  const present = await readlink(path).catch(() => undefined);
  if (present === relativeTarget) return;
  if (present !== undefined) await unlink(path);
  await symlink(relativeTarget, path);
}
