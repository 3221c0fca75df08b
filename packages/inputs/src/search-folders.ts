import type { Compilation } from "@homcc/compiler/compilation";
import { StampedPaths } from "@homcc/compiler/stamped-paths";
import { askCompiler, decodeUtf8 } from "./compiler-questions.ts";
import { lstat } from "./file-digests.ts";
import type { DiscoveryContext } from "./include-finder.ts";

/** Folders in which a compiler looks for includes, in order, as it spells them. */
export interface SearchFolders {
  /** For `"…"`, after the folder of the file that has it and before `angle`. */
  readonly quote: readonly string[];
  readonly angle: readonly string[];
  /** Named or built in, and not there. */
  readonly missing: readonly string[];
  /** Named twice: the compiler looks there only once. */
  readonly duplicate: readonly string[];
  /** "12" of gcc 12.2.0: translations are named by it. */
  readonly majorVersion: string;
}

/** They add folders, or choose those that are built in. */
export const folderVariables = [
  "CPATH",
  "C_INCLUDE_PATH",
  "CPLUS_INCLUDE_PATH",
  "OBJC_INCLUDE_PATH",
  "OBJCPLUS_INCLUDE_PATH",
  "SDKROOT",
  "PATH",
] as const;

interface Known {
  readonly folders: SearchFolders;
  readonly compiler: StampedPaths;
  /** Which folder each path was: one that came, went or was replaced may change the order. */
  readonly identities: ReadonlyMap<string, string>;
}

const maxKnown = 500;

/**
 * Asks the compiler for its search folders, once for all compilations with the same options. Macros and forced
 * includes do not matter to it.
 */
export class SearchFolderCache {
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<SearchFolders | undefined>>();

  /** `undefined` when the compiler does not accept the options: it will say so itself. */
  async of(compilation: Compilation, context: DiscoveryContext): Promise<SearchFolders | undefined> {
    const args = withoutMacros(compilation.discoveryArguments);
    const variables = folderVariables.map((name) => context.environment[name]);
    const { compilerPath, toolchain, cwd } = context;
    const key = JSON.stringify([compilerPath, toolchain, compilation.language, cwd, args, variables]);
    const known = this.#known.get(key);
    if (known !== undefined && holds(known)) return known.folders;
    return this.#share(key, async () => {
      const folders = await ask(args, compilation, context);
      if (folders !== undefined) this.#remember(key, folders, context);
      return folders;
    });
  }

  /** One question serves all who wait for it; who is aborted or asks late asks again. */
  async #share(
    key: string,
    ask: () => Promise<SearchFolders | undefined>,
  ): Promise<SearchFolders | undefined> {
    const asking = this.#asking.get(key);
    if (asking !== undefined) {
      const shared = await asking.catch(() => undefined);
      return shared ?? (await ask());
    }
    const started = ask();
    this.#asking.set(key, started);
    return started.finally(() => this.#asking.delete(key));
  }

  #remember(key: string, folders: SearchFolders, { compilerPath, cwd }: DiscoveryContext): void {
    const compiler = new StampedPaths();
    compiler.add(compilerPath);
    const all = [...folders.quote, ...folders.angle, ...folders.missing, ...folders.duplicate];
    const paths = all.map((path) => (path.startsWith("/") ? path : `${cwd}/${path}`));
    if (this.#known.size >= maxKnown) this.#known.clear();
    this.#known.set(key, {
      folders,
      compiler,
      identities: new Map(paths.map((path) => [path, identityOf(path)])),
    });
  }
}

function holds({ compiler, identities }: Known): boolean {
  for (const [path, identity] of identities) if (identityOf(path) !== identity) return false;
  return compiler.unchanged();
}

function identityOf(path: string): string {
  // With a slash behind it, a link is followed.
  const stats = lstat(`${path}/`);
  return stats === undefined ? "" : `${stats.dev}:${stats.ino}`;
}

/** Macros and forced includes, `-DX` or `-D X`, except where they are another option's value. */
function withoutMacros(args: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? "";
    const isValue = (args[index - 1] ?? "").startsWith("-X");
    if (isValue || !/^(-[DU]|--?(include|imacros)($|=))/.test(argument)) kept.push(argument);
    else if (/^(-[DU]|--?(include|imacros))$/.test(argument)) index += 1;
  }
  return kept;
}

async function ask(
  args: readonly string[],
  { language }: Compilation,
  context: DiscoveryContext,
): Promise<SearchFolders | undefined> {
  // Preprocessed text is not searched for includes, but the folders of its language are looked at all the same.
  const searched = language.replace(/-?cpp-output$/, "") || "c";
  const { stderr } = await askCompiler([...args, "-v", "-E", "-x", searched, "/dev/null"], context);
  const answer = decodeUtf8(stderr);
  return answer === undefined ? undefined : parseSearchFolders(answer);
}

/** Reads what `-v` prints about the search folders in the C locale. */
export function parseSearchFolders(answer: string): SearchFolders | undefined {
  const list =
    /^#include "\.\.\." search starts here:\n([^]*?)^#include <\.\.\.> search starts here:\n([^]*?)^End of search list/m;
  const [, quote, angle] = list.exec(answer) ?? [];
  if (quote === undefined || angle === undefined) return undefined;
  return {
    quote: foldersIn(quote),
    angle: foldersIn(angle),
    missing: ignored(answer, "nonexistent"),
    duplicate: ignored(answer, "duplicate"),
    majorVersion: /\bversion (\d+)/.exec(answer)?.[1] ?? "",
  };
}

function foldersIn(lines: string): string[] {
  const folders = lines.split("\n").filter((line) => line.startsWith(" "));
  return folders.map((line) => line.slice(1).replace(/ \((framework directory|headermap)\)$/, ""));
}

function ignored(answer: string, why: string): string[] {
  const lines = answer.matchAll(new RegExp(`^ignoring ${why} directory "(.*)"$`, "gm"));
  return [...new Set([...lines].map((match) => match[1] ?? ""))];
}
