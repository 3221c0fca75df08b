import { CannotScan } from "./cannot-scan.ts";
import { DirectiveCache, type DirectiveStore } from "./directive-cache.ts";
import { listDirectives } from "./directive-lexer.ts";
import { dialectKey } from "./directives.ts";
import { Execution } from "./execution.ts";
import type { FolderChanges } from "./folder-changes.ts";
import { type FileNode, FileTree, type SpelledPath, TreeChanged } from "./file-tree.ts";
import type { SearchOrder } from "./include-search.ts";
import { Interruption } from "./interruptions.ts";
import type { CommandLineRoots, LanguageFacts, Question } from "./language-facts.ts";
import { LoopTurns, turnMs } from "./loop-turns.ts";
import { MacroState } from "./macro-state.ts";
import { MacroTable } from "./macro-table.ts";
import { type KnownUnit, KnownUnits, sameChildren } from "./known-units.ts";
import type { Child, Memo } from "./memo.ts";
import { Program } from "./program.ts";
import { baseOf, ScanSetting, UncertainMacros } from "./scan-setting.ts";
import { ClosureCollector, ClosureWatch, type ScannedClosure } from "./scanned-closure.ts";
import type { SourceFiles, SourceRecord } from "./source-files.ts";
import { setImmediate } from "node:timers/promises";

export interface ScanRequest {
  /** Of `arrive`, when the unit was asked for: units that were asked for together share their looks. */
  readonly arrival: number;
  readonly order: SearchOrder;
  readonly facts: LanguageFacts;
  readonly roots: CommandLineRoots;
  /** Absolute, as spelled from the working folder. */
  readonly source: string;
  /** Lines that look like module imports are some. */
  readonly modules: boolean;
  /** What `lookAround` does depends on this and on the source's contents alone. */
  readonly key: string;
  /** Looks at what counts beside includes: each path that it looks at belongs to the closure. */
  readonly lookAround: (around: Surroundings) => void;
  readonly signal: AbortSignal;
}

export interface Surroundings {
  /** Of an absolute path, which then is part of the closure. */
  look(path: string): FileNode["kind"];
  /** The same without consequences. */
  peek(path: string): FileNode["kind"];
  /** What could be the source's first include: `"NAME` or `<NAME`. */
  readonly firstIncludes: readonly string[];
}

export interface ScannerOptions {
  readonly store?: DirectiveStore;
  readonly maxDirectives?: number;
  readonly maxNodes?: number;
  /** Saves looks. */
  readonly changes?: FolderChanges;
  readonly maxMemoBytes?: number;
  readonly maxSettingBytes?: number;
  readonly maxBytes?: number;
  /** What others keep of the same files: of `maxBytes` so much less is for the scanner, down to a third. */
  readonly elsewhereBytes?: () => number;
}

/** What headers do to macros and include; 2 to 5 kB for a file, up to 40 kB for one that includes 500. */
const defaultMaxMemoBytes = 24 << 20;
const memoBaseBytes = 230;
const childBytes = 55;
/** Programs of contents, and what names lead to: 15,000 headers of 30 directives. */
const defaultMaxSettingBytes = 56 << 20;
/** All of it. */
const defaultMaxBytes = 72 << 20;
/** Of it: what may be left when memos and units are gone, before all is found out again. */
const restShare = 0.75;
const maxSymbols = 1_000_000;
const maxSettings = 100;
/** A scan that long would take the compiler long too; the rest of it is done in one go. */
const maxStretches = 200;
/** Of one scan: folders that are replaced again and again are being made by somebody. */
const maxRestarts = 8;

/** Of questions to the compiler. */
const maxRounds = 30;

interface Attempt {
  stretches: number;
  restarts: number;
  rounds: number;
  startedMs: number;
}

/**
 * Finds what translation units include and probe by evaluating the directives of their files, as the preprocessor
 * would. What a file does to the macros is remembered by what it reads of them, so that a unit whose headers are known
 * costs their stats and little else. Not a line is guessed: what is not understood throws `CannotScan`.
 */
