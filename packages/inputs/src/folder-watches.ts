import { type BigIntStats, readFileSync, realpathSync, watch, type FSWatcher } from "node:fs";
import { posix } from "node:path";
import { errnoOf } from "@homcc/cas/errno";
import { isSettled } from "@homcc/compiler/stamp";
import { systemClock, type Clock } from "@homcc/observability/clock";
import type { FolderChanges, FolderWatch } from "@homcc/scanner/folder-changes";
import type { FileStats } from "@homcc/scanner/source-files";
import { ChangeCookie } from "./change-cookie.ts";
import { lstat } from "./file-digests.ts";
import { isOnLocalFileSystem } from "./local-file-system.ts";

export interface FolderWatchesOptions {
  /** A local one that can be written. */
  readonly cookieFolder: string;
  /** Told once why headers are looked at one by one. */
  readonly onProblem?: (error: unknown) => void;
  readonly clock?: Clock;
  /** Only what belongs to this user, and what nobody else may write, is watched: root. */
  readonly owner?: number;
  readonly maxFolders?: number;
  readonly isLocal?: (path: string) => boolean;
}

/** The C++ library, the system and some libraries have 20 to 100. */
const defaultMaxFolders = 512;
/** Of folders that are watched if need be. */
const maxOwn = 1000;
/** The kernel forgets events beyond so many that nobody fetched (`max_queued_events`, 16,384), and Node does not tell. */
const maxEventsShare = 0.25;
/** One is missed when the queue was full. */
const maxMissed = 3;
const queueSizeFile = "/proc/sys/fs/inotify/max_queued_events";
const limitErrors: ReadonlySet<string> = new Set(["ENOSPC", "EMFILE", "ENFILE", "ENOMEM"]);
const sharedWritable = 0o022n;

type State =
  | { readonly kind: "idle" }
  | {
      readonly kind: "watching";
      readonly cookie: ChangeCookie;
      /** The limit of watches is reached; those there are stay. */
      readonly isFull: boolean;
      /** Touches in a row that were not told. */
      readonly missed: number;
    }
  | { readonly kind: "given-up" };

/**
 * Watches the compilers' own folders, where nothing changes for weeks, and only those that belong to root alone: what a
 * watch does not see there, root alone can do. A change counts as told when it was in the queue before the touch of a
 * `ChangeCookie`, and when so few events came that none can have been lost.
 */
export class FolderWatches implements FolderChanges {
  readonly #options: FolderWatchesOptions;
  readonly #clock: Clock;
  readonly #owner: bigint;
  readonly #isLocal: (path: string) => boolean;
  readonly #own = new Set<string>();
  readonly #watchers = new Set<FSWatcher>();
  #state: State = { kind: "idle" };
  #maxEvents = 0;
  #events = 0;
  #mayHaveLost = false;
  #hasProblem = false;

  constructor(options: FolderWatchesOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#owner = BigInt(options.owner ?? 0);
    this.#isLocal = options.isLocal ?? isOnLocalFileSystem;
  }

  /** Watched folders. */
  get size(): number {
    return this.#watchers.size;
  }

