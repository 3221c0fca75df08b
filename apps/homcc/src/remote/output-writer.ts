import { fchmodSync } from "node:fs";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { HomccError } from "@homcc/observability/error";
import { temporaryPathFor } from "./temporary-outputs.ts";

type State =
  | { readonly kind: "unopened" }
  /** A promise, so that `discard` also closes a file that is just being made. */
  | { readonly kind: "open"; readonly file: Promise<FileHandle> }
  | { readonly kind: "complete" }
  | { readonly kind: "done" };

/**
 * Writes one output file so that nobody ever sees half of it: a temporary name in the same folder, then a rename.
 * The file gets a fresh mtime and a new inode, as from a local compiler that replaces its output.
 */
export class OutputWriter {
  readonly path: string;
  readonly mode: number;
  /** Where the bytes are until `commit`. */
  readonly temporaryPath: string;
  #state: State = { kind: "unopened" };

  constructor(path: string, mode: number) {
    this.path = path;
    this.mode = mode;
    this.temporaryPath = temporaryPathFor(path);
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      const file = await this.#open();
      let writtenBytes = 0;
      while (writtenBytes < chunk.byteLength) {
        const { bytesWritten } = await file.write(chunk, writtenBytes);
        writtenBytes += bytesWritten;
      }
    } catch (error) {
      throw outputError(this.path, error);
    }
  }

  /** All bytes arrived: the content is complete under its temporary name. */
  async finish(): Promise<void> {
    try {
      const file = await this.#open();
      await file.close();
      if (this.#state.kind === "open") this.#state = { kind: "complete" };
    } catch (error) {
      throw outputError(this.path, error);
    }
  }

  /** Puts the finished file in its place. */
  async commit(): Promise<void> {
    try {
      await rename(this.temporaryPath, this.path);
      this.#state = { kind: "done" };
    } catch (error) {
      throw outputError(this.path, error);
    }
  }

  /** Leaves nothing behind; harmless after `commit`. */
  async discard(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: "done" };
    if (state.kind === "open") await state.file.then((file) => file.close()).catch(() => {});
    if (state.kind === "open" || state.kind === "complete") await unlink(this.temporaryPath).catch(() => {});
  }

  #open(): Promise<FileHandle> {
    if (this.#state.kind === "open") return this.#state.file;
    if (this.#state.kind !== "unopened") throw new Error(`output ${this.path} is written after its end`);
    const file = this.#make();
    this.#state = { kind: "open", file };
    return file;
  }

  /** The agent's umask is private; the mode is the one the compiler left under the caller's umask. */
  async #make(): Promise<FileHandle> {
    const file = await open(this.temporaryPath, "wx", 0o600);
    try {
      // At once, while the file is empty: a hop to the thread pool and back costs 0.05 ms.
      fchmodSync(file.fd, this.mode);
      return file;
    } catch (error) {
      await file.close();
      await unlink(this.temporaryPath);
      throw error;
    }
  }
}

function outputError(path: string, cause: unknown): HomccError {
  return new HomccError("ERR_HOMCC_OUTPUT", `cannot write ${path}`, { cause });
}
