import { readlinkSync, type BigIntStats } from "node:fs";
import type { Compilation } from "@homcc/compiler/compilation";
import { StampedPaths } from "@homcc/compiler/stamped-paths";
import { isSettled } from "@homcc/compiler/stamp";
import { systemClock, type Clock } from "@homcc/observability/clock";
import { isUnchanged, lstat, type FileDigests, type FileRecord } from "./file-digests.ts";
import type {
  DiscoveryContext,
  FoundInputs,
  IncludeFinder,
  NotFound,
  ScanComparison,
} from "./include-finder.ts";
import { localeVariables } from "./message-catalogs.ts";
import type { NamesByDigest } from "./names-by-digest.ts";
import { Pace } from "./pace.ts";
import { pathOf, type AbsentNames } from "./path-walk.ts";
import { sameInputs } from "./same-inputs.ts";
import { folderVariables } from "./search-folders.ts";
import { isDeepStrictEqual } from "node:util";

interface Known {
  inputs: FoundInputs;
  readonly compiler: StampedPaths;
  readonly directories: ReadonlyMap<string, string>;
  readonly probed: ProbedFolder[];
  readonly sizeBytes: number;
}

/** A folder in which names were looked for that it did not have. While its stat stays, it does not have them. */
interface ProbedFolder {
  readonly absent: AbsentNames;
  stats: BigIntStats;
  settled: boolean;
}

/** What became of a known answer. */
type Revalidation =
  | { readonly kind: "same"; readonly inputs: FoundInputs }
  /** Files have other contents with the same names in them: rarely does a compiler then read other files. */
  | { readonly kind: "likely"; readonly inputs: FoundInputs }
  | { readonly kind: "stale" };

const stale: Revalidation = { kind: "stale" };

export interface DependencyCacheOptions {
  readonly digests: FileDigests;
  readonly names: NamesByDigest;
  readonly maxCompilations?: number;
  readonly maxBytes?: number;
  /** What is left after `release`. */
  readonly idleMaxBytes?: number;
  readonly clock?: Clock;
}

const defaultMaxCompilations = 10_000;
/** 4,000 compilations of 500 headers. */
const defaultMaxBytes = 96 << 20;
/** Of an idle agent: the latest 20 compilations of 70 headers each. The others are scanned again, in 2 ms each. */
const defaultIdleMaxBytes = 256 << 10;
/** Languages of messages decide which catalogs are inputs. */
const relevantVariables = [...folderVariables, ...localeVariables, "PWD"];

/**
 * Answers again what another finder found, as long as nothing it depends on changed: every file by its stat (or by its
 * digest, when the stat changed or is too young to be trusted), every link by its target, every folder in which a name
 * was looked for and not found by its stat, and then by looking for those names again. Costs 4 µs a file, and no
 * process.
 *
 * After an edit that left all names in a file as they were, it answers at once with the old list and the new content,
 * and asks the other finder when told to: an edited source is on its way to a server before the compiler here is
 * started to list its 500 headers, which alone holds the event loop for 2 to 20 ms.
 */
export class DependencyCache implements IncludeFinder {
  readonly #finder: IncludeFinder;
  readonly #digests: FileDigests;
  readonly #names: NamesByDigest;
  readonly #clock: Clock;
  readonly #maxCompilations: number;
  readonly #maxBytes: number;
  readonly #idleMaxBytes: number;
  readonly #known = new Map<string, Known>();
  #bytes = 0;
  #hits = 0;
  #guesses = 0;
  #misses = 0;

  constructor(finder: IncludeFinder, options: DependencyCacheOptions) {
    this.#finder = finder;
    this.#digests = options.digests;
    this.#names = options.names;
    this.#clock = options.clock ?? systemClock;
    this.#maxCompilations = options.maxCompilations ?? defaultMaxCompilations;
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes;
    this.#idleMaxBytes = options.idleMaxBytes ?? defaultIdleMaxBytes;
  }

  get counters(): Readonly<Record<"hits" | "guesses" | "misses" | "compilations", number>> {
    return {
      hits: this.#hits,
      guesses: this.#guesses,
      misses: this.#misses,
      compilations: this.#known.size,
    };
  }

