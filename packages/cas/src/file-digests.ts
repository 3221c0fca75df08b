import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { systemClock, type Clock } from "@homcc/observability/clock";
import { DigestBuilder, type Digest } from "./digest.ts";
import { PackedDigests } from "./packed-digests.ts";

const pieceBytes = 256 * 1024;
/** A file changed this recently may change again without a new time stamp; the coarsest file systems count in 2 s. */
const grainMs = 2_000;

/** Digests of files on this machine, computed again only when inode, size or a time stamp has changed. */
export class FileDigests {
  readonly #clock: Clock;
  readonly #known = new PackedDigests();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  async digestOf(file: FileHandle): Promise<Digest> {
    const stats = await file.stat({ bigint: true });
    const identity = `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
    const known = this.#known.get(identity);
    if (known !== undefined) return known;
    const digest = await hash(file);
    if (this.#isSettled(stats)) this.#known.add(identity, digest);
    return digest;
  }

  #isSettled(stats: BigIntStats): boolean {
    return this.#clock.wallMs() - Number(stats.ctimeMs) > grainMs;
  }
}

/** What an open file holds, from its beginning. */
export async function* piecesOf(file: FileHandle): AsyncGenerator<Uint8Array, void, void> {
  for (let position = 0; ;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(pieceBytes), 0, pieceBytes, position);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}

async function hash(file: FileHandle): Promise<Digest> {
  const builder = new DigestBuilder();
  for await (const piece of piecesOf(file)) builder.update(piece);
  return builder.finish();
}
