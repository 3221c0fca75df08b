const option = /^(?:-D|--define-macro(?:=|$))(.*)/s;

/** The macros that options define, as the directives that the compiler makes of them. */
export function optionDefinitions(args: readonly string[]): Uint8Array {
  const definitions = args.flatMap((argument, index) => {
    const joined = option.exec(argument)?.[1];
    return joined === undefined ? [] : [joined === "" ? (args[index + 1] ?? "") : joined];
  });
  return Buffer.from(definitions.map(directive).join(""));
}

/** `X` is 1, and what follows a line's end is lost. */
function directive(definition: string): string {
  const [line = ""] = definition.split("\n");
  const sign = line.indexOf("=");
  return sign < 0 ? `#define ${line} 1\n` : `#define ${line.slice(0, sign)} ${line.slice(sign + 1)}\n`;
}
