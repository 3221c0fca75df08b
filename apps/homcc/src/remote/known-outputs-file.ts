import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { parseDigest, type Digest } from "@homcc/cas/digest";
import { keptTextNow, notUnderstood } from "@homcc/cas/kept-text";
import { replaceFileNow } from "@homcc/cas/replace-file";
import type { Logger } from "@homcc/observability/log";

/** What an agent knows of a file that it has written. */
export interface KnownOutput {
  readonly path: string;
  readonly digest: Digest;
  /** Of the file when it was written. */
  readonly stamp: string;
  /** The server it came from. */
  readonly server: string;
}

/** Read at once by the first job: 4 MB, 30 ms. */
const maxLines = 16_384;

/*
 * file := (JSON array of path, digest, stamp and server, LF)*      oldest first
 *
 * A file that is missing or damaged costs bytes on the wire until the outputs are written anew, and nothing else.
 */

export function loadKnownOutputs(file: string, logger: Logger): KnownOutput[] {
  const text = keptTextNow(file, logger);
  const outputs = text.split("\n").flatMap((line) => parseLine(line) ?? []);
  if (text !== "" && outputs.length === 0) notUnderstood(file, logger);
  return outputs;
}

/** Throws what the file system says. */
export function saveKnownOutputs(file: string, outputs: readonly KnownOutput[]): void {
  const lines = outputs
    .slice(-maxLines)
    .map(({ path, digest, stamp, server }) => `${JSON.stringify([path, digest, stamp, server])}\n`);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  replaceFileNow(file, lines.join(""), 0o600);
}

function parseLine(line: string): KnownOutput | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  const [path, digestText, stamp, server]: unknown[] = value;
  if (typeof path !== "string" || typeof digestText !== "string") return undefined;
  if (typeof stamp !== "string" || typeof server !== "string") return undefined;
  const digest = parseDigest(digestText);
  return digest === undefined ? undefined : { path, digest, stamp, server };
}
