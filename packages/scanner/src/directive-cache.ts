import type { Digest } from "@homcc/cas/digest";
import { decodeDirectiveList, encodeDirectiveList } from "./directive-codec.ts";
import { DirectiveLexer } from "./directive-lexer.ts";
import { dialectKey, type DirectiveList, type LexicalDialect } from "./directives.ts";

/**
 * Where encoded lists outlive the process; the key is made of letters, digits and `-`. `get` and `put` are called
 * between two steps of a scan and have to be short: of one read of a small file, or of a map.
 */
export interface DirectiveStore {
  /** Before it resolves, lists may be unknown that are known afterwards. Never rejects. */
  ready?(): Promise<void>;
  get(key: string): Uint8Array | undefined;
  put(key: string, bytes: Uint8Array): void;
  /** Gives memory back. */
  release?(): void | Promise<void>;
}

/** With its texts. */
const directiveBytes = 110;
/** Programs are made of them, which stay, and the store has them. */
const defaultMaxDirectives = 50_000;

/** Directive lists by content digest: each content is lexed once in each dialect. */
export class DirectiveCache {
  readonly #lists = new Map<string, DirectiveList>();
  readonly #store: DirectiveStore | undefined;
  readonly #maxDirectives: number;
  #directives = 0;

  constructor(options: { readonly store?: DirectiveStore; readonly maxDirectives?: number } = {}) {
    this.#store = options.store;
    this.#maxDirectives = options.maxDirectives ?? defaultMaxDirectives;
  }

  get bytes(): number {
    return this.#directives * directiveBytes;
  }

  /** `undefined` for a content that was not lexed yet, or is forgotten. */
  get(digest: Digest, dialect: LexicalDialect): DirectiveList | undefined {
    const key = keyOf(digest, dialect);
    const known = this.#lists.get(key);
    if (known !== undefined) {
      this.#lists.delete(key);
      this.#lists.set(key, known);
      return known;
    }
    const stored = this.#store?.get(key);
    const list = stored && decodeDirectiveList(stored);
    if (list !== undefined) this.#remember(key, list);
    return list;
  }

  /** Steps are `undefined`, the last is the list: whoever runs it may do other things between them. */
  *lex(
    digest: Digest,
    dialect: LexicalDialect,
    source: Uint8Array,
    stepBytes: number,
  ): Generator<undefined, DirectiveList> {
    const lexer = new DirectiveLexer(source, dialect);
    while (lexer.advance(stepBytes)) yield undefined;
    const list = lexer.list();
    const key = keyOf(digest, dialect);
    this.#remember(key, list);
    this.#store?.put(key, encodeDirectiveList(list));
    return list;
  }

  clear(): void {
    this.#lists.clear();
    this.#directives = 0;
  }

  #remember(key: string, list: DirectiveList): void {
    this.#lists.set(key, list);
    this.#directives += weightOf(list);
    for (const [oldest, dropped] of this.#lists) {
      if (this.#directives <= this.#maxDirectives || oldest === key) return;
      this.#lists.delete(oldest);
      this.#directives -= weightOf(dropped);
    }
  }
}

function weightOf(list: DirectiveList): number {
  return list.directives.length + 4;
}

function keyOf(digest: Digest, dialect: LexicalDialect): string {
  return `${dialectKey(dialect)}-${digest.replace("/", "-")}`;
}
