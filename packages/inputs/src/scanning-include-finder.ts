import { readlinkSync } from "node:fs";
import type { Compilation } from "@homcc/compiler/compilation";
import { systemClock, type Clock } from "@homcc/observability/clock";
import { CannotScan } from "@homcc/scanner/cannot-scan";
import type { DirectiveStore } from "@homcc/scanner/directive-cache";
import type { LanguageFacts } from "@homcc/scanner/language-facts";
import { Scanner, type Surroundings } from "@homcc/scanner/scanner";
import type { Resolved } from "@homcc/compiler/link-walk";
import type { SourceFiles } from "@homcc/scanner/source-files";
import { lstatSync } from "node:fs";
import { builtInFolders } from "./built-in-folders.ts";
import { isUnchanged, type FileDigests, type FileRecord } from "./file-digests.ts";
import type { FolderWatches } from "./folder-watches.ts";
import { Gate } from "./gate.ts";
import {
  notFound,
  type DiscoveryContext,
  type FoundInputs,
  type IncludeFinder,
  type NotFound,
  type ScanComparison,
} from "./include-finder.ts";
import { LanguageFactsCache } from "./language-facts.ts";
import { listDependencies } from "./make-dependencies.ts";
import { localeVariables } from "./message-catalogs.ts";
import { missedFiles } from "./missed-files.ts";
import { type PathLooks, PathWalk, spellIn } from "./path-walk.ts";
import { findPrecompiledHeader } from "./precompiled-headers.ts";
import { readScanCommandLine } from "./scan-command-line.ts";
import { type OnIncompleteScan, type ScanTrust, ScanTrusts } from "./scan-trust.ts";
import { inputsOf } from "./scanned-inputs.ts";
import { SearchFolderCache, type SearchFolders } from "./search-folders.ts";
import { lookAtSurroundings } from "./surroundings.ts";

export interface ScanningIncludeFinderOptions {
  readonly digests: FileDigests;
  /** Where lists of directives outlive the process. */
  readonly store?: DirectiveStore;
  /** Saves looks at the compilers' own headers. */
  readonly watches?: FolderWatches;
  readonly clock?: Clock;
  /**
   * Of the compilations with the same options, the first and then each so many-th is compared with the compiler's list;
   * `Infinity` for none.
   */
  readonly verifyEvery?: number;
  /** Comparisons pass it, as other questions to compilers do. */
  readonly gate?: Gate;
  readonly onIncomplete?: OnIncompleteScan;
}

/** A comparison costs a run of the preprocessor, 100 to 300 ms: with each hundredth scan it was 2 ms of every file. Servers report on every job. */
const defaultVerifyEvery = 1000;
/** Reasons are kept for people who ask; one entry each. */
const maxReasons = 100;

/**
 * Adds the include scanner in front of a finder that asks the compiler: 1 to 2 ms in place of 40 to 300. What the
 * scanner does not understand goes to the other finder, and so do all commands with options for which the compiler's
 * list was once another than the scanner's.
 */
export class ScanningIncludeFinder implements IncludeFinder {
  readonly #finder: IncludeFinder;
  readonly #digests: FileDigests;
  readonly #clock: Clock;
  readonly #verifyEvery: number;
  readonly #gate: Gate;
  readonly #scanner: Scanner<FileRecord>;
  readonly #store: DirectiveStore | undefined;
  readonly #watches: FolderWatches | undefined;
  /** Whose built-in folders may be watched already. */
  readonly #ownFolders = new WeakSet<SearchFolders>();
  readonly #searchFolders = new SearchFolderCache();
  readonly #languageFacts = new LanguageFactsCache();
  readonly #trusts: ScanTrusts;
  readonly #reasons = new Map<string, number>();
  #scans = 0;

