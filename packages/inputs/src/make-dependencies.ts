import type { Compilation } from "@homcc/compiler/compilation";
import { prerequisitesOf } from "@homcc/compiler/dependency-file";
import { askCompiler, decodeUtf8 } from "./compiler-questions.ts";
import type { DiscoveryContext } from "./include-finder.ts";

export type Listing =
  /** As the compiler spells them; names of missing headers may be among them. */
  | { readonly kind: "listed"; readonly paths: readonly string[] }
  /** The compiler gave up before it had a list. */
  | { readonly kind: "unlisted" }
  | { readonly kind: "not-utf8" };

/**
 * Lets the compiler list what a compilation includes. With `-MG` a missing header does not end it: gcc and clang list
 * its name as written and go on, and an `#error` does not keep either from printing the list.
 */
export async function listDependencies(
  compilation: Compilation,
  context: DiscoveryContext,
): Promise<Listing> {
  const args = [...compilation.discoveryArguments, "-M", "-MG", compilation.source];
  const { stdout } = await askCompiler(args, context);
  const text = decodeUtf8(stdout);
  if (text === undefined) return { kind: "not-utf8" };
  const paths = prerequisitesOf(text);
  return paths.length === 0 ? { kind: "unlisted" } : { kind: "listed", paths };
}
