/** A preprocessing token; bytes are Latin-1 characters. */
export interface Token {
  readonly kind: "identifier" | "number" | "character" | "string" | "header" | "punctuator" | "other";
  readonly text: string;
  /** Blanks or a comment stand before it. */
  readonly space: boolean;
  /** It once had blanks before it, where compilers differ about keeping them. */
  readonly mayHaveSpace?: boolean;
  /** A macro's own name inside its expansion: never expanded again. */
  readonly painted?: boolean;
}

const lexeme =
  /([ \t\v\f\r\n]+)|((?:u8|[LuU])?'(?:\\.|[^'\\\n])*')|((?:u8|[LuU])?"(?:\\.|[^"\\\n])*")|([A-Za-z_$\x80-\xff][\w$\x80-\xff]*)|(\.?\d(?:[eEpP][+-]|'[\w$\x80-\xff]|[\w$.\x80-\xff])*)|(%:%:|\.\.\.|<<=|>>=|->\*|<=>|##|%:|<:|:>|<%|%>|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||::|\*=|\/=|%=|\+=|-=|&=|\^=|\|=|\.\*|[!#%&()*+,\-./:;<=>?[\]^{|}~])|([^])/gy;

const header = /<([^>\n]*)>/y;
const asksForName = new Set(["__has_include", "__has_include_next", "__has_embed", "__has_include__"]);
const digraphs: Readonly<Record<string, string>> = {
  "%:": "#",
  "%:%:": "##",
  "<:": "[",
  ":>": "]",
  "<%": "{",
  "%>": "}",
};

/**
 * Splits the text of a directive, in which comments are blanks already. In a condition the operand of `__has_include`
 * is one token; in a macro's body, as in compilers, `<x.h>` is many.
 */
export function tokenize(text: string, condition = false): Token[] {
  const tokens: Token[] = [];
  let space = false;
  lexeme.lastIndex = 0;
  while (lexeme.lastIndex < text.length) {
    if (condition && asksHere(tokens)) {
      header.lastIndex = lexeme.lastIndex;
      const name = header.exec(text);
      if (name !== null) {
        tokens.push({ kind: "header", text: name[0], space });
        space = false;
        lexeme.lastIndex = header.lastIndex;
        continue;
      }
    }
    const match = lexeme.exec(text);
    if (match === null) break;
    const [whole, blanks, character, string, identifier, number, punctuator] = match;
    if (blanks !== undefined) {
      space = true;
      continue;
    }
    if (identifier !== undefined) tokens.push({ kind: "identifier", text: whole, space });
    else if (number !== undefined) tokens.push({ kind: "number", text: whole, space });
    else if (character !== undefined) tokens.push({ kind: "character", text: whole, space });
    else if (string !== undefined) tokens.push({ kind: "string", text: whole, space });
    else if (punctuator === undefined) tokens.push({ kind: "other", text: whole, space });
    else tokens.push({ kind: "punctuator", text: digraphs[whole] ?? whole, space });
    space = false;
  }
  return tokens;
}

function asksHere(tokens: readonly Token[]): boolean {
  const [asking, open] = [tokens.at(-2), tokens.at(-1)];
  return open?.text === "(" && asking !== undefined && asksForName.has(asking.text);
}