  constructor(finder: IncludeFinder, options: ScanningIncludeFinderOptions) {
    this.#finder = finder;
    this.#digests = options.digests;
    this.#clock = options.clock ?? systemClock;
    this.#verifyEvery = options.verifyEvery ?? defaultVerifyEvery;
    this.#gate = options.gate ?? new Gate(1);
    this.#trusts = new ScanTrusts(options.onIncomplete ?? (() => {}));
    this.#store = options.store;
    this.#watches = options.watches;
    this.#scanner = new Scanner(sourceFiles(this.#digests, this.#clock), {
      ...(options.store === undefined ? {} : { store: options.store }),
      ...(options.watches === undefined ? {} : { changes: options.watches }),
      // Of a header that is named to a server as much again is kept.
      elsewhereBytes: () => 2 * this.#digests.packedBytes,
    });
  }

  /** How many compilations were scanned, and why others were not. */
  get counters(): { readonly scans: number; readonly reasons: ReadonlyMap<string, number> } {
    return { scans: this.#scans, reasons: this.#reasons };
  }

  async find(compilation: Compilation, context: DiscoveryContext): Promise<FoundInputs | NotFound> {
    try {
      const found = await this.#scan(compilation, context);
      if (found !== undefined) return found;
    } catch (error) {
      if (error instanceof PrecompiledHeader) return notFound("local-construct", error.message);
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      this.#count(refusal);
    }
    return this.#finder.find(compilation, context);
  }

  /** Asks a compiler only about itself, once for each set of options. */
  async recall(
    compilation: Compilation,
    context: DiscoveryContext,
  ): Promise<FoundInputs | NotFound | undefined> {
    try {
      return await this.#scan(compilation, context);
    } catch (error) {
      if (error instanceof PrecompiledHeader || refusalOf(error) !== undefined) return undefined;
      throw error;
    }
  }

  release(): void {
    this.#scanner.release();
    void this.#store?.release?.();
    this.#finder.release?.();
  }

  async compare(compilation: Compilation, context: DiscoveryContext): Promise<ScanComparison> {
    let inputs: FoundInputs;
    try {
      inputs = await this.#scanned(compilation, context, undefined);
    } catch (error) {
      if (error instanceof PrecompiledHeader) return { kind: "not-scanned", reason: error.message };
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      return { kind: "not-scanned", reason: refusal.message };
    }
    const listing = await this.#gate.run(() => listDependencies(compilation, context));
    if (listing.kind !== "listed") return { kind: "not-listed" };
    const found = inputs.files.map(({ entry }) => entry.path);
    const walk = new PathWalk(context.cwd);
    const listed = new Set(listing.paths.map((path) => walk.resolve(walk.spell(path)).path));
    const folders = await this.#searchFolders.of(compilation, context);
    const around = new PathWalk(context.cwd);
    if (folders !== undefined) lookAtSurroundings(around, compilation, context, folders);
    return {
      kind: "compared",
      files: found.length,
      missing: missedFiles(listing.paths, found, context.cwd),
      extra: found.filter((path) => !listed.has(path) && !around.files.has(path)).sort(),
    };
  }

  async #scan(compilation: Compilation, context: DiscoveryContext): Promise<FoundInputs | undefined> {
    if (isPreprocessed(compilation)) return undefined;
    const { languageArguments } = readScanCommandLine(compilation, context.family);
    const trust = this.#trusts.of(
      JSON.stringify([context.compilerPath, context.toolchain, compilation.language, languageArguments]),
    );
    if (!trust.isKept) return undefined;
    const inputs = await this.#scanned(compilation, context, trust);
    // Another job's comparison may have ended meanwhile.
    return trust.isKept ? this.#sample(compilation, context, trust, inputs) : undefined;
  }

  /** Throws why it cannot be scanned. */
  async #scanned(
    compilation: Compilation,
    context: DiscoveryContext,
    trust: ScanTrust | undefined,
  ): Promise<FoundInputs> {
    if (isPreprocessed(compilation)) throw new CannotScan("construct", "it is preprocessed already");
    const arrival = this.#scanner.arrive();
    const startedAtMs = this.#clock.wallMs();
    const command = readScanCommandLine(compilation, context.family);
    // While compilers are asked.
    const ready = this.#store?.ready?.();
    const folders = await this.#searchFolders.of(compilation, context);
    if (folders === undefined) throw new CannotScan("compiler", "it does not accept the options");
    this.#watchBuiltIn(folders, compilation, context);
    const facts = await this.#languageFacts
      .of(command.languageArguments, compilation.language, context)
      .catch((error: unknown) => {
        context.signal.throwIfAborted();
        throw new CannotScan("compiler", String(error));
      });
    if (facts === undefined) throw new CannotScan("compiler", "it does not say which language it compiles");
    await ready;
    const spell = (path: string): string => spellIn(context.cwd, path);
    const closure = await this.#scanner.scan({
      arrival,
      order: {
        family: context.family,
        cwd: context.cwd,
        quote: folders.quote.map(spell),
        angle: folders.angle.map(spell),
        embed: command.embedFolders.map(spell),
      },
      facts,
      roots: { ...command.roots, preinclude: !command.noStandardIncludes && isHosted(facts) },
      source: spell(compilation.source),
      modules: modulesAreOn(compilation),
      key: surroundingsKey(compilation, context, folders),
      lookAround: (around) => lookAround(around, compilation, context, folders),
      signal: context.signal,
    });
    return inputsOf(closure, startedAtMs, trust);
  }

  #watchBuiltIn(folders: SearchFolders, compilation: Compilation, context: DiscoveryContext): void {
    if (this.#watches === undefined || this.#ownFolders.has(folders)) return;
    this.#ownFolders.add(folders);
    this.#watches.own(builtInFolders(folders, compilation, context));
  }

  /** Some are compared with the compiler's own list. */
  #sample(
    compilation: Compilation,
    context: DiscoveryContext,
    trust: ScanTrust,
    inputs: FoundInputs,
  ): FoundInputs {
    this.#scans += 1;
    const before = trust.scans;
    trust.scans += 1;
    if (this.#verifyEvery === Infinity || before % this.#verifyEvery !== 0) return inputs;
    // What may turn out wrong is not for being asked again.
    return { ...inputs, lasting: false, confirm: this.#confirmation(compilation, context, trust, inputs) };
  }

  #confirmation(
    compilation: Compilation,
    context: DiscoveryContext,
    trust: ScanTrust,
    inputs: FoundInputs,
  ): () => Promise<boolean> {
    const ask = async (): Promise<boolean> => {
      try {
        const listing = await this.#gate.run(() => listDependencies(compilation, context));
        const found = inputs.files.map(({ entry }) => entry.path);
        const missing = listing.kind === "listed" ? missedFiles(listing.paths, found, context.cwd) : [];
        const holds = listing.kind === "listed" && missing.length === 0;
        if (!holds) trust.lose({ source: compilation.source, missing });
        return holds;
      } catch {
        return false;
      }
    };
    let asked: Promise<boolean> | undefined;
    return () => (asked ??= ask());
  }

  #count({ reason, detail }: CannotScan): void {
    const key = `${reason}: ${detail}`;
    if (this.#reasons.size < maxReasons || this.#reasons.has(key))
      this.#reasons.set(key, (this.#reasons.get(key) ?? 0) + 1);
  }
}

