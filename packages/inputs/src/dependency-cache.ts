import { readlinkSync, type BigIntStats } from "node:fs";
import type { Compilation } from "@homcc/compiler/compilation";
import { StampedPaths } from "@homcc/compiler/stamped-paths";
import { isSettled } from "@homcc/compiler/stamp";
import { systemClock, type Clock } from "@homcc/observability/clock";
import { isUnchanged, lstat, type FileDigests, type FileRecord } from "./file-digests.ts";
import type { DiscoveryContext, FoundInputs, IncludeFinder, NotFound } from "./include-finder.ts";
import { Pace } from "./pace.ts";
import { pathOf, type AbsentNames } from "./path-walk.ts";
import { folderVariables } from "./search-folders.ts";

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

export interface DependencyCacheOptions {
  readonly digests: FileDigests;
  readonly maxCompilations?: number;
  readonly maxBytes?: number;
  readonly clock?: Clock;
}

const defaultMaxCompilations = 10_000;
const defaultMaxBytes = 256 << 20;
/** Languages of messages decide which catalogs are inputs. */
const relevantVariables = [...folderVariables, "LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "PWD"];

/**
 * Answers again what another finder found, as long as nothing it depends on changed: every file by its stat (or by its
 * digest, when the stat changed or is too young to be trusted), every link by its target, every folder in which a name
 * was looked for and not found by its stat, and then by looking for those names again. Costs 4 µs a file, and no
 * process.
 */
export class DependencyCache implements IncludeFinder {
  readonly #finder: IncludeFinder;
  readonly #digests: FileDigests;
  readonly #clock: Clock;
  readonly #maxCompilations: number;
  readonly #maxBytes: number;
  readonly #known = new Map<string, Known>();
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(finder: IncludeFinder, options: DependencyCacheOptions) {
    this.#finder = finder;
    this.#digests = options.digests;
    this.#clock = options.clock ?? systemClock;
    this.#maxCompilations = options.maxCompilations ?? defaultMaxCompilations;
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes;
  }

  get counters(): { readonly hits: number; readonly misses: number; readonly compilations: number } {
    return { hits: this.#hits, misses: this.#misses, compilations: this.#known.size };
  }

  async find(compilation: Compilation, context: DiscoveryContext): Promise<FoundInputs | NotFound> {
    const key = keyOf(compilation, context);
    const known = this.#known.get(key);
    const inputs = known === undefined ? undefined : await this.#revalidate(known);
    context.signal.throwIfAborted();
    if (inputs !== undefined) {
      this.#hits += 1;
      this.#touch(key);
      return inputs;
    }
    this.#misses += 1;
    this.#forget(key);
    const found = await this.#finder.find(compilation, context);
    if (found.kind === "found" && found.lasting) this.#remember(key, found, context);
    return found;
  }

  /** The inputs as they are now, or `undefined` when the compiler might read others. */
  async #revalidate(known: Known): Promise<FoundInputs | undefined> {
    const pace = new Pace();
    if (!known.compiler.unchanged() || !sameLinks(known.inputs.links)) return undefined;
    for (const [path, identity] of known.directories) if (identityOf(path) !== identity) return undefined;
    for (const folder of known.probed) {
      if (!this.#stillAbsent(folder)) return undefined;
      if (pace.due()) await pace.pause();
    }
    const files = await this.#sameFiles(known.inputs.files, pace);
    if (files === undefined) return undefined;
    if (files !== known.inputs.files) known.inputs = { ...known.inputs, files };
    return known.inputs;
  }

  /** The same array while every record holds; another where only times changed; `undefined` for other contents. */
  async #sameFiles(files: readonly FileRecord[], pace: Pace): Promise<readonly FileRecord[] | undefined> {
    let renewed: FileRecord[] | undefined;
    for (const [index, record] of files.entries()) {
      const stats = lstat(record.entry.path);
      if (pace.due()) await pace.pause();
      if (stats === undefined) return undefined;
      if (isUnchanged(record, stats)) continue;
      const now = await this.#digests.record(record.entry.path, stats);
      if (now?.entry.digest !== record.entry.digest) return undefined;
      renewed ??= [...files];
      renewed[index] = now;
    }
    return renewed ?? files;
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
    this.#forget(key);
    this.#known.set(key, { inputs, compiler, directories, probed, sizeBytes });
    this.#bytes += sizeBytes;
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#maxCompilations && this.#bytes <= this.#maxBytes) return;
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
  { cwd, environment, compilerPath, family }: DiscoveryContext,
): string {
  const { source, language, discoveryArguments, includeDirectories, forcedIncludes, extraInputs, outputs } =
    compilation;
  const folders = includeDirectories.map(({ path }) => path);
  const variables = relevantVariables.map((name) => environment[name] ?? null);
  const command = [source, language, discoveryArguments, folders, forcedIncludes, extraInputs, outputs];
  return JSON.stringify([compilerPath, family, cwd, command, variables]);
}

/** `undefined` when a folder vanished meanwhile. What was absent before it was looked at now is checked next time. */
function probedFolders(inputs: FoundInputs): ProbedFolder[] | undefined {
  const probed: ProbedFolder[] = [];
  for (const absent of inputs.absent) {
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
  const names = inputs.absent.reduce((sum, absent) => sum + 100 + absent.names.length * 60, 0);
  const structure = (inputs.directories.length + inputs.links.size) * 200;
  return 1000 + 2 * key.length + names + structure + inputs.files.length * 16;
}
