import { readFileSync } from "node:fs";
import { mentionsAssembler } from "@homcc/compiler/embedded-directives";
import {
  extractIncludeNames,
  type IncludeName,
  type IncludeNames,
  type MacroFocus,
  type NameKind,
} from "@homcc/compiler/include-names";
import type { FileDigests, FileRecord } from "./file-digests.ts";
import { notFound, type NotFound } from "./include-finder.ts";
import type { NamesByDigest } from "./names-by-digest.ts";
import type { Pace } from "./pace.ts";
import type { PathWalk } from "./path-walk.ts";
import { folderOf, type ProbeList } from "./probe-list.ts";

export interface ClosureRules {
  /** Real paths of the files the compiler reads; `undefined` when it could not say: then all that may be. */
  readonly listed: ReadonlySet<string> | undefined;
  /** The command line's definitions, as directives. */
  readonly commandLine: Uint8Array;
  /** Lines that look like module imports are some. */
  readonly modules: boolean;
}

interface Member {
  readonly spelled: string;
  /** The file that is gone through, or the text of the command line's definitions. */
  readonly source: FileRecord | Uint8Array;
  names: IncludeNames;
}

/**
 * Goes from file to file by the names in them, looking each name up wherever the compiler may have. A file that the
 * compiler did not list is an input for its existence and is not gone through.
 */
export class Closure {
  readonly #walk: PathWalk;
  readonly #probes: ProbeList;
  readonly #digests: FileDigests;
  readonly #names: NamesByDigest;
  readonly #rules: ClosureRules;
  readonly #pace: Pace;
  readonly #visited = new Set<string>();
  readonly #enqueued = new Set<string>();
  readonly #queue: string[] = [];
  readonly #members: Member[] = [];
  readonly #reachedByName = new Set<string>();

  constructor(
    parts: {
      readonly walk: PathWalk;
      readonly probes: ProbeList;
      readonly digests: FileDigests;
      readonly names: NamesByDigest;
      readonly pace: Pace;
    },
    rules: ClosureRules,
  ) {
    this.#walk = parts.walk;
    this.#probes = parts.probes;
    this.#digests = parts.digests;
    this.#names = parts.names;
    this.#pace = parts.pace;
    this.#rules = rules;
    const { commandLine } = rules;
    const spelled = this.#walk.spell("<command-line>");
    const names = extractIncludeNames(commandLine);
    this.#members.push({ spelled, source: commandLine, names });
    for (const name of names.names) this.look(name, folderOf(spelled));
  }

  /** Real paths that some name led to. */
  get reachedByName(): ReadonlySet<string> {
    return this.#reachedByName;
  }

  /** Folders of files that have a computed operand. */
  computingFolders(): Set<string> {
    const computing = this.#members.filter(({ names }) => names.computed.length > 0);
    return new Set(computing.map(({ spelled }) => folderOf(spelled)));
  }

