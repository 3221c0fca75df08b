import type { InputEntry } from "@homcc/cas/action";
import { Fingerprints } from "@homcc/cas/fingerprints";
import { PackedRows } from "@homcc/cas/packed-rows";
import { takeOldest } from "@homcc/cas/take-oldest";

export type NumberedEntry = InputEntry | { readonly kind: "absent"; readonly path: string };

interface Numbered {
  readonly entry: NumberedEntry;
  readonly number: number;
}

/** Up to 500 bytes each, where nobody else holds path and digest any more. */
const defaultMaxRecent = 1 << 14;

/**
 * The numbers of a connection's entries. The latest entries are objects, found by their path; of those before them there
 * are 28 bytes each, and 8 to 16 of a file's path: half a million take 20 MB in place of 150.
 */
export class NumberedEntries {
  readonly #maxRecent: number;
  /** By path, the oldest first. */
  readonly #recent = new Map<string, Numbered>();
  readonly #earlier = new PackedRows({ valueBytes: Int32Array.BYTES_PER_ELEMENT });
  readonly #earlierFiles = new Fingerprints(0);
  /** Those of the earlier ones that jobs named lately: a look in the table takes 2 µs. */
  readonly #named = new Map<string, Numbered>();
  readonly #value = Buffer.alloc(Int32Array.BYTES_PER_ELEMENT);

  constructor(maxRecent = defaultMaxRecent) {
    this.#maxRecent = maxRecent;
  }

  /** `undefined` for one that has none, or that was followed by another at its path. */
  numberOf(entry: NumberedEntry): number | undefined {
    const { path } = entry;
    const known = this.#recent.get(path) ?? this.#named.get(path);
    if (known !== undefined) return isSame(known.entry, entry) ? known.number : undefined;
    const number = this.#earlier.get(nameOf(entry))?.readInt32LE();
    if (number === undefined) return undefined;
    this.#named.set(path, { entry, number });
    takeOldest(this.#named, this.#maxRecent >> 1);
    return number;
  }

  /** Whether the path was that of a file. */
  hasFile(path: string): boolean {
    const recent = this.#recent.get(path);
    return recent === undefined ? this.#earlierFiles.has(path) : recent.entry.kind === "file";
  }

  set(entry: NumberedEntry, number: number): void {
    this.#named.delete(entry.path);
    this.#recent.set(entry.path, { entry, number });
    for (const oldest of takeOldest(this.#recent, this.#maxRecent)) this.#pack(oldest);
  }

  #pack({ entry, number }: Numbered): void {
    this.#value.writeInt32LE(number);
    this.#earlier.add(nameOf(entry), this.#value);
    if (entry.kind === "file") this.#earlierFiles.add(entry.path);
  }
}

/** Of two entries at the same path. */
export function isSame(a: NumberedEntry, b: NumberedEntry): boolean {
  if (a.kind === "file") return b.kind === "file" && a.digest === b.digest && a.mtimeNs === b.mtimeNs;
  if (a.kind === "symlink") return b.kind === "symlink" && a.target === b.target;
  return a.kind === b.kind;
}

/** All that the server is told of it. */
function nameOf(entry: NumberedEntry): string {
  const { kind, path } = entry;
  if (kind === "file") return `${kind}\0${entry.digest}\0${entry.mtimeNs}\0${path}`;
  return kind === "symlink" ? `${kind}\0${entry.target}\0${path}` : `${kind}\0${path}`;
}
