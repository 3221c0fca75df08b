import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Where the objects of one compile-and-link command wait for the linker, as a driver's own temporary objects do. */
export class TemporaryObjects implements AsyncDisposable {
  readonly #folder = join("/tmp", `homcc-${randomBytes(8).toString("hex")}`);
  #created = false;

  /** Where the object of the command's source `index` goes; nothing exists there before `create`. */
  objectPath(index: number): string {
    return join(this.#folder, `${index}.o`);
  }

  async create(): Promise<void> {
    // Not recursive: a folder that somebody else made in /tmp under that name must not be taken over.
    await mkdir(this.#folder, { mode: 0o700 });
    this.#created = true;
  }

  /** Call it when the linker has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#created) await rm(this.#folder, { recursive: true, force: true });
  }
}
