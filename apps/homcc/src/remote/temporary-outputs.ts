import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { processIdentity } from "@homcc/cas/process-identity";

/** Of this process: its names are nobody else's, and a random one for each file costs 0.1 ms. */
const ownPrefix = randomBytes(5).toString("hex");
let nextNumber = 1;

/** Of a project with more, what lies in the others stays there when the agent is killed. */
const maxFolders = 1 << 14;

let journal: FolderJournal | undefined;

/** A new name beside `path`, for an output until it is complete. */
export function temporaryPathFor(path: string): string {
  const folder = dirname(path);
  journal?.note(folder);
  // Dot-file, so that globs of running builds do not pick it up; at most 255 bytes, whatever the output is called.
  const stem = Buffer.from(basename(path))
    .subarray(0, 200)
    .toString("latin1")
    .replaceAll(/[^\w.-]/g, "_");
  return join(folder, `.${stem}.homcc-${ownPrefix}${nextNumber++}`);
}

/**
 * In which folders this process writes outputs, for the next one: an agent that is killed leaves half of an object in a build
 * folder, where nobody else would remove it.
 *
 *     FOLDER/PREFIX-PID:START:BOOT := (JSON string, LF)*       each folder once
 */
class FolderJournal {
  readonly #file: string;
  readonly #noted = new Set<string>();

  constructor(file: string) {
    this.#file = file;
  }

  /** At once, 0.02 ms: the folder is known before anything lies in it. */
  note(folder: string): void {
    if (this.#noted.has(folder) || this.#noted.size >= maxFolders) return;
    this.#noted.add(folder);
    try {
      if (this.#noted.size === 1) mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
      appendFileSync(this.#file, `${JSON.stringify(folder)}\n`, { mode: 0o600 });
    } catch {
      // A full disk. Only who is killed then leaves something.
    }
  }
}

/**
 * Removes what killed processes have left, and from now on notes in `folder` where this one writes. What it
 * resolves with forgets that, when all outputs are complete.
 */
export async function rememberTemporaryOutputs(folder: string): Promise<() => Promise<void>> {
  const own = join(folder, `${ownPrefix}-${await processIdentity(process.pid)}`);
  journal = new FolderJournal(own);
  // Nobody waits for it: what a file system has against it is its own affair, and the next agent tries again.
  void removeLeftOutputs(folder).catch(() => {});
  return () => rm(own, { force: true });
}

async function removeLeftOutputs(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const [, prefix = "", identity = ""] = /^([0-9a-f]{10})-(\d+:\d+:\w+)$/.exec(name) ?? [];
    if (prefix === "" || (await processIdentity(Number.parseInt(identity, 10))) === identity) continue;
    const text = await readFile(join(folder, name), "utf8").catch(() => "");
    for (const line of text.split("\n")) await removeOutputs(parseFolder(line), prefix);
    await rm(join(folder, name), { force: true });
  }
}

async function removeOutputs(folder: string | undefined, prefix: string): Promise<void> {
  if (folder === undefined) return;
  const left = new RegExp(`^\\..*\\.homcc-${prefix}\\d+$`);
  for (const name of await readdir(folder).catch(() => []))
    if (left.test(name)) await rm(join(folder, name), { force: true }).catch(() => {});
}

/** `undefined` for a line that is torn. */
function parseFolder(line: string): string | undefined {
  try {
    const folder: unknown = JSON.parse(line);
    return typeof folder === "string" && folder.startsWith("/") ? folder : undefined;
  } catch {
    return undefined;
  }
}