  async find(compilation: Compilation, context: DiscoveryContext): Promise<FoundInputs | NotFound> {
    const recalled = await this.#recall(compilation, context);
    if (recalled !== undefined) return recalled;
    this.#misses += 1;
    return await this.#ask(keyOf(compilation, context), compilation, context);
  }

  async recall(
    compilation: Compilation,
    context: DiscoveryContext,
  ): Promise<FoundInputs | NotFound | undefined> {
    return (await this.#recall(compilation, context)) ?? (await this.#finder.recall?.(compilation, context));
  }

  async #recall(compilation: Compilation, context: DiscoveryContext): Promise<FoundInputs | undefined> {
    const key = keyOf(compilation, context);
    const known = this.#known.get(key);
    const answer = known === undefined ? stale : await this.#revalidate(known);
    context.signal.throwIfAborted();
    switch (answer.kind) {
      case "same":
        this.#hits += 1;
        this.#touch(key);
        return answer.inputs;
      case "likely":
        this.#guesses += 1;
        return { ...answer.inputs, confirm: this.#confirmation(answer.inputs, key, compilation, context) };
      case "stale":
        return undefined;
    }
  }

  async compare(compilation: Compilation, context: DiscoveryContext): Promise<ScanComparison> {
    const nobody = { kind: "not-scanned", reason: "there is no scanner" } as const;
    return (await this.#finder.compare?.(compilation, context)) ?? nobody;
  }

  release(): void {
    this.#shrinkTo(Math.min(this.#maxBytes, this.#idleMaxBytes));
    this.#finder.release?.();
  }

  async #ask(
    key: string,
    compilation: Compilation,
    context: DiscoveryContext,
  ): Promise<FoundInputs | NotFound> {
    const found = await this.#finder.find(compilation, context);
    this.#forget(key);
    if (found.kind === "local") return found;
    const { confirm, ...certain } = found;
    const inputs = confirm === undefined ? found : certain;
    const remember = (): void => {
      // The scanner answers again faster than this could, and many compilations share what it remembers.
      if (inputs.lasting && inputs.trust === undefined) this.#remember(key, inputs, context);
    };
    if (confirm === undefined) {
      remember();
      return inputs;
    }
    const confirmed = async (): Promise<boolean> => {
      const isRight = await confirm();
      if (isRight) remember();
      return isRight;
    };
    let asked: Promise<boolean> | undefined;
    return { ...inputs, confirm: () => (asked ??= confirmed()) };
  }

  #confirmation(
    guess: FoundInputs,
    key: string,
    compilation: Compilation,
    context: DiscoveryContext,
  ): () => Promise<boolean> {
    const ask = async (): Promise<boolean> => {
      try {
        const found = await this.#ask(key, compilation, context);
        return found.kind === "found" && sameInputs(found, guess) && ((await found.confirm?.()) ?? true);
      } catch {
        return false;
      }
    };
    let asked: Promise<boolean> | undefined;
    return () => (asked ??= ask());
  }

  /** The inputs as they are now, unless it is plain that the compiler may read others. */
  async #revalidate(known: Known): Promise<Revalidation> {
    const pace = new Pace();
    if (!known.compiler.unchanged() || !sameLinks(known.inputs.links)) return stale;
    for (const [path, identity] of known.directories) if (identityOf(path) !== identity) return stale;
    for (const folder of known.probed) {
      if (!this.#stillAbsent(folder)) return stale;
      if (pace.due()) await pace.pause();
    }
    const renewed = await this.#renewFiles(known.inputs.files, pace);
    if (renewed === undefined) return stale;
    if (renewed.edited) return { kind: "likely", inputs: { ...known.inputs, files: renewed.files } };
    if (renewed.files !== known.inputs.files) known.inputs = { ...known.inputs, files: renewed.files };
    return { kind: "same", inputs: known.inputs };
  }

