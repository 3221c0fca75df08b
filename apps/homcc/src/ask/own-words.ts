import type { ClientCommand } from "../command-line.ts";

/** The words of homcc's own that are no options; the native launcher knows them too. */
const ownWords = ["status", "stats", "doctor", "audit", "pair"] as const;
export type OwnWord = (typeof ownWords)[number];

const usage: Readonly<Record<OwnWord, string>> = {
  status: "homcc status [--json]",
  stats: "homcc stats [--json] [--zero]",
  doctor: "homcc doctor [HOST]...",
  audit: "homcc audit [--json] [--clear]",
  pair: "homcc pair [LINE | -]",
};

export function ownWordOf(word: string | undefined): OwnWord | undefined {
  return ownWords.find((own) => own === word);
}

/** What one of the words asks for with the arguments after it; a text for people where it does not take them. */
export function parseOwnWord(
  word: OwnWord,
  args: readonly string[],
  options: Readonly<Record<string, string>>,
): ClientCommand | { readonly usage: string } {
  if (word === "pair") {
    const [line, ...others] = args;
    const isLine = others.length === 0 && (line === "-" || !(line ?? "").startsWith("-"));
    return isLine ? { kind: "pair", line } : { usage: usage[word] };
  }
  const flags = new Set(args.filter((arg) => arg.startsWith("-")));
  const words = args.filter((arg) => !arg.startsWith("-"));
  const json = flags.delete("--json");
  const zero = flags.delete("--zero");
  const clear = flags.delete("--clear");
  if (flags.size > 0 || (clear && word !== "audit")) return { usage: usage[word] };
  if (word === "doctor")
    return json || zero ? { usage: usage[word] } : { kind: "doctor", hosts: words, options };
  if (words.length > 0 || (zero && word !== "stats")) return { usage: usage[word] };
  if (word === "audit") return { kind: "audit", json, clear };
  return word === "status" ? { kind: "status", json, options } : { kind: "stats", json, zero };
}
