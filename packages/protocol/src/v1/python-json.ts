/** JSON as a homcc 1.x peer writes it: Python's `json.dumps`, blanks after `,` and `:`, everything beyond ASCII escaped. */
export type PythonJson =
  | string
  | number
  | readonly PythonJson[]
  | { readonly [member: string]: PythonJson | undefined };

/** Members keep their order; those that are `undefined` are left out. */
export function pythonJson(value: PythonJson): string {
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number") return String(value);
  if (isArray(value)) return `[${value.map(pythonJson).join(", ")}]`;
  const members = Object.entries(value).flatMap(([name, member]) =>
    member === undefined ? [] : [`${quoted(name)}: ${pythonJson(member)}`],
  );
  return `{${members.join(", ")}}`;
}

const shortEscapes: Readonly<Record<string, string>> = {
  '"': String.raw`\"`,
  "\\": String.raw`\\`,
  "\n": String.raw`\n`,
  "\r": String.raw`\r`,
  "\t": String.raw`\t`,
  "\f": String.raw`\f`,
  "\b": String.raw`\b`,
};

/** By UTF-16 units: Python too writes what needs two of them as two escapes. */
function quoted(text: string): string {
  const escaped = text.replaceAll(
    /["\\]|[^ -~]/g,
    (unit) => shortEscapes[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `"${escaped}"`;
}

/** `Array.isArray` does not narrow a readonly array. */
function isArray(value: object): value is readonly PythonJson[] {
  return Array.isArray(value);
}