  /**
   * The same array while every record holds, another where a file has a new time, or new contents (`edited`);
   * `undefined` when a file is gone or has other names in it.
   */
  async #renewFiles(
    files: readonly FileRecord[],
    pace: Pace,
  ): Promise<{ readonly files: readonly FileRecord[]; readonly edited: boolean } | undefined> {
    let renewed: FileRecord[] | undefined;
    let edited = false;
    for (const [index, record] of files.entries()) {
      const stats = lstat(record.entry.path);
      if (pace.due()) await pace.pause();
      if (stats === undefined) return undefined;
      if (isUnchanged(record, stats)) continue;
      const now = await this.#digests.record(record.entry.path, stats);
      if (now === undefined || !(await this.#hasSameNames(record, now, pace))) return undefined;
      edited ||= now.entry.digest !== record.entry.digest;
      renewed ??= [...files];
      renewed[index] = now;
    }
    return { files: renewed ?? files, edited };
  }

  async #hasSameNames(before: FileRecord, now: FileRecord, pace: Pace): Promise<boolean> {
    if (now.entry.digest === before.entry.digest) return true;
    const known = this.#names.known(before.entry.digest);
    return known !== undefined && isDeepStrictEqual(await this.#names.of(now, pace), known);
  }

  #stillAbsent(folder: ProbedFolder): boolean {
    const { absent, stats } = folder;
    const now = lstat(absent.folder);
    if (now === undefined || !now.isDirectory()) return false;
    if (folder.settled && isSameFolderState(stats, now)) return true;
    const readAtMs = this.#clock.wallMs();
    for (const name of absent.names) if (lstat(pathOf(absent.folder, name)) !== undefined) return false;
    folder.stats = now;
    folder.settled = isSettled(now, readAtMs);
    return true;
  }

  #remember(key: string, inputs: FoundInputs, { compilerPath }: DiscoveryContext): void {
    const probed = probedFolders(inputs);
    if (probed === undefined) return;
    const compiler = new StampedPaths();
    compiler.add(compilerPath);
    const directories = new Map(inputs.directories.map((path) => [path, identityOf(path)]));
    const sizeBytes = sizeOf(key, inputs);
    this.#known.set(key, { inputs, compiler, directories, probed, sizeBytes });
    this.#bytes += sizeBytes;
    this.#shrinkTo(this.#maxBytes);
  }

  #shrinkTo(maxBytes: number): void {
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#maxCompilations && this.#bytes <= maxBytes) return;
      this.#forget(oldest);
    }
  }

  #touch(key: string): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    this.#known.set(key, known);
  }

  #forget(key: string): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    this.#bytes -= known.sizeBytes;
  }
}

function keyOf(
  compilation: Compilation,
  { cwd, environment, compilerPath, family, toolchain }: DiscoveryContext,
): string {
  const { source, language, discoveryArguments, includeDirectories, forcedIncludes, extraInputs, outputs } =
    compilation;
  const folders = includeDirectories.map(({ path }) => path);
  const variables = relevantVariables.map((name) => environment[name] ?? null);
  const command = [source, language, discoveryArguments, folders, forcedIncludes, extraInputs, outputs];
  return JSON.stringify([compilerPath, family, toolchain, cwd, command, variables]);
}

/** `undefined` when a folder vanished meanwhile. What was absent before it was looked at now is checked next time. */
function probedFolders(inputs: FoundInputs): ProbedFolder[] | undefined {
  const probed: ProbedFolder[] = [];
  for (const absent of inputs.absent()) {
    const stats = lstat(absent.folder);
    if (stats === undefined) return undefined;
    probed.push({ absent, stats, settled: isSettled(stats, inputs.startedAtMs) });
  }
  return probed;
}

function isSameFolderState(before: BigIntStats, now: BigIntStats): boolean {
  return (
    before.ino === now.ino &&
    before.mtimeNs === now.mtimeNs &&
    before.ctimeNs === now.ctimeNs &&
    before.dev === now.dev
  );
}

function sameLinks(links: ReadonlyMap<string, string>): boolean {
  for (const [path, target] of links) if (targetOf(path) !== target) return false;
  return true;
}

function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function identityOf(path: string): string {
  const stats = lstat(path);
  return stats?.isDirectory() === true ? `${stats.dev}:${stats.ino}` : "";
}

/** Roughly what is held in memory: records are shared, lists and absent names are not. */
function sizeOf(key: string, inputs: FoundInputs): number {
  const names = inputs.absent().reduce((sum, absent) => sum + 100 + absent.names.length * 60, 0);
  const structure = (inputs.directories.length + inputs.links.size) * 200;
  return 1000 + 2 * key.length + names + structure + inputs.files.length * 16;
}
