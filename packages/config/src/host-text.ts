/** One host of a hosts file before it is parsed: its characters without blanks, and where each of them stood. */
export interface HostText {
  readonly text: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based column of the first character, in UTF-16 units. */
  readonly column: number;
  /** Column of `text[index]`; for `text.length` the column after the last character. */
  columnAt(index: number): number;
}

/**
 * Cuts text into hosts. Blanks separate them, except next to `/`, `,` and `:`, where they mean nothing. A `::` is
 * part of an IPv6 address, so that the blank in `10.0.0.1 ::1` separates all the same.
 */
export function cutHosts(text: string): HostText[] {
  return text.split("\n").flatMap((line, index) => cutLine(line, index + 1));
}

function cutLine(line: string, lineNumber: number): HostText[] {
  const content = line.replace(/#.*$/s, "");
  const hosts: HostText[] = [];
  let columns: number[] = [];
  let characters = "";
  for (const word of content.matchAll(/\S+/g)) {
    if (characters !== "" && !endsOpen(characters) && !startsOpen(word[0])) {
      hosts.push(hostText(characters, lineNumber, columns));
      characters = "";
      columns = [];
    }
    characters += word[0];
    for (let offset = 0; offset < word[0].length; offset++) columns.push(word.index + offset + 1);
  }
  if (characters !== "") hosts.push(hostText(characters, lineNumber, columns));
  return hosts;
}

/** The next word belongs to the same host. */
function endsOpen(characters: string): boolean {
  return /[/,]$|(?<!:):$/.test(characters);
}

/** The word belongs to the host before it. */
function startsOpen(word: string): boolean {
  return /^[/,]|^:(?!:)/.test(word);
}

function hostText(text: string, line: number, columns: readonly number[]): HostText {
  const last = columns.at(-1) ?? 0;
  return { text, line, column: columns[0] ?? 1, columnAt: (index) => columns[index] ?? last + 1 };
}
