import { cp, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { version } from "@homcc/config/version";
import type { Difference } from "./comparison.ts";
import { flagSignature } from "./flag-signature.ts";
import type { Answer, AuditSubject } from "./subject.ts";

const maxBundles = 8;
const maxBundleBytes = 256 << 20;

/**
 * Leaves everything that says why two compiles differ in a folder of its own below `folder`, and removes the oldest ones there.
 * Of the environment only what travels to servers; no source text. Resolves to the folder.
 */
export async function writeBundle(
  folder: string,
  subject: AuditSubject,
  ours: Answer,
  differences: readonly Difference[],
  nowMs: number,
): Promise<string> {
  const time = new Date(nowMs).toISOString().replaceAll(/[:.]/g, "-");
  const bundle = join(folder, `${time}-${basename(subject.compilation.source).replaceAll(/[^\w.-]/g, "_")}`);
  await mkdir(bundle, { recursive: true, mode: 0o700 });
  const [there, here] = [
    await keepAnswer(join(bundle, "server"), subject.answer),
    await keepAnswer(join(bundle, "here"), ours),
  ];
  const { action, compilation, compilerPath, compilerVersion, driver, family, from } = subject;
  const report = {
    differences: differences.map(({ detail }) => detail),
    server: from,
    homcc: version,
    compiler: { path: compilerPath, driver, version: compilerVersion, toolchain: action.toolchain },
    flags: flagSignature(compilation, family),
    command: compilation.argv,
    steps: action.steps,
    cwd: action.cwd,
    umask: action.umask.toString(8),
    environment: action.environment,
    terminal: action.terminal,
    results: { server: there, here },
    inputs: action.inputs.map((entry) =>
      entry.kind === "file" ? { ...entry, mtimeNs: String(entry.mtimeNs) } : entry,
    ),
    absent: action.absent,
  };
  await writeFile(join(bundle, "report.json"), `${JSON.stringify(report, undefined, 2)}\n`, { mode: 0o600 });
  await removeOldest(folder);
  return bundle;
}

/** Both texts and the outputs, numbered, because outputs of two folders may have one name. */
async function keepAnswer(
  folder: string,
  { status, stdout, stderr, produced, undeclared }: Answer,
): Promise<object> {
  await mkdir(folder, { mode: 0o700 });
  await writeFile(join(folder, "stdout"), stdout);
  await writeFile(join(folder, "stderr"), stderr);
  let keptBytes = 0;
  const outputs: object[] = [];
  for (const [index, output] of produced.entries()) {
    if (output.kind === "removed") {
      outputs.push(output);
      continue;
    }
    const { size } = await stat(output.file);
    keptBytes += size;
    const file = `${index}-${basename(output.path)}`;
    const isKept = keptBytes <= maxBundleBytes / 2;
    if (isKept) await cp(output.file, join(folder, file));
    const { path, mode } = output;
    outputs.push({
      kind: "written",
      path,
      mode: mode.toString(8),
      sizeBytes: size,
      file: isKept ? file : null,
    });
  }
  return { status, outputs, undeclared };
}

/** Their names begin with their time. */
async function removeOldest(folder: string): Promise<void> {
  const names = (await readdir(folder)).toSorted();
  for (const name of names.slice(0, Math.max(0, names.length - maxBundles)))
    await rm(join(folder, name), { recursive: true, force: true });
}
