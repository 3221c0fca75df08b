/** How a compiler breaks the lines of a dependency file. Columns are bytes. */
interface Folding {
  readonly lineEnd: string;
  /** Column after `lineEnd`. */
  readonly startColumn: number;
  readonly fits: (column: number, sizeBytes: number) => boolean;
  readonly sizeBytesOf: (word: string) => number;
}

/** Breaks before a name, quotes included, that would end behind column 72. */
const gcc: Folding = {
  lineEnd: " \\\n",
  startColumn: 0,
  fits: (column, sizeBytes) => column + sizeBytes <= 72,
  sizeBytesOf: (word) => word.length,
};

/** Leaves room for the next break in 75 columns, and counts names without their quotes. */
const clang: Folding = {
  lineEnd: " \\\n ",
  startColumn: 2,
  fits: (column, sizeBytes) => column + sizeBytes + 3 <= 75,
  sizeBytesOf: (word) => word.replaceAll(/\\([ #])|\$(\$)/g, "$1$2").length,
};

/**
 * Breaks the first rule's lines again as the compiler does it for these names: where a line ends depends on the lengths
 * of all names in it, and they had other ones while it was written. `text` has one character a byte. Texts without any
 * broken line have the right form already, as names only become shorter.
 */
export function refoldDependencies(text: string): string {
  const folding = foldingOf(text);
  if (folding === undefined) return text;
  const end = /(?<!\\)\n/.exec(text)?.index ?? text.length;
  const words = text
    .slice(0, end)
    .split(/ \\\n +| /)
    .reduce<string[]>(joinQuoted, []);
  return render(words, folding) + text.slice(end);
}

/** The compilers indent continued lines differently. */
function foldingOf(text: string): Folding | undefined {
  const indent = / \\\n( +)/.exec(text)?.[1];
  if (indent === undefined) return undefined;
  return indent.length === 1 ? gcc : clang;
}

/** A blank after a backslash belongs to the name. */
function joinQuoted(words: string[], part: string): string[] {
  const last = words.at(-1);
  if (last?.endsWith("\\") === true) words[words.length - 1] = `${last} ${part}`;
  else words.push(part);
  return words;
}

function render(words: readonly string[], folding: Folding): string {
  let text = "";
  let column = 0;
  for (const word of words) {
    const sizeBytes = folding.sizeBytesOf(word);
    if (column > 0 && !folding.fits(column, sizeBytes)) {
      text += folding.lineEnd;
      column = folding.startColumn;
    }
    const gap = text === "" ? "" : " ";
    text += gap + word;
    column += gap.length + sizeBytes;
  }
  return text;
}
