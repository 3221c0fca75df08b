import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Digest, digestOf } from "@homcc/cas/digest";
import { HomccError } from "@homcc/observability/error";

/** About 20 MB. */
const maxKnown = 100_000;

/** SHA-1 of files, by which homcc 1.x names them; each content is read for it once. */
export class FileSums {
  readonly #known = new Map<Digest, string>();

  /** Rejects with ERR_HOMCC_INPUT_CHANGED when the file does not have the bytes of `digest` any more. */
  async of(digest: Digest, path: string): Promise<string> {
    const known = this.#known.get(digest);
    if (known !== undefined) return known;
    const sum = createHash("sha1")
      .update(await readUnchanged(digest, path))
      .digest("hex");
    if (this.#known.size >= maxKnown) this.#known.clear();
    this.#known.set(digest, sum);
    return sum;
  }
}

export async function readUnchanged(digest: Digest, path: string): Promise<Buffer> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new HomccError("ERR_HOMCC_INPUT_CHANGED", `${path} cannot be read any more`, { cause });
  });
  if (digestOf(bytes) === digest) return bytes;
  throw new HomccError("ERR_HOMCC_INPUT_CHANGED", `${path} changed while it was sent`);
}
