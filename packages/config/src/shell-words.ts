/**
 * Cuts text into words as a POSIX shell does: blanks separate them, `'…'` keeps everything, `"…"` everything but a
 * backslash before `"`, `\\`, `$` and a backquote, and a backslash outside keeps the next character. Nothing is expanded.
 * `undefined` when a quote is not closed or nothing follows a backslash.
 */
export function shellWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let rest = text;
  while (rest !== "") {
    const [piece = "", blanks, single, double, escaped, plain] = pieces.exec(rest) ?? [];
    if (piece === "") return undefined;
    rest = rest.slice(piece.length);
    if (blanks === undefined) {
      word = `${word ?? ""}${single ?? double?.replaceAll(/\\(["\\$`])/g, "$1") ?? escaped ?? plain ?? ""}`;
    } else if (word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  return word === undefined ? words : [...words, word];
}

const pieces = /^(?:(\s+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+))/s;
