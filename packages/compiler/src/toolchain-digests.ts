import { mkdir } from "node:fs/promises";
import { posix } from "node:path";
import { crc32 } from "node:zlib";
import { parseDigest, type Digest } from "@homcc/cas/digest";
import { keptText, notUnderstood } from "@homcc/cas/kept-text";
import { replaceFile } from "@homcc/cas/replace-file";
import { systemClock, type Clock } from "@homcc/observability/clock";
import { silentLogger, type Logger } from "@homcc/observability/log";
import { digestFile } from "./digest-file.ts";
import type { Existing } from "./link-walk.ts";
import { isSettled, stampOf } from "./stamp.ts";

interface KnownDigest {
  readonly stamp: string;
  readonly digest: Digest;
}

/**
 * Digests of toolchain files, each hashed once: 130 MB of gcc or 300 MB of clang take seconds. With a file to remember
 * them in, also a new process hashes only what changed.
 */
export class ToolchainDigests {
  readonly #cacheFile: string | undefined;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #known = new Map<string, KnownDigest>();
  #loading: Promise<void> | undefined;
  #changed = false;

  constructor(
    options: {
      readonly cacheFile?: string | undefined;
      readonly clock?: Clock;
      /** Hears of a file that cannot be used. */
      readonly logger?: Logger | undefined;
    } = {},
  ) {
    this.#cacheFile = options.cacheFile;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
  }

  /** `root` as of the LinkWalk that found the file. */
  async digest(file: Existing, root = ""): Promise<Digest> {
    this.#loading ??= this.#load();
    await this.#loading;
    const known = this.#known.get(file.path);
    if (known?.stamp === stampOf(file.stats)) return known.digest;
    const readAtMs = this.#clock.wallMs();
    const { digest, stats } = await digestFile(root + file.path);
    if (isSettled(stats, readAtMs)) {
      this.#known.set(file.path, { stamp: stampOf(stats), digest });
      this.#changed = true;
    }
    return digest;
  }

  /** Writes what was learned; a file that cannot be written costs only time at the next start. */
  async save(): Promise<void> {
    if (this.#cacheFile === undefined || !this.#changed) return;
    this.#changed = false;
    try {
      await mkdir(posix.dirname(this.#cacheFile), { recursive: true, mode: 0o700 });
      await replaceFile(this.#cacheFile, formatKnown([...this.#known]), 0o600);
    } catch {
      this.#changed = true;
    }
  }

  async #load(): Promise<void> {
    if (this.#cacheFile === undefined) return;
    const text = await keptText(this.#cacheFile, this.#logger);
    if (text !== "" && !isWhole(text)) notUnderstood(this.#cacheFile, this.#logger);
    for (const [path, known] of parseKnown(text)) this.#known.set(path, known);
  }
}

/*
 * file ::= crc LF list
 * crc  ::= CRC-32 of the list, hexadecimal
 * list ::= JSON array of [path, { stamp, digest }]
 *
 * A digest that a disk has changed would be believed as long as the file's stat stays, and no server would have such a
 * toolchain any more.
 */

function formatKnown(known: readonly (readonly [string, KnownDigest])[]): string {
  const list = JSON.stringify(known);
  return `${crc32(list).toString(16)}\n${list}`;
}

function isWhole(text: string): boolean {
  const lineEnd = text.indexOf("\n");
  return crc32(text.slice(lineEnd + 1)).toString(16) === text.slice(0, Math.max(lineEnd, 0));
}

/** Nothing for a damaged file, or one of another version: it is only a memory. */
function* parseKnown(text: string): Generator<[string, KnownDigest]> {
  if (!isWhole(text)) return;
  for (const item of parseList(text.slice(text.indexOf("\n") + 1))) {
    if (!Array.isArray(item)) continue;
    const [path, known]: unknown[] = item;
    if (typeof path !== "string" || typeof known !== "object" || known === null) continue;
    const { stamp, digest: written } = known as Partial<Record<string, unknown>>;
    const digest = typeof written === "string" ? parseDigest(written) : undefined;
    if (typeof stamp === "string" && digest !== undefined) yield [path, { stamp, digest }];
  }
}

function parseList(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
