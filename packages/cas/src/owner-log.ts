import type { Logger } from "@homcc/observability/log";
import { BlobLog } from "./blob-log.ts";
import { parseDigest, type Digest } from "./digest.ts";
import { keptText, notUnderstood } from "./kept-text.ts";
import type { StorageAccounts } from "./storage-accounts.ts";

/**
 * For whom the blobs of a store count, kept over restarts:
 *
 *     log  := (digest SP [client] LF)*      of several lines for a digest the last counts; the client as in a URL
 *
 * A log that is torn, old or gone costs that and nothing else: blobs count for nobody then.
 */
export function ownerLog(path: string, accounts: StorageAccounts): BlobLog {
  return new BlobLog(path, accounts, (digest) => {
    const owner = accounts.ownerOf(digest);
    return `${digest} ${owner === undefined ? "" : encodeURIComponent(owner)}`;
  });
}

/** What the log at `path` says. A missing one says nothing. */
export async function readOwners(path: string, logger: Logger): Promise<Map<Digest, string>> {
  const owners = new Map<Digest, string>();
  const text = await keptText(path, logger, "latin1");
  let lines = 0;
  for (const line of text.split("\n")) {
    const space = line.indexOf(" ");
    const digest = parseDigest(line.slice(0, Math.max(space, 0)));
    if (digest === undefined) continue;
    lines += 1;
    const client = clientIn(line.slice(space + 1));
    if (client === undefined) owners.delete(digest);
    else owners.set(digest, client);
  }
  if (text !== "" && lines === 0) notUnderstood(path, logger);
  return owners;
}

function clientIn(text: string): string | undefined {
  try {
    return text === "" || text.includes(" ") ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
