import { CannotScan } from "./cannot-scan.ts";
import { type ConditionContext, holds } from "./condition.ts";
import { noEffects } from "./effects.ts";
import { nameOfTokens } from "./header-names.ts";
import { type LookupKind, mainNext, type Place, type Resolution } from "./include-search.ts";
import { Expansion, unknownCounter } from "./macro-expansion.ts";
import type { Question } from "./language-facts.ts";
import type { Child, FileContent, Memo, Notes } from "./memo.ts";
import type { Program, Step } from "./program.ts";
import type { ScanSetting } from "./scan-setting.ts";
import type { SourceRecord } from "./source-files.ts";

/** As gcc; clang allows 200 too. */
const maxDepth = 200;
/** How a file may have been included before: without it, by guards defined and not, in some orders of headers. */
const maxMemos = 8;

/**
 * Runs the directives of one translation unit. Whole files are replayed where nothing they read has changed; what is
 * executed is remembered for the next time.
 */
export class Execution<R extends SourceRecord> {
  readonly #setting: ScanSetting<R>;
  readonly #arrival: number;
  readonly #main: string;
  readonly #onRecorded: (memo: Memo<R>) => void;
  readonly #context: ConditionContext;
  #children: Child<R>[] = [];
  readonly #missingAnswers: Question[];
  #place: Place<R, Notes<R>>;
  #depth = 0;

