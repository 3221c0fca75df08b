import { open } from "node:fs/promises";
import { posix } from "node:path";
import { FileDigests } from "@homcc/cas/file-digests";
import type { Step } from "@homcc/cas/action";
import type { ToolchainEntry } from "@homcc/compiler/toolchain";

/** C libraries that load modules and data of their own build by name. */
const libraryName = /^libc\.so\.\d+$/;

/** Options for which a compiler's C library loads a module. UTF-8 it knows itself, and that is the default. */
const charsetOption = /^-f(?:input|exec|wide-exec)-charset=(?!utf-?8$)/i;

/** Of these the library has the data itself. */
const builtInLocale = /^(?:C|POSIX|C\.utf-?8)$/i;

const digests = new FileDigests();

/**
 * Whether a toolchain brings another C library than this server's at that path. Jobs see the server's character sets and
 * locales (`findSharedFolders`), which are that library's own: with another one they need not fit.
 */
export async function bringsLibrary(entries: readonly ToolchainEntry[]): Promise<boolean> {
  for (const entry of entries) {
    if (entry.kind !== "file" || !libraryName.test(posix.basename(entry.path))) continue;
    if ((await digestAt(entry.path)) !== entry.digest) return true;
  }
  return false;
}

/** The option of a job that needs a module of the C library; such a job is the client's own. */
export function charsetOptionOf(steps: readonly Pick<Step, "argv">[]): string | undefined {
  return steps.flatMap(({ argv }) => argv).find((word) => charsetOption.test(word));
}

/** Whether messages come out as at home although the library's data is not. */
export function isBuiltInLocale(locale: string | undefined): boolean {
  return locale === undefined || builtInLocale.test(locale);
}

async function digestAt(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, "r");
    return await digests.digestOf(file);
  } catch {
    return undefined;
  }
}
