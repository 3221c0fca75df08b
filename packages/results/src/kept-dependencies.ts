import { refoldDependencies } from "@homcc/compiler/refold-dependencies";
import { type Relocation, rootMark } from "./relocation.ts";

/**
 * The text with the root marked wherever a name begins with it; `undefined` when the root is elsewhere in it too, or
 * when its lines are not broken as we would break them, so that we could not break them anew for another root.
 */
export function markDependencies(text: string, { root }: Relocation): string | undefined {
  if (text.includes(rootMark) || refoldDependencies(text) !== text) return undefined;
  const marked = text.replaceAll(root, (found, at: number) => {
    const isName = /^$|[ \n]/.test(text.charAt(at - 1)) && /[/: \n\\]/.test(text.charAt(at + root.length));
    return isName ? rootMark : found;
  });
  return marked.includes(root.slice(1)) ? undefined : marked;
}

/** What the compiler would have written for this root; `undefined` when that cannot be known. */
export function unmarkDependencies(marked: string, { root }: Relocation): string | undefined {
  const text = marked.replaceAll(rootMark, root);
  if (/ \\\n/.test(text)) return refoldDependencies(text);
  // Without a broken line nothing shows whose way of breaking lines it is.
  return text.length < shortestBrokenLine ? text : undefined;
}

/** Both compilers leave shorter lines whole. */
const shortestBrokenLine = 72;
