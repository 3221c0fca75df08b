import type { Logger } from "@homcc/observability/log";
import { BlobLog, type LoggedBlobs } from "./blob-log.ts";
import { parseDigest, type Digest } from "./digest.ts";
import { keptText, notUnderstood } from "./kept-text.ts";

/**
 * In which order the blobs of a store were used, kept over restarts:
 *
 *     log  := (digest LF)*      oldest use first; of several lines for a digest the last counts
 *
 * Digests that are gone are ignored: a log that is torn, old or gone costs order and nothing else.
 */
export function recencyLog(path: string, order: LoggedBlobs): BlobLog {
  return new BlobLog(path, order, (digest) => digest);
}

/** What the log at `path` says, oldest use first. A missing one says nothing. */
export async function readRecency(path: string, logger: Logger): Promise<Set<Digest>> {
  const order = new Set<Digest>();
  const text = await keptText(path, logger, "latin1");
  for (const line of text.split("\n")) {
    const digest = parseDigest(line);
    if (digest === undefined) continue;
    order.delete(digest);
    order.add(digest);
  }
  if (text !== "" && order.size === 0) notUnderstood(path, logger);
  return order;
}