  constructor(
    setting: ScanSetting<R>,
    arrival: number,
    main: string,
    /** Takes the questions that nobody has asked the compiler yet: then the scan has no result. */
    missingAnswers: Question[],
    /** May throw, to interrupt the scan. */
    onRecorded: (memo: Memo<R>) => void,
  ) {
    this.#setting = setting;
    this.#arrival = arrival;
    this.#main = main;
    this.#missingAnswers = missingAnswers;
    this.#onRecorded = onRecorded;
    this.#place = setting.search.place(`${setting.order.cwd}/<command-line>`);
    const { table, state, facts } = setting;
    this.#context = {
      table,
      state,
      cplusplus: facts.cplusplus,
      hasFile: (question, name, evaluated) =>
        evaluated || setting.order.family === "clang" ? this.#hasFile(question, name) : 0,
      answer: (name, operand) => this.#answer(name, operand),
    };
  }

  /** All that was looked up so far outside of files. */
  get children(): readonly Child<R>[] {
    return this.#children;
  }

  /** Directives of the command line. */
  runText(program: Program): void {
    this.#execute(program);
  }

  /** As an option of the command line does: `"NAME` is looked for in the working folder first. */
  include(name: string): void {
    this.#include(this.#resolve("include", name), false);
  }

  /** The same, where it does not matter when there is none. */
  includeIfPresent(name: string): void {
    const resolution = this.#resolve("include", name);
    if (resolution.place === undefined)
      this.#children.push({ resolution, content: undefined, memo: undefined });
    else this.#include(resolution, false);
  }

  /** The source itself. */
  runMain(): Memo<R> {
    const place = this.#setting.search.place(this.#main, mainNext);
    const resolution: Resolution<R, Notes<R>> = {
      kind: "line",
      from: this.#place,
      name: "",
      probes: [place.path],
      place,
      heldAt: this.#arrival,
    };
    if (place.path.end.kind !== "file") throw new CannotScan("unreadable", this.#main);
    const program = this.#setting.programOf(place, this.#arrival);
    const { identity } = place.notes;
    const outer = this.#children;
    this.#children = [];
    this.#place = place;
    this.#depth += 1;
    this.#setting.state.write(place.notes.seenSymbol, 1);
    this.#execute(program);
    // Nobody else includes it as what it is here: its effects are not worth 0.1 ms.
    const memo: Memo<R> = {
      place,
      program,
      identity,
      effects: noEffects,
      children: this.#children.slice(),
      heldAt: this.#arrival,
      collectedIn: 0,
    };
    this.#children = [...outer, { resolution, content: { program, identity }, memo }];
    return memo;
  }

  #resolve(kind: LookupKind, name: string): Resolution<R, Notes<R>> {
    return this.#setting.search.resolve(kind, name, this.#place, this.#arrival);
  }

  #include(resolution: Resolution<R, Notes<R>>, isImport: boolean): void {
    const { place, name } = resolution;
    if (place === undefined)
      throw new CannotScan("missing-include", `${name} in ${this.#place.path.spelled}`);
    this.#enter(resolution, place, isImport);
  }

  #enter(resolution: Resolution<R, Notes<R>>, place: Place<R, Notes<R>>, isImport: boolean): void {
    const { state, table } = this.#setting;
    const program = this.#setting.programOf(place, this.#arrival);
    const { identity, identitySymbol, seenSymbol } = place.notes;
    const content = contentOf(place.notes, program, identity);
    const skip = (): void => {
      this.#children.push({ resolution, content, memo: undefined });
    };
    if (state.read(identitySymbol) !== 0) return skip();
    if (isImport) {
      state.write(identitySymbol, 1);
      if (state.read(seenSymbol) !== 0) return skip();
      // gcc compares an import also with files that were only asked for, clang does not.
      if (this.#setting.order.family === "gcc" && state.read(table.symbol(`asked:${identity}`)) !== 0)
        throw new CannotScan("construct", `#import of ${place.path.spelled}, which was asked for`);
    }
    if (program.guard >= 0 && state.read(program.guard) !== 0) return skip();
    this.#children.push({ resolution, content, memo: this.#visit(place, program) });
    return undefined;
  }

  #visit(place: Place<R, Notes<R>>, program: Program): Memo<R> {
    const { state } = this.#setting;
    const { memos, identity } = place.notes;
    for (const [index, memo] of memos.entries()) {
      if (memo.program !== program || memo.identity !== identity || !state.matches(memo.effects)) continue;
      if (!this.#holds(memo)) continue;
      state.apply(memo.effects);
      if (index > 0) place.notes.memos = [memo, ...memos.filter((other) => other !== memo)];
      return memo;
    }
    const memo = this.#record(place, program);
    // What it includes may have made some of it too.
    const { memos: others } = place.notes;
    // Copies, because an array that grew has room for 16 more.
    place.notes.memos = others.length === 0 ? [memo] : [memo, ...others.slice(0, maxMemos - 1)];
    this.#onRecorded(memo);
    return memo;
  }

  #record(place: Place<R, Notes<R>>, program: Program): Memo<R> {
    if (this.#depth >= maxDepth) throw new CannotScan("limit", `depth of includes at ${place.path.spelled}`);
    const outer = { place: this.#place, children: this.#children };
    const { state } = this.#setting;
    const { identity, seenSymbol } = place.notes;
    this.#place = place;
    this.#children = [];
    this.#depth += 1;
    state.begin();
    state.write(seenSymbol, 1);
    this.#execute(program);
    const effects = state.end();
    state.note(effects);
    // A copy, because an array that grew has room for 16 more.
    const children = this.#children.slice();
    this.#depth -= 1;
    this.#place = outer.place;
    this.#children = outer.children;
    return { place, program, identity, effects, children, heldAt: this.#arrival, collectedIn: 0 };
  }

  /** Whether the files and names below are as they were. */
  #holds(memo: Memo<R>): boolean {
    if (memo.heldAt >= this.#arrival) return true;
    const { search } = this.#setting;
    if (!this.#contains(memo.place, memo)) return false;
    for (const { resolution, content, memo: nested, empty } of memo.children) {
      if (!search.holds(resolution, this.#arrival)) return false;
      const { place } = resolution;
      if (place === undefined) continue;
      if (nested === undefined) {
        if (content !== undefined && !this.#contains(place, content)) return false;
        if (empty !== undefined && isEmpty(place) !== empty) return false;
      } else if (!this.#holds(nested)) return false;
    }
    memo.heldAt = this.#arrival;
    return true;
  }

  #contains(place: Place<R, Notes<R>>, { program, identity }: FileContent): boolean {
    if (program === undefined) this.#setting.identify(place, this.#arrival);
    else if (this.#setting.programOf(place, this.#arrival) !== program) return false;
    return place.notes.identity === identity;
  }

  #execute(program: Program): void {
    const { state, table } = this.#setting;
    if (program.hidden !== undefined)
      throw new CannotScan("hidden-pragma", `${program.hidden} in ${this.#place.path.spelled}`);
    if (program.counts) state.write(table.symbol("counter:"), unknownCounter);
    if (program.uncertain.length > 0) this.#setting.makeUncertain(program.uncertain);
    const { steps } = program;
    for (let at = 0; at < steps.length; at += 1) {
      const step = steps[at];
      if (step === undefined) break;
      switch (step.kind) {
        case "define":
          state.write(step.symbol, step.definition);
          break;
        case "undef":
          state.write(step.symbol, 0);
          break;
        case "if":
        case "ifdef":
        case "ifndef":
          at = this.#choose(program, at);
          break;
        case "elif":
        case "elifdef":
        case "elifndef":
        case "else":
          at = step.end;
          break;
        case "endif":
          break;
        default:
          this.#perform(program, step);
      }
    }
  }

  /** The directive that begins the group to go on with, or ends them all. */
  #choose(program: Program, first: number): number {
    for (let at = first; ;) {
      const step = program.steps[at];
      if (step === undefined) throw new Error("a group without an end");
      if (step.kind === "else" || step.kind === "endif" || this.#holdsAt(program, step)) return at;
      at = step.otherwise;
    }
  }

  #holdsAt(program: Program, step: Step): boolean {
    const { state, facts } = this.#setting;
    if (step.kind === "if" || step.kind === "elif") return holds(program.tokensOf(step), this.#context);
    if (step.kind.startsWith("elif") && !facts.elifdef) throw new CannotScan("condition", `#${step.kind}`);
    return (state.read(step.symbol) !== 0) === (step.kind === "ifdef" || step.kind === "elifdef");
  }

  #perform(program: Program, step: Step): void {
    const { state, order, modules } = this.#setting;
    switch (step.kind) {
      case "include":
      case "import":
        return this.#include(this.#resolve("include", this.#nameAt(program, step)), step.kind === "import");
      case "include_next":
        return this.#include(this.#resolve("include_next", this.#nameAt(program, step)), false);
      case "embed":
      case "dependency":
        return this.#lookUp(step.kind === "embed" ? "embed" : "include", this.#nameAt(program, step));
      case "line":
        return this.#lineOf(program, step);
      case "once":
        // clang only warns about it in the source itself.
        if (order.family === "gcc" || this.#place.next !== mainNext)
          state.write(this.#place.notes.identitySymbol, 1);
        return undefined;
      case "push_macro":
        return state.push(step.text);
      case "pop_macro":
        return state.pop(step.text);
      case "module":
        if (modules) throw new CannotScan("construct", `${step.text} in ${this.#place.path.spelled}`);
        return undefined;
      default:
        throw new CannotScan("construct", `${step.kind} ${step.text} in ${this.#place.path.spelled}`);
    }
  }

  /** `"NAME` or `<NAME`. */
  #nameAt(program: Program, step: Step): string {
    if (!step.text.startsWith("~")) return step.text;
    const { table, state } = this.#setting;
    return nameOfTokens(new Expansion(program.tokensOf(step), table, state).rest());
  }

  #lineOf(program: Program, step: Step): void {
    if (!step.text.startsWith("~")) {
      this.#note("line", step.text);
      return;
    }
    const { table, state } = this.#setting;
    const [, name] = new Expansion(program.tokensOf(step), table, state).rest();
    if (name?.kind === "string") this.#note("line", name.text.slice(0, -1));
  }

  /** A file that must be there and is not gone through. */
  #lookUp(kind: LookupKind, name: string): void {
    if (this.#note(kind, name) === undefined) throw new CannotScan("missing-include", name);
  }

  #note(kind: LookupKind, name: string): Place<R, Notes<R>> | undefined {
    const resolution = this.#resolve(kind, name);
    this.#children.push({ resolution, content: undefined, memo: undefined });
    return resolution.place;
  }

  #hasFile(question: "include" | "include_next" | "embed", name: string): number {
    const resolution = this.#resolve(question, name);
    const { place } = resolution;
    if (question === "embed") {
      const empty = place !== undefined && isEmpty(place);
      this.#children.push({ resolution, content: undefined, memo: undefined, empty });
      return place === undefined ? 0 : empty ? 2 : 1;
    }
    let content: FileContent | undefined;
    if (place !== undefined && this.#setting.order.family === "gcc") {
      const { state, table } = this.#setting;
      this.#setting.identify(place, this.#arrival);
      const { identity } = place.notes;
      state.write(table.symbol(`asked:${identity}`), 1);
      content = { program: undefined, identity };
    }
    this.#children.push({ resolution, content, memo: undefined });
    return place === undefined ? 0 : 1;
  }

  #answer(name: string, operand: string): number {
    const { state, table } = this.#setting;
    const value = state.read(table.symbol(`${name}(${operand})`));
    if (value === 0) {
      // The rest of the scan collects what else has to be asked; its result does not count.
      this.#missingAnswers.push({ name, operand });
      return 0;
    }
    if (value < 0) throw new CannotScan("compiler", `${name}(${operand})`);
    return value - 1;
  }
}

function isEmpty<R extends SourceRecord>({ path }: Place<R, Notes<R>>): boolean {
  return path.end.stats?.size === 0n;
}

/** The same object for all who include it while it stays as it is. */
function contentOf<R extends SourceRecord>(notes: Notes<R>, program: Program, identity: string): FileContent {
  const { content } = notes;
  if (content?.program === program && content.identity === identity) return content;
  notes.content = { program, identity };
  return notes.content;
}