function refusalOf(error: unknown): CannotScan | undefined {
  // A hundred operators before one operand: no depth of the stack is enough for everybody.
  if (error instanceof RangeError) return new CannotScan("limit", error.message);
  return error instanceof CannotScan ? error : undefined;
}

/** The compiler may read another file in place of an include. */
class PrecompiledHeader extends Error {}

function lookAround(
  around: Surroundings,
  compilation: Compilation,
  context: DiscoveryContext,
  folders: SearchFolders,
): void {
  const looks: PathLooks = {
    spell: (path, folder = context.cwd) => spellIn(folder, path),
    look: (path) => ({ kind: kindOf(around.look(path)) }),
    lookAtFolder: (path) => ({ kind: kindOf(around.look(path)) }),
    resolve: (path) => ({ kind: kindOf(around.peek(path)) }),
  };
  lookAtSurroundings(looks, compilation, context, folders);
  const firstIncludes = around.firstIncludes.map((name) => ({
    form: name.startsWith("<") ? ("angle" as const) : ("quote" as const),
    name: name.slice(1),
  }));
  const precompiled = findPrecompiledHeader(compilation, context.family, firstIncludes, folders, looks);
  if (precompiled !== undefined) throw new PrecompiledHeader(`precompiled header ${precompiled}`);
}

function kindOf(kind: ReturnType<Surroundings["look"]>): Resolved["kind"] {
  return kind === "link" ? "blocked" : kind;
}

/** All that `lookAround` depends on beside the source. */
function surroundingsKey(
  { outputs, includeDirectories, forcedIncludes, extraInputs }: Compilation,
  { environment, compilerPath, toolchain }: DiscoveryContext,
  { missing, duplicate, majorVersion }: SearchFolders,
): string {
  const variables = ["PWD", ...localeVariables].map((name) => environment[name] ?? null);
  const folders = [includeDirectories, missing, duplicate, majorVersion];
  return JSON.stringify([outputs, forcedIncludes, extraInputs, folders, compilerPath, toolchain, variables]);
}

/** gcc includes `stdc-predef.h` of its own accord only then. */
function isHosted({ predefined }: LanguageFacts): boolean {
  return Buffer.from(predefined).includes("#define __STDC_HOSTED__ 1\n");
}

function isPreprocessed({ language }: Compilation): boolean {
  return language.endsWith("cpp-output");
}

function modulesAreOn({ discoveryArguments }: Compilation): boolean {
  return discoveryArguments.some((argument) => /^(--?std=)?(c|gnu)\+\+2|^-f(cxx-)?modules/.test(argument));
}

const lookOptions = { bigint: true, throwIfNoEntry: false } as const;

function sourceFiles(digests: FileDigests, clock: Clock): SourceFiles<FileRecord> {
  return {
    lstat: (path) => lstatSync(path, lookOptions),
    readlink: (path) => new TextDecoder("utf-8", { fatal: true }).decode(readlinkSync(path, "buffer")),
    identify: (path, stats) => orLater(digests.recordNow(path, stats)),
    read: ({ entry }) => orLater(digests.readNow(entry)),
    isUnchanged,
    wallMs: () => clock.wallMs(),
  };
}

function orLater<T, L>(now: T | Promise<L>): T | { readonly later: () => Promise<L> } {
  return now instanceof Promise ? { later: () => now } : now;
}
