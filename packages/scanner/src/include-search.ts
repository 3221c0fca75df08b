import type { CompilerFamily } from "@homcc/compiler/compilation";
import { CannotScan } from "./cannot-scan.ts";
import { type FileTree, folderOf, type SpelledPath } from "./file-tree.ts";
import { pathOfName } from "./header-names.ts";
import type { SourceRecord } from "./source-files.ts";

/** Folders as the compiler lists them, absolute as spelled from the working folder. */
export interface SearchOrder {
  readonly family: CompilerFamily;
  readonly cwd: string;
  readonly quote: readonly string[];
  readonly angle: readonly string[];
  readonly embed: readonly string[];
}

/** A file where it was found: what it includes by `"…"` and `#include_next` depends on both. */
export interface Place<R extends SourceRecord, T> {
  /** As the compiler opens it. */
  readonly path: SpelledPath<R>;
  readonly folder: string;
  /** Where in the search order `#include_next` goes on; `undefined` and `mainNext` where it searches like `#include`. */
  readonly next: number | undefined;
  readonly resolutions: Map<string, Resolution<R, T>>;
  /** What its user keeps with it. */
  readonly notes: T;
}

/** What one name in one place leads to. */
export interface Resolution<R extends SourceRecord, T> {
  readonly kind: LookupKind;
  readonly from: Place<R, T>;
  /** `"NAME` or `<NAME`. */
  readonly name: string;
  /** Looked at in this order; the last one is the file, if there is one. */
  probes: readonly SpelledPath<R>[];
  place: Place<R, T> | undefined;
  /** The arrival for which it was last found to hold. */
  heldAt: number;
}

/** With what is kept with it. */
const placeBytes = 400;
/** With two probes. */
const resolutionBytes = 180;

/** Of the source itself, which is another place than the same file when it is included. */
export const mainNext = -1;

export type LookupKind =
  | "include"
  | "include_next"
  | "embed"
  /** From the working folder. */
  | "line";

/**
 * Looks names up as the compiler does. Links are followed but never replaced by their targets: a header found through
 * a link includes what lies beside the link.
 */
export class IncludeSearch<R extends SourceRecord, T> {
  readonly #tree: FileTree<R>;
  readonly #order: SearchOrder;
  readonly #chain: readonly string[];
  readonly #makeNotes: () => T;
  readonly #weigh: (bytes: number) => void;
  readonly #places = new Map<string, Place<R, T>>();

  /** `weigh`: so many bytes more are held, or fewer. */
  constructor(tree: FileTree<R>, order: SearchOrder, makeNotes: () => T, weigh: (bytes: number) => void) {
    this.#tree = tree;
    this.#order = order;
    this.#chain = [...order.quote, ...order.angle];
    this.#makeNotes = makeNotes;
    this.#weigh = weigh;
  }

  /** All that are known. */
  places(): Iterable<Place<R, T>> {
    return this.#places.values();
  }

