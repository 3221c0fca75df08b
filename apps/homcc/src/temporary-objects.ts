import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import type { CompilerFamily } from "@homcc/compiler/compilation";

/**
 * Where the objects of one compile-and-link command wait for the linker. Their names are those a driver would give its
 * own temporary objects, because linkers print them: `/tmp/ccQ3fX9a.o` (gcc), `/tmp/lonely-5f3a9c.o` (clang).
 */
export class TemporaryObjects implements AsyncDisposable {
  readonly #folder: string;
  readonly #paths: string[] = [];

  /** In the order in which they were asked for. */
  get paths(): readonly string[] {
    return this.#paths;
  }

  /** `temporaryFolder` is the caller's TMPDIR. */
  constructor(temporaryFolder: string | undefined) {
    this.#folder = temporaryFolder?.startsWith("/") === true ? temporaryFolder : "/tmp";
  }

  /** A new name for the object of `source`; nothing exists there yet. */
  objectPath(source: string, family: CompilerFamily): string {
    const stem = basename(source, extname(source));
    const name = family === "gcc" ? `cc${randomLetters()}.o` : `${stem}-${randomBytes(3).toString("hex")}.o`;
    const path = join(this.#folder, name);
    this.#paths.push(path);
    return path;
  }

  /** Call it when the linker has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#paths.map((path) => rm(path, { force: true })));
  }
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/** Six of 62 letters, as mkstemp(3) has them. */
function randomLetters(): string {
  return [...randomBytes(6)].map((byte) => letters.charAt(byte % letters.length)).join("");
}
