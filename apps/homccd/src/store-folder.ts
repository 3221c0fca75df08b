import { mkdir, readdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { HomccError } from "@homcc/observability/error";

/** What a homccd has in its store, and what a disk of its own has. */
const ownEntries =
  /^(?:blobs|control|results|result-index(?:\.new)?|sha1-index(?:\.new)?|v1-sessions|door|mapped|probes|sandboxes|seen|sessions|toolchains|toolchain-manifests|toolchain-folders(?:\.new)?|runner(?:\.new)?|toolchain-file-digests.*|lost\+found)$/;

/** Makes the folder and those above it, one by one: Node's own way never ends in a folder that takes no entries (/proc). */
export async function makeStoreFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o755 });
  } catch (error) {
    const code = codeOf(error);
    if (code === "EEXIST" && (await stat(folder)).isDirectory()) return;
    if (code !== "ENOENT" || (await exists(dirname(folder)))) throw error;
    await makeStoreFolder(dirname(folder));
    await mkdir(folder, { mode: 0o755 });
  }
}

/** Rejects when there is anything that is not a homccd's: a folder that was named by mistake must not change hands. */
export async function requireStore(folder: string): Promise<void> {
  const foreign = (await readdir(folder)).find((name) => !ownEntries.test(name));
  if (foreign === undefined) return;
  throw new HomccError("ERR_HOMCC_CONFIGURATION", `${folder} is no store of a homccd: it holds ${foreign}`, {
    hint: "choose an empty folder, or one that does not exist, with --store",
  });
}

/** Runs a step of opening the store; what the system says against it becomes an error that names the store. */
export async function usingStore<Result>(folder: string, step: () => Promise<Result>): Promise<Result> {
  try {
    return await step();
  } catch (cause) {
    if (cause instanceof HomccError || codeOf(cause) === undefined) throw cause;
    throw new HomccError("ERR_HOMCC_CONFIGURATION", `the store ${folder} cannot be used`, {
      hint: "it has to be a folder that homccd's account may read and write, with room; choose one with --store",
      cause,
    });
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
