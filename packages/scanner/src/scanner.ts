import { CannotScan } from "./cannot-scan.ts";
import { DirectiveCache, type DirectiveStore } from "./directive-cache.ts";
import { listDirectives } from "./directive-lexer.ts";
import { dialectKey } from "./directives.ts";
import { Execution } from "./execution.ts";
import { FileTree, TreeChanged } from "./file-tree.ts";
import type { SearchOrder } from "./include-search.ts";
import { Interruption, MissingAnswer } from "./interruptions.ts";
import type { CommandLineRoots, LanguageFacts, Question } from "./language-facts.ts";
import { MacroState } from "./macro-state.ts";
import { MacroTable } from "./macro-table.ts";
import type { Memo } from "./memo.ts";
import { Program } from "./program.ts";
import { baseOf, ScanSetting, UncertainMacros } from "./scan-setting.ts";
import { ClosureCollector, type ScannedClosure } from "./scanned-closure.ts";
import type { SourceFiles, SourceRecord } from "./source-files.ts";
import { setImmediate } from "node:timers/promises";

export interface ScanRequest {
  readonly order: SearchOrder;
  readonly facts: LanguageFacts;
  readonly roots: CommandLineRoots;
  /** Absolute, as spelled from the working folder. */
  readonly source: string;
  /** Lines that look like module imports are some. */
  readonly modules: boolean;
  readonly signal: AbortSignal;
}

export interface ScannerOptions {
  readonly store?: DirectiveStore;
  readonly maxDirectives?: number;
  readonly maxNodes?: number;
  readonly maxMemoBytes?: number;
}

/** Effects of headers on macros; 1 to 5 kB for a file, up to 40 kB for one that includes 500. */
const defaultMaxMemoBytes = 64 << 20;
const maxSymbols = 1_000_000;
const maxSettings = 100;
/** Other jobs wait meanwhile. */
const stretchMs = 4;
/** A scan that long would take the compiler long too; the rest of it is done in one go. */
const maxStretches = 200;
/** Of one scan: folders that are replaced again and again are being made by somebody. */
const maxRestarts = 8;

interface Attempt {
  stretches: number;
  restarts: number;
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
  #table = new MacroTable();
  #state = new MacroState(this.#table);
  #settings = new Map<string, ScanSetting<R>>();
  #bases = new WeakMap<LanguageFacts, Map<number, number>>();
  #memoBytes = 0;
  #collections = 0;

  constructor(files: SourceFiles<R>, options: ScannerOptions = {}) {
    this.#files = files;
    this.#tree = new FileTree(files, options.maxNodes);
    this.#directives = new DirectiveCache({
      ...(options.store === undefined ? {} : { store: options.store }),
      ...(options.maxDirectives === undefined ? {} : { maxDirectives: options.maxDirectives }),
    });
    this.#maxMemoBytes = options.maxMemoBytes ?? defaultMaxMemoBytes;
  }

  /** Rejects with `CannotScan`, or the signal's reason. */
  async scan(request: ScanRequest): Promise<ScannedClosure<R>> {
    const arrival = this.#tree.arrive();
    const attempt: Attempt = { stretches: 0, restarts: 0, startedMs: performance.now() };
    for (;;) {
      request.signal.throwIfAborted();
      const needed = this.#try(request, arrival, attempt);
      if (typeof needed !== "function") return needed;
      await needed();
      attempt.startedMs = performance.now();
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
    if (this.#memoBytes > this.#maxMemoBytes || this.#table.size > maxSymbols || this.#tree.isFull)
      this.#reset();
    const setting = this.#settingOf(request);
    this.#tree.serve(arrival);
    this.#state.setBase(this.#baseOf(request.facts));
    this.#state.begin();
    try {
      return this.#run(setting, request, arrival, attempt);
    } catch (error) {
      return this.#afterFailure(error, setting, request.facts, attempt);
    } finally {
      this.#state.rewind();
    }
  }

  #run(
    setting: ScanSetting<R>,
    { roots, source }: ScanRequest,
    arrival: number,
    attempt: Attempt,
  ): ScannedClosure<R> {
    const execution = new Execution(setting, arrival, source, (memo) => this.#onRecorded(memo, attempt));
    execution.runText(new Program(listDirectives(roots.macros, setting.facts.dialect), this.#table));
    for (const name of roots.macroFiles) execution.include(`"${name}`);
    if (roots.preinclude) execution.includeIfPresent("<stdc-predef.h");
    for (const name of roots.includes) execution.include(`"${name}`);
    execution.runMain();
    this.#collections += 1;
    const collector = new ClosureCollector<R>(this.#collections);
    collector.addChildren(execution.children);
    return collector;
  }

  #onRecorded({ effects }: Memo<R>, attempt: Attempt): void {
    this.#memoBytes += 200 + effects.reads.byteLength + effects.writes.byteLength;
    if (attempt.stretches >= maxStretches || performance.now() - attempt.startedMs < stretchMs) return;
    attempt.stretches += 1;
    throw new Interruption(setImmediate);
  }

  #afterFailure(
    error: unknown,
    setting: ScanSetting<R>,
    facts: LanguageFacts,
    attempt: Attempt,
  ): () => Promise<unknown> {
    if (error instanceof Interruption) return error.needed;
    if (error instanceof MissingAnswer) return () => this.#ask(setting, facts, error.question);
    if (error instanceof TreeChanged || error instanceof UncertainMacros) {
      attempt.restarts += 1;
      if (attempt.restarts > maxRestarts) throw changing();
      const forget = error instanceof TreeChanged ? () => this.#forgetPlaces() : () => this.#settings.clear();
      return async () => forget();
    }
    throw error;
  }

  /** One process answers everything that was not asked yet. */
  async #ask(setting: ScanSetting<R>, facts: LanguageFacts, question: Question): Promise<void> {
    const base = this.#baseOf(facts);
    const table = this.#table;
    const symbolOf = ({ name, operand }: Question): number => table.symbol(`${name}(${operand})`);
    const isOpen = (one: Question): boolean => base.has(table.symbol(one.name)) && !base.has(symbolOf(one));
    const open = new Map(
      [question, ...setting.likelyQuestions].filter(isOpen).map((one) => [symbolOf(one), one]),
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
    if (this.#settings.size >= maxSettings) this.#settings.clear();
    const parts = {
      files: this.#files,
      tree: this.#tree,
      table: this.#table,
      state: this.#state,
      directives: this.#directives,
      pause: setImmediate,
    };
    const setting = new ScanSetting<R>(parts, order, facts, modules);
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

  #forgetPlaces(): void {
    this.#tree.clear();
    this.#settings.clear();
    this.#memoBytes = 0;
  }

  #reset(): void {
    this.#forgetPlaces();
    this.#table = new MacroTable();
    this.#state = new MacroState(this.#table);
    this.#bases = new WeakMap();
  }
}

function changing(): CannotScan {
  return new CannotScan("unreadable", "folders change while they are looked at");
}
