import { posix } from "node:path";
import type { IncludeName, NameKind } from "@homcc/compiler/include-names";
import type { PathWalk } from "./path-walk.ts";
import type { SearchFolders } from "./search-folders.ts";

/** A regular file that a name may lead to. */
export interface FoundName {
  /** As the compiler opens it: what it includes by `"…"` is looked for beside this path. */
  readonly spelled: string;
  readonly realPath: string;
  /** Its contents may be read and include others; false where only its existence counts, or its bytes are data. */
  readonly included: boolean;
}

const includeKinds: ReadonlySet<NameKind> = new Set<NameKind>(["include", "include_next", "import"]);

/**
 * Looks names up as the compiler does: present ones become inputs, the absent ones that come before them in the search
 * order are noted. What a compiler reads depends on both, and no compiler lists the second. Names in branches that are
 * not taken count too: more inputs than are read do no harm, since all of them exist at home.
 */
export class ProbeList {
  readonly #walk: PathWalk;
  readonly #angle: readonly string[];
  readonly #behindQuote: readonly string[];
  readonly #embedFolders: readonly string[];
  readonly #done = new Map<string, FoundName[]>();

  constructor(walk: PathWalk, folders: SearchFolders, embedFolders: readonly string[]) {
    this.#walk = walk;
    this.#angle = folders.angle.map((folder) => walk.spell(folder));
    this.#behindQuote = [...folders.quote.map((folder) => walk.spell(folder)), ...this.#angle];
    this.#embedFolders = embedFolders.map((folder) => walk.spell(folder));
  }

  /** `folder` is that of the file with the name, as spelled. */
  look(name: IncludeName, folder: string): readonly FoundName[] {
    const key = `${name.kind} ${name.form} ${name.form === "quote" ? folder : ""} ${name.name}`;
    const known = this.#done.get(key);
    if (known !== undefined) return known;
    const found = this.#search(name, folder);
    this.#done.set(key, found);
    return found;
  }

  #search({ kind, form, name }: IncludeName, folder: string): FoundName[] {
    const included = includeKinds.has(kind);
    if (kind === "line") return this.#through([this.#walk.spell(".")], name, false, false);
    if (name.startsWith("/")) return this.#through(["/"], name, false, included);
    if (kind === "embed" || kind === "has_embed") {
      // Of compilers only clang looks into the working folder, and which comes first does not matter for a list.
      const own = form === "quote" ? [folder, this.#walk.spell(".")] : [];
      return this.#through([...own, ...this.#embedFolders], name, true, false);
    }
    // Where the search of a `next` form begins depends on how its file was found: all folders it could be.
    const all = kind === "include_next" || kind === "has_include_next";
    const here = form === "quote" ? this.#through([folder], name, false, included) : [];
    if (here.length > 0 && !all) return here;
    return [...here, ...this.#behind(form, name, all, included)];
  }

  /** The part of a search that is the same for all files. */
  #behind(form: IncludeName["form"], name: string, all: boolean, included: boolean): FoundName[] {
    const key = `${form} ${all} ${included} ${name}`;
    const known = this.#done.get(key);
    if (known !== undefined) return known;
    const found = this.#through(form === "quote" ? this.#behindQuote : this.#angle, name, all, included);
    this.#done.set(key, found);
    return found;
  }

  #through(folders: readonly string[], name: string, all: boolean, included: boolean): FoundName[] {
    const found: FoundName[] = [];
    for (const folder of folders) {
      const spelled = this.#walk.spell(name, folder);
      const resolved = this.#walk.look(spelled);
      if (resolved.kind !== "file") continue;
      found.push({ spelled, realPath: resolved.path, included });
      if (!all) break;
    }
    return found;
  }

  /**
   * A file that the compiler listed and no name led to: an operand was computed. Notes where the compiler must have
   * looked before it, if it was found through the search folders.
   */
  explain(path: string, includers: Iterable<string>): void {
    for (const folder of this.#behindQuote) {
      if (!path.startsWith(`${folder}/`)) continue;
      const name = path.slice(folder.length + 1);
      this.#through(this.#behindQuote, name, false, true);
      for (const includer of includers) this.#walk.look(this.#walk.spell(name, includer));
    }
  }
}

/** The folder of a spelled path. */
export function folderOf(spelled: string): string {
  return posix.dirname(spelled);
}
