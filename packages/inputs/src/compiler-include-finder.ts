import type { Compilation, Language } from "@homcc/compiler/compilation";
import type { IncludeName } from "@homcc/compiler/include-names";
import { systemClock, type Clock } from "@homcc/observability/clock";
import { Closure } from "./closure.ts";
import type { FileDigests, FileRecord } from "./file-digests.ts";
import {
  notFound,
  type DiscoveryContext,
  type FoundInputs,
  type IncludeFinder,
  type NotFound,
} from "./include-finder.ts";
import { listDependencies, type Listing } from "./make-dependencies.ts";
import type { NamesByDigest } from "./names-by-digest.ts";
import { optionDefinitions } from "./option-definitions.ts";
import { Pace } from "./pace.ts";
import { PathWalk } from "./path-walk.ts";
import { findPrecompiledHeader } from "./precompiled-headers.ts";
import { ProbeList } from "./probe-list.ts";
import { SearchFolderCache, type SearchFolders } from "./search-folders.ts";
import { lookAtSurroundings } from "./surroundings.ts";

/** The kernel's clock for file times lags behind by up to one tick. */
const stepMs = 10;
type Listed = Exclude<Listing, { readonly kind: "not-utf8" }>;

/** Finds inputs with the compiler's own list of what it reads, completed by everything it may have looked for. */
export class CompilerIncludeFinder implements IncludeFinder {
  readonly #digests: FileDigests;
  readonly #names: NamesByDigest;
  readonly #searchFolders = new SearchFolderCache();
  readonly #clock: Clock;

  constructor(digests: FileDigests, names: NamesByDigest, clock: Clock = systemClock) {
    this.#digests = digests;
    this.#names = names;
    this.#clock = clock;
  }

  async find(compilation: Compilation, context: DiscoveryContext): Promise<FoundInputs | NotFound> {
    const first = await this.#findOnce(compilation, context);
    // Something was written while it was read: what the compiler saw may not be what was hashed.
    return first.kind === "local" || first.lasting ? first : this.#findOnce(compilation, context);
  }

  async #findOnce(compilation: Compilation, context: DiscoveryContext): Promise<FoundInputs | NotFound> {
    const startedAtMs = this.#clock.wallMs();
    const walk = new PathWalk(context.cwd);
    const source = walk.look(walk.spell(compilation.source));
    if (source.kind !== "file") return notFound("unreadable-input", compilation.source);
    const folders = await this.#searchFolders.of(compilation, context);
    if (folders === undefined) return notFound("inputs-unknown", "the compiler does not accept the options");
    const listing = await list(compilation, context);
    if (listing.kind === "not-utf8") return notFound("not-utf8", `an include of ${compilation.source}`);

    const pace = new Pace();
    lookAtSurroundings(walk, compilation, context, folders);
    const problem =
      (await this.#lookForPrecompiled(walk, compilation, context, folders, pace)) ??
      (await this.#close(walk, compilation, context, folders, listing, pace));
    if (problem !== undefined) return problem;
    return this.#result(walk, startedAtMs, pace);
  }

  async #lookForPrecompiled(
    walk: PathWalk,
    compilation: Compilation,
    { family }: DiscoveryContext,
    folders: SearchFolders,
    pace: Pace,
  ): Promise<NotFound | undefined> {
    const source = walk.resolve(walk.spell(compilation.source));
    const record = await this.#digests.record(source.path);
    const names = record === undefined ? undefined : await this.#names.of(record, pace);
    if (names === undefined) return notFound("unreadable-input", compilation.source);
    const precompiled = findPrecompiledHeader(compilation, family, names.firstIncludes, folders, walk);
    return precompiled === undefined
      ? undefined
      : notFound("local-construct", `precompiled header ${precompiled}`);
  }

  async #close(
    walk: PathWalk,
    compilation: Compilation,
    { family }: DiscoveryContext,
    folders: SearchFolders,
    listing: Listed,
    pace: Pace,
  ): Promise<NotFound | undefined> {
    const listed = listing.kind === "listed" ? listing.paths.map((path) => walk.spell(path)) : undefined;
    const existing = listed?.filter((path) => walk.resolve(path).kind === "file");
    const precompiled = existing?.find((path) => /\.(gch|pch)(\/|$)/.test(path));
    if (precompiled !== undefined) return notFound("local-construct", `precompiled header ${precompiled}`);
    const embedFolders = compilation.discoveryArguments.flatMap(
      (argument) => /^--embed-dir=(.+)/.exec(argument)?.[1] ?? [],
    );
    const probes = new ProbeList(walk, folders, embedFolders);
    const closure = new Closure(
      { walk, probes, digests: this.#digests, names: this.#names, pace },
      {
        listed: existing && new Set(existing.map((path) => walk.resolve(path).path)),
        commandLine: optionDefinitions(compilation.discoveryArguments),
        modules: family === "clang" && compilation.discoveryArguments.some(enablesModules),
      },
    );
    for (const name of impliedNames(compilation)) closure.look(name, walk.spell("."));
    const spelled = walk.spell(compilation.source);
    const problem = await closure.follow([spelled, ...(existing ?? [])]);
    if (problem !== undefined) return problem;
    // clang says of a missing <x.h> whether it would find "x.h".
    const missing = listing.kind === "listed" ? listing.paths.filter((path) => !isFile(walk, path)) : [];
    for (const name of missing) closure.lookEverywhere({ kind: "include", form: "quote", name });
    explainComputed(existing ?? [], closure, probes, walk);
    return undefined;
  }

  async #result(walk: PathWalk, startedAtMs: number, pace: Pace): Promise<FoundInputs | NotFound> {
    const files: FileRecord[] = [];
    for (const [path, stats] of walk.files) {
      const record = await this.#digests.record(path, stats);
      if (record === undefined) return notFound("unreadable-input", path);
      files.push(record);
      if (pace.due()) await pace.pause();
    }
    const absent = walk.absent();
    return {
      kind: "found",
      files,
      directories: [...new Set(walk.directories())],
      links: walk.links,
      absent: () => absent,
      startedAtMs,
      // The time of change, unlike that of modification, is the kernel's alone.
      lasting: files.every(({ ctimeNs }) => Number(ctimeNs / 1_000_000n) < startedAtMs - stepMs),
    };
  }
}

function isFile(walk: PathWalk, path: string): boolean {
  return walk.resolve(walk.spell(path)).kind === "file";
}

async function list(compilation: Compilation, context: DiscoveryContext): Promise<Listing> {
  return isPreprocessed(compilation.language)
    ? { kind: "listed", paths: [] }
    : listDependencies(compilation, context);
}

function isPreprocessed(language: Language): boolean {
  return language.endsWith("cpp-output");
}

/** What is included without a line in the source: by option, and by gcc itself. */
function impliedNames(compilation: Compilation): IncludeName[] {
  const forced = compilation.forcedIncludes.map((name): IncludeName => ({
    kind: "include",
    form: "quote",
    name,
  }));
  return [{ kind: "include", form: "angle", name: "stdc-predef.h" }, ...forced];
}

/** Files that the compiler listed and no written name led to. */
function explainComputed(
  listed: readonly string[],
  closure: Closure,
  probes: ProbeList,
  walk: PathWalk,
): void {
  const includers = closure.computingFolders();
  if (includers.size === 0) return;
  for (const path of listed) {
    if (!closure.reachedByName.has(walk.resolve(path).path)) probes.explain(path, includers);
  }
}

function enablesModules(argument: string): boolean {
  return /^(--?std=)?(c|gnu)\+\+2|^-f(cxx-)?modules/.test(argument);
}