  /** Of a file that no search led to. */
  place(spelled: string, next?: number): Place<R, T> {
    const key = keyOf(spelled, next);
    const known = this.#places.get(key);
    if (known !== undefined && this.#tree.holds(known.path)) return known;
    const path = this.#tree.look(spelled);
    const place = {
      path,
      folder: folderOf(spelled),
      next,
      resolutions: new Map<string, Resolution<R, T>>(),
      notes: this.#makeNotes(),
    };
    this.#places.set(key, place);
    this.#weigh(weightOf(place) - (known === undefined ? 0 : weightOf(known)));
    return place;
  }

  /** It is found again when it is asked for. */
  forget(place: Place<R, T>): void {
    const key = keyOf(place.path.spelled, place.next);
    if (this.#places.get(key) !== place) return;
    this.#places.delete(key);
    this.#weigh(-weightOf(place));
  }

  /** What the name leads to now. The same object as long as it leads to the same. */
  resolve(kind: LookupKind, name: string, from: Place<R, T>, arrival: number): Resolution<R, T> {
    // Nearly all are includes: their names, which begin with a mark, are their own keys.
    const key = kind === "include" ? name : `${kind} ${name}`;
    const known = from.resolutions.get(key);
    if (known !== undefined && this.holds(known, arrival)) return known;
    const resolution: Resolution<R, T> = { kind, from, name, probes: [], place: undefined, heldAt: arrival };
    this.#search(resolution);
    from.resolutions.set(key, resolution);
    if (known === undefined) this.#weigh(resolutionBytes);
    return resolution;
  }

  holds(resolution: Resolution<R, T>, arrival: number): boolean {
    if (resolution.heldAt >= arrival) return true;
    for (const probe of resolution.probes) if (!this.#tree.holds(probe)) return false;
    resolution.heldAt = arrival;
    return true;
  }

  #search(resolution: Resolution<R, T>): void {
    const { kind, from } = resolution;
    const name = pathOfName(resolution.name.slice(1));
    if (name === "" || name.endsWith("/")) throw new CannotScan("missing-include", resolution.name);
    if (name.startsWith("/")) return this.#take(resolution, [name], () => undefined);
    const isQuote = resolution.name.startsWith('"');
    const { cwd, family, quote } = this.#order;
    if (kind === "line") return this.#take(resolution, [`${cwd}/${name}`], () => undefined);
    if (kind === "embed")
      return this.#take(resolution, spell(this.#embedFolders(from, isQuote), name), () => undefined);
    const next = from.next === mainNext ? undefined : from.next;
    if (kind === "include_next" && next !== undefined) {
      const start = next;
      const behind = this.#chain.slice(start);
      // Also for `__has_include_next` an error.
      if (family === "gcc" && behind.length === 0) throw new CannotScan("missing-include", resolution.name);
      return this.#take(resolution, spell(behind, name), (index) => start + index + 1);
    }
    const start = isQuote ? 0 : quote.length;
    const chain = spell(this.#chain.slice(start), name);
    if (!isQuote) return this.#take(resolution, chain, (index) => start + index + 1);
    // Beside its includer, gcc's search goes on from the first folder, clang's from where the includer's went on.
    const beside = family === "gcc" ? 0 : next;
    return this.#take(resolution, [join(from.folder, name), ...chain], (index) =>
      index === 0 ? beside : index,
    );
  }

  #embedFolders({ folder, path }: Place<R, T>, isQuote: boolean): readonly string[] {
    const { cwd, embed, family } = this.#order;
    if (!isQuote) return embed;
    // Beside its target, says clang 19, for an includer that is a link.
    if (path.end.parent !== this.#tree.look(folder).end)
      throw new CannotScan("construct", `#embed in ${path.spelled}, a link into another folder`);
    return family === "clang" ? [folder, cwd, ...embed] : [folder, ...embed];
  }

  #take(
    resolution: Resolution<R, T>,
    candidates: readonly string[],
    nextOf: (index: number) => number | undefined,
  ): void {
    const probes: SpelledPath<R>[] = [];
    for (const [index, spelled] of candidates.entries()) {
      const path = this.#tree.look(spelled);
      probes.push(path);
      const { kind } = path.end;
      if (kind === "file") {
        resolution.place = this.place(spelled, nextOf(index));
        break;
      }
      // Whoever opens a folder passes it over; what else there may be is not known.
      if (kind !== "absent" && kind !== "directory") throw new CannotScan("unreadable", spelled);
    }
    // A copy, because an array that grew has room for 16 more.
    resolution.probes = probes.slice();
  }
}

function weightOf<R extends SourceRecord, T>({ resolutions }: Place<R, T>): number {
  return placeBytes + resolutionBytes * resolutions.size;
}

function keyOf(spelled: string, next: number | undefined): string {
  return `${next ?? ""}\0${spelled}`;
}

function spell(folders: readonly string[], name: string): string[] {
  return folders.map((folder) => join(folder, name));
}

function join(folder: string, name: string): string {
  return folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`;
}
