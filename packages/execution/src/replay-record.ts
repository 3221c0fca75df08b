import { join } from "node:path";

/** The name under which the result of a source is recorded: its path below `root`; `undefined` when it lies elsewhere. */
export function recordKey(source: string, root: string): string | undefined {
  const folder = root.endsWith("/") ? root : `${root}/`;
  if (!source.startsWith(folder) || source === folder) return undefined;
  return source.slice(folder.length).replaceAll("/", "@");
}

/** The object, and the text with the milliseconds that compiling it took. */
export function recordedFiles(
  folder: string,
  key: string,
): { readonly object: string; readonly time: string } {
  return { object: join(folder, `${key}.o`), time: join(folder, `${key}.ms`) };
}