  /** From now on these may be watched, and what lies below them. */
  own(folders: readonly string[]): void {
    if (this.#own.size > maxOwn) this.#own.clear();
    for (const folder of folders) {
      try {
        this.#own.add(realpathSync.native(folder));
      } catch {
        // It is gone.
      }
    }
  }

  watch(path: string, stats: FileStats, onChange: () => void): FolderWatch | undefined {
    if (this.#watchers.size >= (this.#options.maxFolders ?? defaultMaxFolders)) return undefined;
    if (!this.#isOwn(path) || !isSettled(stats, this.#clock.wallMs()) || !this.#isLocal(path))
      return undefined;
    const isGood = (now: BigIntStats | undefined): now is BigIntStats =>
      now !== undefined && isSameFolder(now, stats) && this.#isPrivate(now);
    if (!isGood(lstat(path))) return undefined;
    const watcher = this.#open(path, onChange);
    if (watcher === undefined) return undefined;
    const close = (): void => this.#close(watcher);
    const now = lstat(path);
    if (isGood(now)) return { close, covers: (file) => this.#covers(file, now) };
    close();
    return undefined;
  }

  async catchUp(): Promise<boolean> {
    const state = this.#state;
    if (state.kind !== "watching") return false;
    const wasCertain = !this.#mayHaveLost;
    this.#mayHaveLost = false;
    const isTold = await state.cookie.touch();
    const events = this.#events;
    this.#events = 0;
    // All watches were closed meanwhile.
    if (this.#state.kind !== "watching" || this.#state.cookie !== state.cookie) return false;
    if (isTold) this.#state = { ...this.#state, missed: 0 };
    else this.#replaceCookie(this.#state);
    return isTold && wasCertain && !this.#mayHaveLost && events <= this.#maxEvents;
  }

  #isOwn(path: string): boolean {
    for (let folder = path; folder !== "/"; folder = posix.dirname(folder))
      if (this.#own.has(folder)) return true;
    return false;
  }

  #open(path: string, onChange: () => void): FSWatcher | undefined {
    const state = this.#state.kind === "idle" ? this.#begin() : this.#state;
    if (state.kind !== "watching" || state.isFull) return undefined;
    try {
      const watcher = watch(path, { persistent: false }, () => {
        this.#events += 1;
        onChange();
      });
      watcher.on("error", (error) => this.#giveUp(error));
      this.#watchers.add(watcher);
      return watcher;
    } catch (error) {
      if (isLimit(error)) this.#report(error);
      this.#state = { ...state, isFull: isLimit(error) };
      this.#restIfUnused();
      return undefined;
    }
  }

  #begin(): State {
    const { cookieFolder } = this.#options;
    try {
      if (!this.#isLocal(cookieFolder)) throw new Error(`${cookieFolder} is not on a local disk`);
      this.#maxEvents = Number(readFileSync(queueSizeFile, "utf8")) * maxEventsShare;
      this.#state = { kind: "watching", cookie: new ChangeCookie(cookieFolder), isFull: false, missed: 0 };
    } catch (error) {
      this.#giveUp(error);
    }
    return this.#state;
  }

  /** Events of it that nobody fetched yet are not counted any more. */
  #close(watcher: FSWatcher): void {
    if (!this.#watchers.delete(watcher)) return;
    watcher.close();
    this.#mayHaveLost = true;
    this.#restIfUnused();
  }

  #restIfUnused(): void {
    if (this.#watchers.size > 0 || this.#state.kind !== "watching") return;
    this.#state.cookie.close();
    this.#state = { kind: "idle" };
  }

  /** The old one's touch may be told yet. */
  #replaceCookie({ cookie, isFull, missed }: State & { readonly kind: "watching" }): void {
    this.#mayHaveLost = true;
    try {
      if (missed + 1 >= maxMissed) throw new Error("changes are not told");
      const next = new ChangeCookie(this.#options.cookieFolder);
      this.#state = { kind: "watching", cookie: next, isFull, missed: missed + 1 };
      cookie.close();
    } catch (error) {
      this.#giveUp(error);
    }
  }

  #giveUp(problem: unknown): void {
    if (this.#state.kind === "watching") this.#state.cookie.close();
    this.#state = { kind: "given-up" };
    for (const watcher of this.#watchers) this.#close(watcher);
    this.#report(problem);
  }

  #report(problem: unknown): void {
    if (!this.#hasProblem) this.#options.onProblem?.(problem);
    this.#hasProblem = true;
  }

  /** A second name, or a mount, would be another way to the file, past the folder. */
  #covers(file: BigIntStats, folder: BigIntStats): boolean {
    return file.nlink === 1n && file.dev === folder.dev && this.#isPrivate(file);
  }

  #isPrivate({ uid, mode }: BigIntStats): boolean {
    return uid === this.#owner && (mode & sharedWritable) === 0n;
  }
}

/** With these times, nothing was moved there in between. */
function isSameFolder(one: FileStats, other: FileStats): boolean {
  return (
    one.ino === other.ino &&
    one.dev === other.dev &&
    one.ctimeNs === other.ctimeNs &&
    one.mtimeNs === other.mtimeNs
  );
}

function isLimit(error: unknown): boolean {
  return limitErrors.has(errnoOf(error) ?? "");
}
