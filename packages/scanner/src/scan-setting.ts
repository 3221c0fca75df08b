import { CannotScan } from "./cannot-scan.ts";
import type { DirectiveCache } from "./directive-cache.ts";
import { listDirectives } from "./directive-lexer.ts";
import type { FileTree } from "./file-tree.ts";
import { IncludeSearch, type Place, type SearchOrder } from "./include-search.ts";
import { Interruption } from "./interruptions.ts";
import type { LanguageFacts, Question } from "./language-facts.ts";
import type { MacroState } from "./macro-state.ts";
import { builtinValue, type MacroTable } from "./macro-table.ts";
import { makeNotes, type Notes } from "./memo.ts";
import { likelyQuestions, Program } from "./program.ts";
import type { SourceFiles, SourceRecord, SourceText } from "./source-files.ts";

/** At 150 MB/s, 2 ms: larger files are lexed in steps. */
const stepBytes = 300 << 10;
/** An operand more or less changes nothing: one process answers them all in 30 ms. */
const maxLikelyQuestions = 2000;

/** Every edit of every file makes one. */
const maxPrograms = 30_000;

/** What scans of any setting share. */
export interface ScanParts<R extends SourceRecord> {
  readonly files: SourceFiles<R>;
  readonly tree: FileTree<R>;
  readonly table: MacroTable;
  readonly state: MacroState;
  readonly directives: DirectiveCache;
  readonly pause: () => Promise<void>;
  /** So many bytes more are held, or fewer. */
  readonly weigh: (bytes: number) => void;
}

const programBytes = 250;
const stepBytesInMemory = 80;

/** Programs depend on the dialect, places on the search order: scans that have both in common share their memos. */
export class ScanSetting<R extends SourceRecord> {
  readonly order: SearchOrder;
  readonly facts: LanguageFacts;
  readonly modules: boolean;
  /** Its own. */
  readonly number: number;
  readonly table: MacroTable;
  readonly state: MacroState;
  readonly search: IncludeSearch<R, Notes<R>>;
  /** Called when a file has become known. May throw, to interrupt the scan. */
  onProgress: () => void = () => undefined;
  readonly #parts: ScanParts<R>;
  readonly #programs = new Map<string, Program>();
  readonly #likely = new Map<string, Question>();

  constructor(
    parts: ScanParts<R>,
    order: SearchOrder,
    facts: LanguageFacts,
    modules: boolean,
    number: number,
  ) {
    this.number = number;
    this.#parts = parts;
    this.order = order;
    this.facts = facts;
    this.modules = modules;
    this.table = parts.table;
    this.state = parts.state;
    this.search = new IncludeSearch(parts.tree, order, makeNotes<R>, parts.weigh);
  }

  /** Questions that files asked or will ask. */
  get likelyQuestions(): Iterable<Question> {
    return this.#likely.values();
  }

  /** What the file contains now. */
  programOf(place: Place<R, Notes<R>>, arrival: number): Program {
    const { notes } = place;
    if (notes.heldAt >= arrival && notes.program !== undefined) return notes.program;
    const before = notes.record?.entry.digest;
    const record = this.identify(place, arrival);
    if (notes.program === undefined || before !== record.entry.digest) {
      notes.program = this.#program(place, record);
      this.onProgress();
    }
    return notes.program;
  }

  identify(place: Place<R, Notes<R>>, arrival: number): R {
    const { tree } = this.#parts;
    const { notes, path } = place;
    if (notes.heldAt >= arrival && notes.record !== undefined) return notes.record;
    const { end } = path;
    tree.refresh(end);
    if (end.stats === undefined || end.kind !== "file") throw new CannotScan("unreadable", path.spelled);
    const record = tree.identify(end);
    if (record === undefined) throw new CannotScan("unreadable", path.spelled);
    if (notes.record !== record) {
      if (notes.record?.entry.digest !== record.entry.digest) notes.program = undefined;
      notes.record = record;
      notes.identity =
        this.order.family === "gcc"
          ? `${record.entry.mtimeNs / 1_000_000_000n}:${record.entry.digest}`
          : `${end.stats.dev}:${end.stats.ino}`;
      notes.identitySymbol = this.table.symbol(`once:${notes.identity}`);
      notes.seenSymbol = this.table.symbol(`seen:${notes.identitySymbol}`);
    }
    notes.heldAt = arrival;
    return record;
  }

  /** Of a source that is found again, and whose directives are read again, when it is asked for. */
  forgetSource(place: Place<R, Notes<R>>, program: Program): void {
    this.search.forget(place);
    const digest = place.notes.record?.entry.digest;
    if (digest === undefined || this.#programs.get(digest) !== program) return;
    this.#programs.delete(digest);
    this.#parts.weigh(-weightOf(program));
  }

  /** What files do is found out anew. */
  forgetMemos(): void {
    for (const { notes } of this.search.places()) notes.memos = [];
  }

  /** From now on conditions on them are not decided; what was decided is decided anew. */
  makeUncertain(symbols: readonly number[]): void {
    const fresh = symbols.filter((symbol) => this.state.makeUncertain(symbol));
    if (fresh.length > 0) throw new UncertainMacros();
  }

  #program(place: Place<R, Notes<R>>, record: R): Program {
    const { digest } = record.entry;
    const known = this.#programs.get(digest);
    if (known !== undefined) return known;
    const list = this.#parts.directives.get(digest, this.facts.dialect) ?? this.#lex(place, record);
    const program = new Program(list, this.table);
    this.#parts.weigh(weightOf(program));
    // Places hold those they use.
    if (this.#programs.size >= maxPrograms) this.#programs.clear();
    this.#programs.set(digest, program);
    for (const question of likelyQuestions(list)) {
      if (this.#likely.size >= maxLikelyQuestions) break;
      this.#likely.set(`${question.name} ${question.operand}`, question);
    }
    return program;
  }

  #lex(place: Place<R, Notes<R>>, record: R): ReturnType<typeof listDirectives> {
    const { digest } = record.entry;
    const text = this.#parts.files.read(record);
    if (text !== undefined && "later" in text) {
      throw new Interruption(async () => {
        const lexing = this.#startLexing(await text.later(), place, digest);
        while (lexing.next().done !== true) await this.#parts.pause();
      });
    }
    const lexing = this.#startLexing(text, place, digest);
    const step = lexing.next();
    if (step.done === true) return step.value;
    throw new Interruption(async () => {
      do await this.#parts.pause();
      while (lexing.next().done !== true);
    });
  }

  #startLexing(
    text: SourceText<R> | undefined,
    { path }: Place<R, Notes<R>>,
    digest: R["entry"]["digest"],
  ): ReturnType<DirectiveCache["lex"]> {
    if (text === undefined) throw new CannotScan("unreadable", path.spelled);
    if (text.record.entry.digest !== digest) throw new CannotScan("unreadable", `${path.spelled} changes`);
    return this.#parts.directives.lex(digest, this.facts.dialect, text.bytes, stepBytes);
  }
}

function weightOf({ steps }: Program): number {
  return programBytes + stepBytesInMemory * steps.length;
}

/** Macros became uncertain that earlier decisions may rest on. */
export class UncertainMacros extends Error {}

/** What is there before anything is read. */
export function baseOf(
  { predefined, builtins, dialect }: LanguageFacts,
  table: MacroTable,
): Map<number, number> {
  const base = new Map<number, number>();
  for (const name of builtins) base.set(table.symbol(name), builtinValue);
  for (const { kind, operand, definition } of listDirectives(predefined, dialect).directives) {
    if (kind === "define") base.set(table.symbol(operand), table.definition(definition));
  }
  return base;
}
