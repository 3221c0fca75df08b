import { CannotScan } from "./cannot-scan.ts";
import type { Token } from "./tokens.ts";

/** `"NAME` or `<NAME`, from the expanded operand of an include. */
export function nameOfTokens(tokens: readonly Token[]): string {
  const [first] = tokens;
  if (first?.kind === "string" && first.text.startsWith('"')) return first.text.slice(0, -1);
  if (first?.kind === "header") return first.text.slice(0, -1);
  if (first?.kind !== "punctuator" || first.text !== "<")
    throw new CannotScan("computed-name", tokens.map(({ text }) => text).join(" "));
  const end = closeHeader(tokens);
  if (tokens[end - 1]?.text !== ">") throw new CannotScan("computed-name", "> is missing");
  const inside = tokens.slice(1, end - 1);
  // gcc and clang differ in which blanks of arguments stay.
  if (inside.some(({ space, mayHaveSpace }) => space || mayHaveSpace === true))
    throw new CannotScan("computed-name", "blanks in a computed name");
  return `<${inside.map(({ text }) => text).join("")}`;
}

/** Behind the header name that the tokens begin with. */
export function closeHeader(tokens: readonly Token[]): number {
  if (tokens[0]?.text !== "<") return Math.min(1, tokens.length);
  const end = tokens.findIndex(({ text }) => text === ">");
  return end < 0 ? tokens.length : end + 1;
}

/** The bytes of a name as the path they are. */
export function pathOfName(latin1: string): string {
  // oxlint-disable-next-line no-control-regex -- ASCII is the same in both
  if (/^[\0-\x7f]*$/.test(latin1)) return latin1;
  const path = Buffer.from(latin1, "latin1").toString("utf8");
  if (path.includes("\uFFFD")) throw new CannotScan("not-utf8", path);
  return path;
}
