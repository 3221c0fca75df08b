import { lstatSync } from "node:fs";
import { LinkWalk, type Resolved } from "./link-walk.ts";
import { clockGrainMs, stampOf } from "./stamp.ts";

/** Paths that an answer was made from: each link on the way and what is at the end, with the stat it had. */
export class StampedPaths {
  readonly #root: string;
  readonly #stamps = new Map<string, string>();
  #newestMs = 0;

  /** `root` as of a LinkWalk. */
  constructor(root = "") {
    this.#root = root;
  }

  /** Remembers everything on the way to `path` and says where it leads. */
  add(path: string): Resolved {
    const walk = new LinkWalk(this.#root);
    const resolved = walk.resolve(path);
    this.addWalk(walk);
    this.addResolved(resolved);
    return resolved;
  }

  /** Remembers what a walk found at the end of a path, as it was then. What was found first counts. */
  addResolved(resolved: Resolved): void {
    if (this.#stamps.has(resolved.path)) return;
    this.#stamps.set(resolved.path, "stats" in resolved ? stampOf(resolved.stats) : absent);
    if ("stats" in resolved) this.#newestMs = Math.max(this.#newestMs, Number(resolved.stats.ctimeMs));
  }

  /**
   * Whether the stats of what was added with its stat tell of every later change: all of it was old at `atMs`. A time in the
   * future comes from a clock that was set back, and counts as old.
   */
  settledAt(atMs: number): boolean {
    return this.#newestMs + clockGrainMs < atMs || this.#newestMs > atMs + clockGrainMs;
  }

  /** Remembers the links that a walk followed. */
  addWalk(walk: LinkWalk): void {
    for (const link of walk.links.keys()) this.addPath(link);
  }

  addPath(path: string): void {
    this.#stamps.set(path, stampNow(this.#root + path));
  }

  /** Whether every one of them still has the stat it had; about 5 µs each. */
  unchanged(): boolean {
    for (const [path, stamp] of this.#stamps) if (stampNow(this.#root + path) !== stamp) return false;
    return true;
  }

  stamp(): string {
    return [...this.#stamps.values()].join(" ");
  }
}

const absent = "absent";

function stampNow(path: string): string {
  try {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? absent : stampOf(stats);
  } catch {
    return absent;
  }
}