  /** Follows everything from these files on. Files that do not exist are noted as absent. */
  async follow(spelled: Iterable<string>): Promise<NotFound | undefined> {
    for (const path of spelled) this.#enqueue(path);
    for (let next = this.#queue.pop(); next !== undefined; next = this.#queue.pop()) {
      const problem = await this.#visit(next);
      if (problem !== undefined) return problem;
      if (this.#pace.due()) await this.#pace.pause();
    }
    const problem = (await this.#lookAtAsked()) ?? this.#lookAtComputed();
    if (problem !== undefined) return problem;
    return this.#queue.length === 0 ? undefined : this.follow([]);
  }

  /** Looks up one name that stands in no file: an option or the compiler itself says it. */
  look(name: IncludeName, folder: string): void {
    for (const found of this.#probes.look(name, folder)) {
      this.#reachedByName.add(found.realPath);
      const isRead = this.#rules.listed?.has(found.realPath) ?? found.included;
      if (isRead) this.#enqueue(found.spelled);
    }
  }

  /** Looks a name up beside every file: one in a macro's body is looked for beside the file that uses the macro. */
  lookEverywhere(name: IncludeName): void {
    for (const folder of new Set(this.#members.map(({ spelled }) => folderOf(spelled)))) {
      this.look(name, folder);
      if (name.form === "angle") return;
    }
  }

  #enqueue(spelled: string): void {
    if (this.#enqueued.has(spelled)) return;
    this.#enqueued.add(spelled);
    this.#queue.push(spelled);
  }

  async #visit(spelled: string): Promise<NotFound | undefined> {
    const resolved = this.#walk.look(spelled);
    if (resolved.kind === "blocked") return notFound("unreadable-input", spelled);
    if (resolved.kind !== "file") return undefined;
    const folder = folderOf(spelled);
    // The same file beside other files is another includer.
    const key = `${this.#walk.resolve(folder).path}\0${resolved.path}`;
    if (this.#visited.has(key)) return undefined;
    this.#visited.add(key);
    const record = await this.#digests.record(resolved.path, resolved.stats);
    const names = record && (await this.#names.of(record, this.#pace));
    if (record === undefined || names === undefined) return notFound("unreadable-input", spelled);
    this.#members.push({ spelled, source: record, names });
    return this.#lookAtNames(spelled, folder, names);
  }

  #lookAtNames(spelled: string, folder: string, names: IncludeNames): NotFound | undefined {
    if (names.invalidNames) return notFound("not-utf8", `a name in ${spelled}`);
    if (names.modules && this.#rules.modules)
      return notFound("local-construct", `module import in ${spelled}`);
    if (names.precompiled) return notFound("local-construct", `precompiled header in ${spelled}`);
    if (names.assemblerUnknown) return notFound("local-construct", `.incbin or .include in ${spelled}`);
    for (const name of names.names) this.look(name, folder);
    for (const file of names.assemblerFiles) {
      const resolved = this.#walk.look(this.#walk.spell(file));
      if (resolved.kind !== "file" || mayReadOthers(resolved.path, resolved.stats.size)) {
        return notFound("local-construct", `.incbin or .include of ${file} in ${spelled}`);
      }
    }
    return undefined;
  }

  /**
   * Questions that are asked through macros. What asks may be defined in one file and given a name in another, so the
   * files that mention such a macro are read again, until no further one turns up.
   */
  async #lookAtAsked(): Promise<NotFound | undefined> {
    for (let known = ""; ;) {
      const focus = focusOf(this.#members);
      const macros = JSON.stringify([...focus.asking, ...focus.operands]);
      if (focus.asking.size + focus.operands.size === 0 || macros === known) break;
      known = macros;
      for (const member of this.#members) {
        const { source } = member;
        const names =
          source instanceof Uint8Array
            ? extractIncludeNames(source, focus)
            : await this.#names.focused(source, focus, this.#pace);
        if (names === undefined) return notFound("unreadable-input", member.spelled);
        member.names = names;
        for (const name of names.names) this.look(name, folderOf(member.spelled));
      }
    }
    for (const { names } of this.#members) {
      for (const name of names.askedAnywhere) this.lookEverywhere(name);
    }
    return undefined;
  }

  /** Operands that are macros: every header name that such a macro is defined as. */
  #lookAtComputed(): NotFound | undefined {
    const defined = this.#members.flatMap(({ names }) => names.defined);
    const opaque = new Set(this.#members.flatMap(({ names }) => names.opaque));
    for (const { spelled, names } of this.#members) {
      for (const { macro, kind } of names.computed) {
        const values = defined.filter((definition) => definition.macro === macro);
        for (const { form, name } of values) this.lookEverywhere({ kind, form, name });
        // The compiler lists what a computed include found, but nothing about a question.
        const isKnown = values.length > 0 && !opaque.has(macro);
        const isListed = kind === "line" || (this.#rules.listed !== undefined && !questions.has(kind));
        if (!isKnown && !isListed)
          return notFound("inputs-unknown", `a computed name, ${macro}, in ${spelled}`);
      }
    }
    return undefined;
  }
}

const questions: ReadonlySet<NameKind> = new Set<NameKind>(["has_include", "has_include_next", "has_embed"]);

function focusOf(members: readonly Member[]): MacroFocus {
  const computed = members.flatMap(({ names }) => names.computed);
  return {
    asking: new Map(members.flatMap(({ names }) => names.asking.map(({ macro, kind }) => [macro, kind]))),
    operands: new Set(computed.filter(({ kind }) => questions.has(kind)).map(({ macro }) => macro)),
  };
}

/** Above this a file for the assembler is not looked into: 1 ms of reading a megabyte is what a discovery may block. */
const maxAssemblerFileBytes = 1n << 20n;

/** Assembler text that may include more files; no compiler lists those. */
function mayReadOthers(path: string, sizeBytes: bigint): boolean {
  return sizeBytes > maxAssemblerFileBytes || mentionsAssembler(readFileSync(path));
}
