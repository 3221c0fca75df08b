import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const corpusFolder = join(import.meta.dirname, "corpus");

export interface CorpusEntry {
  readonly path: string;
  readonly bytes: Buffer;
}

/** The kept inputs of a target: reproducers of what was found, and inputs that reach what others do not. */
export function readCorpus(target: string): CorpusEntry[] {
  const folder = join(corpusFolder, target);
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => ({ path: join(folder, name), bytes: readFileSync(join(folder, name)) }));
  } catch {
    return [];
  }
}

/** Puts an input into the repository, named after its content; gives its path. */
export function keep(target: string, kind: "finding" | "reach", input: Uint8Array): string {
  const folder = join(corpusFolder, target);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${kind}-${createHash("sha256").update(input).digest("hex").slice(0, 12)}`);
  writeFileSync(path, input);
  return path;
}
