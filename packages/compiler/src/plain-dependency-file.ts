/**
 * Whether make does nothing with the text but learn what depends on what: rules without recipes. Compilers write no others. These would
 * be more:
 *
 *     `$` that is not doubled     a variable, or `$(shell …)`
 *     a tab before a line         a recipe
 *     `;`                         a recipe behind a rule
 *     `=`                         a variable, also one for a target
 *     no `:`                      `include`, `define`, …
 *
 * `names`: paths of the job's own files, in which compilers leave them as they are, and words of the caller's `-MT`. Asked for when
 * there is something to explain. All texts are bytes as Latin-1.
 */
export function isPlainDependencyFile(
  text: string,
  argv: readonly string[],
  names: () => Iterable<string> = () => [],
): boolean {
  if (isPlain(text)) return true;
  // Longest first, since one may contain another.
  const known = [...new Set([...callersTargets(argv), ...oddComponents(names())])].toSorted(
    (one, other) => other.length - one.length,
  );
  return isPlain(known.reduce((left, name) => left.replaceAll(name, "x"), text));
}

function isPlain(text: string): boolean {
  const logical = text.replaceAll(/\\\r?\n/g, " ");
  return logical.split("\n").every(isPlainRule);
}

function isPlainRule(line: string): boolean {
  if (/^[ \r]*$/.test(line)) return true;
  return !/^\t|[;=]|^[^:]*$/.test(line) && !line.replaceAll("$$", "").includes("$");
}

/** Of `-MT` and `-MQ`, whatever is in them. */
function callersTargets(argv: readonly string[]): readonly string[] {
  return argv
    .flatMap((word, at) => {
      const [, joined] = /^-(?:Wp,-)?M[TQ][, ]?(.*)$/s.exec(word) ?? [];
      if (joined === undefined) return [];
      return joined === "" ? (argv[at + 1] ?? []) : [joined, ...joined.split(",")];
    })
    .filter((target) => target !== "");
}

/** The parts of paths that would not be plain by themselves. */
function* oddComponents(paths: Iterable<string>): Iterable<string> {
  for (const path of paths)
    if (/[;=\n\t]/.test(path))
      for (const component of path.split("/")) if (/[;=\n\t]/.test(component)) yield* quotings(component);
}

/** As make wants it, and as it is: compilers differ in what they quote. */
function quotings(component: string): readonly string[] {
  return [component, component.replaceAll("$", "$$$$").replaceAll(/[ #]/g, "\\$&")];
}
