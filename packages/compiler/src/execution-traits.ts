import { isAbsolute } from "node:path";
import type { CommandShape } from "./command-shape.ts";
import { textOf } from "./option-reader.ts";

/**
 * True when the driver looks at this machine before it starts the compiler: for the processor, or, clang with another
 * target or system root, for the gcc whose headers it takes. A server has only what the compile itself reads.
 */
export function needsReplay(shape: CommandShape): boolean {
  return shape.parts.some(
    (part) =>
      part.kind === "option" &&
      (part.row.meaning.class === "replay" ||
        (part.row.meaning.class === "system-root" && shape.family === "clang")),
  );
}

/** An assembler takes no prefix map, and of a driver's expansion nobody but the driver knows which words are paths. */
export const replayVeto = "the driver's expansion is run, and paths in that cannot be mapped";

/** Why a server that maps paths into a private folder would make another object; `undefined` when it would not. */
export function mappedVeto(shape: CommandShape, output: string | undefined): string | undefined {
  for (const part of shape.parts) {
    if (part.kind !== "option") continue;
    const { mapped, reason } = part.row;
    const vetoed =
      mapped === "local" ||
      (mapped === "local-with-absolute-output" && output !== undefined && isAbsolute(output));
    if (vetoed) return `${textOf(part, shape.argv)}: ${reason}`;
  }
  return needsReplay(shape) ? replayVeto : undefined;
}
