import { chmod, readFile, realpath, rename, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { errnoOf } from "@homcc/cas/errno";
import { HomccError } from "@homcc/observability/error";

/** More are no list that a person keeps. */
const maxFolders = 256;
const fileName = "toolchain-folders";

/**
 * Folders of this machine in which a client's toolchain is looked for: unpacked distributions, compilers in /opt. One absolute path a
 * line, in the store. A running homccd reads it whenever a client offers a toolchain.
 */
export class RegisteredFolders {
  readonly #file: string;

  /** `store`: homccd's folder. */
  constructor(store: string) {
    this.#file = join(store, fileName);
  }

  /** A file that is not there, or that nobody may read, names none. */
  async list(): Promise<readonly string[]> {
    return foldersIn(await this.#lines().catch(() => []));
  }

  /** Gives the real path that was added. */
  async add(path: string, cwd: string): Promise<string> {
    const folder = await realpath(resolve(cwd, path)).catch(() => undefined);
    if (folder === undefined || !(await stat(folder)).isDirectory() || folder.includes("\n")) {
      throw wrong(`${path} is no folder`, "name a folder such as /opt/gcc-14 or an unpacked distribution");
    }
    if (folder === "/") throw wrong("/ cannot be added", "files of this system are looked at without it");
    const lines = await this.#lines();
    const folders = foldersIn(lines);
    if (folders.includes(folder)) return folder;
    if (folders.length >= maxFolders) throw wrong(`more than ${maxFolders} folders`, "remove some");
    await this.#write([...lines, folder]);
    return folder;
  }

  /** Also of a folder that is gone. Gives the path that was removed. */
  async remove(path: string, cwd: string): Promise<string> {
    const named = resolve(cwd, path);
    const place = await realpath(named).catch(() => named);
    const lines = await this.#lines();
    const folders = foldersIn(lines);
    const removed = [place, named].find((folder) => folders.includes(folder));
    if (removed === undefined) {
      throw wrong(`${path} is not in the list`, "homccd toolchain list shows what is");
    }
    await this.#write(lines.filter((line) => line !== removed));
    return removed;
  }

  /** Also those that are no folders: remarks, and what another version has there. */
  async #lines(): Promise<readonly string[]> {
    try {
      return (await readFile(this.#file, "utf8")).split("\n").filter((line) => line !== "");
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT" || errnoOf(cause) === "ENOTDIR") return [];
      throw new HomccError("ERR_HOMCC_CONFIGURATION", `${this.#file} cannot be read`, {
        hint: "it is a list of folders, one a line, which is not written as long as nobody knows what is in it",
        cause,
      });
    }
  }

  async #write(lines: readonly string[]): Promise<void> {
    try {
      await writeFile(`${this.#file}.new`, lines.map((line) => `${line}\n`).join(""));
      // Whoever writes it, homccd's own account reads it.
      await chmod(`${this.#file}.new`, 0o644);
      await rename(`${this.#file}.new`, this.#file);
    } catch (cause) {
      throw new HomccError("ERR_HOMCC_CONFIGURATION", `${this.#file} cannot be written`, {
        hint: "start homccd once, and call this as its account or as root, with the same --store",
        cause,
      });
    }
  }
}

function foldersIn(lines: readonly string[]): readonly string[] {
  return [...new Set(lines.filter((line) => line.startsWith("/")))].slice(0, maxFolders);
}

function wrong(message: string, hint: string): HomccError {
  return new HomccError("ERR_HOMCC_CONFIGURATION", message, { hint });
}
