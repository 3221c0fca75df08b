/** The macros that options define, as the directives that the compiler makes of them. */
export function optionDefinitions(args: readonly string[]): Uint8Array {
  const directives = args.map((argument, index) => optionDefinition(argument, args[index + 1]) ?? "");
  return Buffer.from(directives.filter((directive) => directive.startsWith("#define")).join(""));
}

/** The directive that -D or -U makes; `undefined` for other options. `next` is the argument behind it. */
export function optionDefinition(argument: string, next: string | undefined): string | undefined {
  const defined = operandOf(/^(?:-D|--define-macro(?:=|$))(.*)/s, argument, next);
  if (defined !== undefined) return definition(defined);
  const removed = operandOf(/^(?:-U|--undefine-macro(?:=|$))(.*)/s, argument, next);
  return removed === undefined ? undefined : `#undef ${removed}\n`;
}

function operandOf(option: RegExp, argument: string, next: string | undefined): string | undefined {
  const joined = option.exec(argument)?.[1];
  return joined === "" ? (next ?? "") : joined;
}

/** `X` is 1, and what follows a line's end is lost. */
function definition(text: string): string {
  const [line = ""] = text.split("\n");
  const sign = line.indexOf("=");
  return sign < 0 ? `#define ${line} 1\n` : `#define ${line.slice(0, sign)} ${line.slice(sign + 1)}\n`;
}