export class Scanner<R extends SourceRecord> {
  readonly #files: SourceFiles<R>;
  readonly #tree: FileTree<R>;
  readonly #directives: DirectiveCache;
  readonly #maxMemoBytes: number;
  readonly #maxSettingBytes: number;
  readonly #maxBytes: number;
  readonly #elsewhereBytes: () => number;
  #table = new MacroTable();
  #state = new MacroState(this.#table);
  #settings = new Map<string, ScanSetting<R>>();
  #bases = new WeakMap<LanguageFacts, Map<number, number>>();
  readonly #units = new KnownUnits<R>();
  readonly #turns = new LoopTurns();
  readonly #factNumbers = new WeakMap<LanguageFacts, number>();
  #factCount = 0;
  #settingCount = 0;
  #memoBytes = 0;
  #settingBytes = 0;
  #collections = 0;

  constructor(files: SourceFiles<R>, options: ScannerOptions = {}) {
    this.#files = files;
    this.#tree = new FileTree(files, options.maxNodes, options.changes);
    this.#directives = new DirectiveCache({
      ...(options.store === undefined ? {} : { store: options.store }),
      ...(options.maxDirectives === undefined ? {} : { maxDirectives: options.maxDirectives }),
    });
    this.#maxMemoBytes = options.maxMemoBytes ?? defaultMaxMemoBytes;
    this.#maxSettingBytes = options.maxSettingBytes ?? defaultMaxSettingBytes;
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes;
    this.#elsewhereBytes = options.elsewhereBytes ?? (() => 0);
  }

  /** Estimated, of all that it keeps. */
  get bytes(): number {
    const kept = this.#settingBytes + this.#memoBytes + this.#units.bytes;
    return kept + this.#tree.bytes + this.#table.bytes + this.#directives.bytes;
  }

  /** Whatever is looked at from now on counts for the scan that was asked for now; earlier looks do not. */
  arrive(): number {
    return this.#tree.arrive();
  }

  /** Rejects with `CannotScan`, or the signal's reason. */
  async scan(request: ScanRequest): Promise<ScannedClosure<R>> {
    const { arrival } = request;
    const attempt: Attempt = { stretches: 0, restarts: 0, rounds: 0, startedMs: performance.now() };
    await this.#tree.catchUp(arrival);
    for (;;) {
      await this.#turns.take();
      attempt.startedMs = performance.now();
      let needed: ScannedClosure<R> | (() => Promise<unknown>);
      try {
        request.signal.throwIfAborted();
        needed = this.#try(request, arrival, attempt);
      } finally {
        this.#turns.spend(performance.now() - attempt.startedMs);
      }
      if (typeof needed !== "function") return needed;
      await needed();
    }
  }

  /** Forgets all that is made again by reading files. */
  release(): void {
    this.#reset();
    this.#directives.clear();
  }

  /** The result, or what has to happen before the next attempt. */
  #try(
    request: ScanRequest,
    arrival: number,
    attempt: Attempt,
  ): ScannedClosure<R> | (() => Promise<unknown>) {
    this.#makeRoom();
    if (this.#settingBytes > this.#maxSettingBytes) this.#forgetSettings();
    if (this.#memoBytes > this.#maxMemoBytes) this.#forgetMemos();
    const setting = this.#settingOf(request);
    setting.onProgress = () => this.#rest(attempt);
    this.#tree.serve(arrival);
    this.#state.setBase(this.#baseOf(request.facts));
    this.#state.begin();
    const missing: Question[] = [];
    const ask = (): Promise<void> => this.#ask(setting, request.facts, missing, attempt);
    try {
      const closure = this.#run(setting, request, arrival, attempt, missing);
      return missing.length === 0 ? closure : ask;
    } catch (error) {
      if (error instanceof CannotScan && missing.length > 0) return ask;
      return this.#afterFailure(error, attempt);
    } finally {
      this.#state.rewind();
    }
  }

  #run(
    setting: ScanSetting<R>,
    request: ScanRequest,
    arrival: number,
    attempt: Attempt,
    missing: Question[],
  ): ScannedClosure<R> {
    const unitKey = this.#unitKey(setting, request);
    const unit = this.#units.get(unitKey);
    const held = unit?.watch.holds(this.#tree) === true;
    if (unit !== undefined && held) {
      // All below the source is as it was.
      trust(unit.roots.slice(0, -1), arrival);
      trust(unit.main.children, arrival);
      const program = setting.programOf(unit.main.place, arrival);
      if (program === unit.main.program && unit.main.place.notes.identity === unit.main.identity)
        return unit.watch.closure;
    }
    const execution = new Execution(setting, arrival, request.source, missing, (memo) =>
      this.#onRecorded(memo, attempt),
    );
    const { macros, macroFiles, preinclude, includes } = request.roots;
    if (macros.length > 0)
      execution.runText(new Program(listDirectives(macros, setting.facts.dialect), this.#table));
    for (const name of macroFiles) execution.include(`"${name}`);
    if (preinclude) execution.includeIfPresent("<stdc-predef.h");
    for (const name of includes) execution.include(`"${name}`);
    const main = execution.runMain();
    const roots = execution.children;
    const watch = this.#watch(request, held ? unit : undefined, main, roots);
    if (missing.length === 0) this.#units.set(unitKey, { setting, watch, roots, main });
    return watch.closure;
  }

  /** That of the unit, which holds, where the source's new text includes the same. */
  #watch(
    { lookAround }: ScanRequest,
    unit: KnownUnit<R> | undefined,
    main: Memo<R>,
    roots: readonly Child<R>[],
  ): ClosureWatch<R> {
    const source = main.place.path.end;
    const around = new Set<SpelledPath<R>>();
    lookAround({
      firstIncludes: main.program.firstIncludes(),
      look: (path) => {
        const looked = this.#tree.look(path);
        around.add(looked);
        return looked.end.kind;
      },
      peek: (path) => this.#tree.look(path).end.kind,
    });
    if (unit !== undefined && this.#isSame(unit, main, roots, around)) return unit.watch;
    this.#collections += 1;
    const collector = new ClosureCollector<R>(this.#tree, this.#collections);
    collector.addChildren(roots);
    for (const path of around) collector.add(path);
    return new ClosureWatch(collector.closure(), source, around);
  }

  #isSame(
    unit: KnownUnit<R>,
    main: Memo<R>,
    roots: readonly Child<R>[],
    around: ReadonlySet<SpelledPath<R>>,
  ): boolean {
    return (
      main.place === unit.main.place &&
      sameChildren(main.children, unit.main.children) &&
      sameChildren(roots.slice(0, -1), unit.roots.slice(0, -1)) &&
      around.size === unit.watch.around.size &&
      [...around].every((path) => unit.watch.around.has(path))
    );
  }

  #unitKey(setting: ScanSetting<R>, { source, roots, facts, key }: ScanRequest): string {
    const { macros, macroFiles, includes, preinclude } = roots;
    const forced = [...macroFiles, "", ...includes].join("\n");
    const text = Buffer.from(macros).toString("latin1");
    return `${setting.number} ${this.#numberOf(facts)} ${preinclude}\0${source}\0${forced}\0${text}\0${key}`;
  }

  #numberOf(facts: LanguageFacts): number {
    let number = this.#factNumbers.get(facts);
    if (number === undefined) {
      this.#factCount += 1;
      number = this.#factCount;
      this.#factNumbers.set(facts, number);
    }
    return number;
  }

  #onRecorded({ effects, children }: Memo<R>, attempt: Attempt): void {
    this.#memoBytes += memoBaseBytes + 4 * (effects.end - effects.reads) + childBytes * children.length;
    this.#rest(attempt);
  }

  /** Whatever was done before is kept: an interrupted scan comes further each time. */
  #rest(attempt: Attempt): void {
    if (attempt.stretches >= maxStretches || performance.now() - attempt.startedMs < turnMs) return;
    attempt.stretches += 1;
    throw new Interruption(setImmediate);
  }

  #afterFailure(error: unknown, attempt: Attempt): () => Promise<unknown> {
    if (error instanceof Interruption) return error.needed;
    if (error instanceof TreeChanged || error instanceof UncertainMacros) {
      attempt.restarts += 1;
      if (attempt.restarts > maxRestarts) throw changing();
      const forget = error instanceof TreeChanged ? () => this.#forgetPlaces() : () => this.#forgetSettings();
      return async () => forget();
    }
    throw error;
  }

  /** One process answers everything that was not asked yet. */
  async #ask(
    setting: ScanSetting<R>,
    facts: LanguageFacts,
    questions: readonly Question[],
    attempt: Attempt,
  ): Promise<void> {
    attempt.rounds += 1;
    if (attempt.rounds > maxRounds) throw new CannotScan("compiler", "answers lead to more questions");
    const base = this.#baseOf(facts);
    const table = this.#table;
    const symbolOf = ({ name, operand }: Question): number => table.symbol(`${name}(${operand})`);
    const isOpen = (one: Question): boolean => base.has(table.symbol(one.name)) && !base.has(symbolOf(one));
    const open = new Map(
      [...questions, ...setting.likelyQuestions].filter(isOpen).map((one) => [symbolOf(one), one]),
    );
    const answers = await facts.ask([...open.values()]);
    for (const [index, symbol] of [...open.keys()].entries()) {
      const answer = answers[index];
      this.#state.setBaseValue(base, symbol, answer === undefined ? -1 : answer + 1);
    }
  }

  #settingOf({ order, facts, modules }: ScanRequest): ScanSetting<R> {
    const { dialect, cplusplus, elifdef } = facts;
    const key = JSON.stringify([order, dialectKey(dialect), cplusplus, elifdef, modules]);
    const known = this.#settings.get(key);
    if (known !== undefined) return known;
    if (this.#settings.size >= maxSettings) this.#forgetSettings();
    const parts = {
      files: this.#files,
      tree: this.#tree,
      table: this.#table,
      state: this.#state,
      directives: this.#directives,
      pause: setImmediate,
      weigh: (bytes: number): void => {
        this.#settingBytes += bytes;
      },
    };
    this.#settingCount += 1;
    const setting = new ScanSetting<R>(parts, order, facts, modules, this.#settingCount);
    this.#settings.set(key, setting);
    return setting;
  }

  #baseOf(facts: LanguageFacts): Map<number, number> {
    const known = this.#bases.get(facts);
    if (known !== undefined) return known;
    const base = baseOf(facts, this.#table);
    this.#bases.set(facts, base);
    return base;
  }

  /** Memos and units are a third of all, and made again from the rest. */
  #makeRoom(): void {
    if (this.#table.size > maxSymbols || this.#tree.isFull) this.#reset();
    const maxBytes = Math.max(this.#maxBytes - this.#elsewhereBytes(), this.#maxBytes / 3);
    if (this.bytes <= maxBytes) return;
    this.#forgetMemos();
    if (this.bytes > maxBytes * restShare) this.#reset();
  }

  #forgetPlaces(): void {
    this.#tree.clear();
    this.#forgetSettings();
  }

  #forgetMemos(): void {
    for (const setting of this.#settings.values()) setting.forgetMemos();
    this.#units.clear();
    this.#memoBytes = 0;
  }

  #forgetSettings(): void {
    this.#settings.clear();
    this.#units.clear();
    this.#memoBytes = 0;
    this.#settingBytes = 0;
  }

  #reset(): void {
    this.#forgetPlaces();
    this.#table = new MacroTable();
    this.#state = new MacroState(this.#table);
    this.#bases = new WeakMap();
  }
}

/** The files and names of these are known to be as they were. */
function trust<R extends SourceRecord>(children: readonly Child<R>[], arrival: number): void {
  for (const { resolution, memo } of children) {
    resolution.heldAt = arrival;
    if (memo !== undefined) memo.heldAt = arrival;
  }
}

function changing(): CannotScan {
  return new CannotScan("unreadable", "folders change while they are looked at");
}
