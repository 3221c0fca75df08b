import type { CompilerFamily } from "./compilation.ts";
import { findOption } from "./option-index.ts";
import type { OptionRow, Reader } from "./option-row.ts";

/** One thing a command line says. `words` are the indexes in `argv` of all words it takes up. */
export type CommandPart =
  | {
      readonly kind: "option";
      readonly row: OptionRow;
      readonly reader: Reader;
      /** As written, without a joining `=`; `undefined` when it has none. */
      readonly operand: string | undefined;
      readonly words: readonly number[];
    }
  | {
      readonly kind: "input";
      readonly reader: Reader;
      readonly path: string;
      readonly words: readonly number[];
    }
  | {
      readonly kind: "unknown";
      readonly reader: Reader;
      readonly text: string;
      readonly words: readonly number[];
    }
  /** The command ends where the option's value should be. */
  | {
      readonly kind: "incomplete";
      readonly reader: Reader;
      readonly text: string;
      readonly words: readonly number[];
    };

export type OptionPart = Extract<CommandPart, { kind: "option" }>;

/** Words that one wrapped reader gets, in order, each with the word of the command that carried it. */
interface Stream {
  readonly texts: string[];
  readonly words: (readonly number[])[];
}

/**
 * Takes a command, the compiler's name first, apart with the option table. The driver's parts come first, in order; what
 * its wrappers pass on follows, reader by reader, because an option and its value may come in two wrappers (`-Xclang
 * -include -Xclang f`).
 */
export function readOptions(argv: readonly string[], family: CompilerFamily): CommandPart[] {
  const driver: Stream = { texts: argv.slice(1), words: argv.slice(1).map((_, index) => [index + 1]) };
  return readStream(driver, family, "driver");
}

function readStream(stream: Stream, family: CompilerFamily, reader: Reader): CommandPart[] {
  const parts: CommandPart[] = [];
  const wrapped = new Map<Reader, Stream>();
  let optionsEnded = false;
  for (let at = 0; at < stream.texts.length; at += 1) {
    const part = optionsEnded ? inputAt(stream, at, reader) : partAt(stream, at, family, reader);
    parts.push(part);
    if (part.kind !== "option") continue;
    if (part.row.meaning.class === "end-of-options") optionsEnded = true;
    if (part.row.meaning.class === "wrapped") passOn(part, part.row.meaning.reader, wrapped);
    if (takesNextWord(part, stream.texts[at])) at += 1;
  }
  for (const [inner, innerStream] of wrapped) parts.push(...readStream(innerStream, family, inner));
  return parts;
}

function partAt(stream: Stream, at: number, family: CompilerFamily, reader: Reader): CommandPart {
  const text = stream.texts[at] ?? "";
  const words = stream.words[at] ?? [];
  if (!text.startsWith("-") || text === "-") return { kind: "input", reader, path: text, words };
  const match = findOption(text, family, reader);
  if (match === undefined) return { kind: "unknown", reader, text, words };
  if (match.operand === "none") return { kind: "option", row: match.row, reader, operand: undefined, words };
  if (match.operand === "in-word") {
    return { kind: "option", row: match.row, reader, operand: text.slice(match.offset), words };
  }
  const operand = stream.texts[at + 1];
  if (operand === undefined) return { kind: "incomplete", reader, text, words };
  return {
    kind: "option",
    row: match.row,
    reader,
    operand,
    words: [...words, ...(stream.words[at + 1] ?? [])],
  };
}

function inputAt(stream: Stream, at: number, reader: Reader): CommandPart {
  return { kind: "input", reader, path: stream.texts[at] ?? "", words: stream.words[at] ?? [] };
}

function takesNextWord({ row }: OptionPart, text: string | undefined): boolean {
  const { spelling, name } = row;
  if (spelling === "separate" || spelling === "joined-and-separate") return true;
  return (spelling === "both" || spelling === "either") && text === name;
}

function passOn(part: OptionPart, reader: Reader, wrapped: Map<Reader, Stream>): void {
  const stream = wrapped.get(reader) ?? { texts: [], words: [] };
  wrapped.set(reader, stream);
  const operand = part.operand ?? "";
  for (const text of part.row.spelling === "comma" ? operand.split(",") : [operand]) {
    stream.texts.push(text);
    stream.words.push(part.words);
  }
}

/** The part as written, for messages. */
export function textOf(part: CommandPart, argv: readonly string[]): string {
  return [...new Set(part.words)].map((index) => argv[index] ?? "").join(" ");
}
