import type { BigIntStats } from "node:fs";
import type { Digest } from "@homcc/cas/digest";

/** What is known about a regular file; who supplies it may hang more on it. */
export interface SourceRecord {
  readonly entry: { readonly digest: Digest; readonly mtimeNs: bigint };
}

/** What of a stat tells whether a file is still the same. */
export type FileStats = Pick<BigIntStats, "dev" | "ino" | "mode" | "size" | "mtimeNs" | "ctimeNs">;

export interface SourceText<R extends SourceRecord> {
  readonly record: R;
  readonly bytes: Uint8Array;
}

/** Too large to be read between two steps: await it. */
export interface ReadLater<T> {
  readonly later: () => Promise<T>;
}

/**
 * The file system as a scan sees it. Paths are absolute and real. Calls are synchronous because a scan makes 500 of
 * them in a millisecond; none may take longer than a read of some 100 kB.
 */
export interface SourceFiles<R extends SourceRecord> {
  /** `undefined` when there is nothing; throws when that cannot be told. */
  lstat(path: string): BigIntStats | undefined;
  /** Target of a link; throws when it cannot be read. */
  readlink(path: string): string;
  /** Digest of a file with this lstat, taken just now, or of a later version; `undefined` when it cannot be read. */
  identify(path: string, stats: FileStats): R | ReadLater<R | undefined> | undefined;
  /** The contents of the record, or others that the file has by now. */
  read(record: R): SourceText<R> | ReadLater<SourceText<R> | undefined> | undefined;
  /** Whether a file with this lstat still has the contents of the record. */
  isUnchanged(record: R, stats: FileStats): boolean;
  wallMs(): number;
}
