import type { LinkStep } from "./compilation.ts";
import { type CommandInput, type CommandShape, linkOutput } from "./command-shape.ts";

/**
 * The command that makes one of the sources' object. With one source and -c or -S that is the caller's own, word by
 * word; of several sources the others are left out; a command that also links gets `-c -o` a temporary object, the one
 * place where words are added, and loses what the linker alone reads and clang would warn about.
 */
export function compileCommand(
  shape: CommandShape,
  source: CommandInput,
  temporaryObject: string | undefined,
): readonly string[] {
  const dropped = new Set(shape.inputs.filter((input) => input !== source).map(({ word }) => word));
  if (temporaryObject === undefined) return shape.argv.filter((_, index) => !dropped.has(index));
  for (const part of shape.parts) {
    if (part.kind !== "option") continue;
    const { class: meaning } = part.row.meaning;
    if (meaning === "output" || (meaning === "linker" && shape.family === "clang")) {
      for (const word of part.words) dropped.add(word);
    }
  }
  const [name = "", ...words] = shape.argv.filter((_, index) => !dropped.has(index));
  // In front, because behind `--` they would be inputs.
  return [name, "-c", "-o", temporaryObject, ...words];
}

/**
 * The same command with objects in place of sources. `-x` goes, because it would make sources of the objects; all
 * inputs it was for are sources.
 */
export function linkStep(shape: CommandShape, sources: readonly CommandInput[]): LinkStep {
  const objects = new Map(sources.map(({ word }, object) => [word, object]));
  const dropped = new Set(
    shape.parts.flatMap((part) =>
      part.kind === "option" && part.row.meaning.class === "language" ? part.words : [],
    ),
  );
  const argv = shape.argv.flatMap((text, index): LinkStep["argv"] => {
    const object = objects.get(index);
    if (object !== undefined) return [{ object }];
    return dropped.has(index) ? [] : [text];
  });
  return { argv, output: linkOutput(shape) };
}
