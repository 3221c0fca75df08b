import { createReadStream } from "node:fs";
import { lstat, stat } from "node:fs/promises";
import { type Digest, DigestBuilder, sizeBytesOf } from "@homcc/cas/digest";

interface KnownFile {
  readonly stamp: string;
  readonly digest: Digest;
}

/** Forgotten all at once when full: a server's headers are some 10,000. */
const maxKnownFiles = 50_000;

/** Compares the server's own files with the client's, reading each once per change. */
export class SystemFiles {
  readonly #known = new Map<string, KnownFile>();

  async has(path: string, digest: Digest): Promise<boolean> {
    const status = await stat(path, { bigint: true }).catch(() => undefined);
    if (status === undefined || !status.isFile() || status.size !== BigInt(sizeBytesOf(digest))) return false;
    const stamp = `${status.dev}:${status.ino}:${status.mtimeNs}:${status.ctimeNs}`;
    const known = this.#known.get(path);
    if (known?.stamp === stamp) return known.digest === digest;
    const found = await digestFile(path);
    if (this.#known.size >= maxKnownFiles) this.#known.clear();
    this.#known.set(path, { stamp, digest: found });
    return found === digest;
  }

  async exists(path: string): Promise<boolean> {
    return (await lstat(path).catch(() => undefined)) !== undefined;
  }
}

async function digestFile(path: string): Promise<Digest> {
  const builder = new DigestBuilder();
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) builder.update(chunk);
  return builder.finish();
}
