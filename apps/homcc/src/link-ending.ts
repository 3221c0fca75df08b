import type { Compilation, LinkStep } from "@homcc/compiler/compilation";
import type { Ending } from "./conclusion.ts";

/** The launcher becomes the link step, which gets the objects that were compiled for it. */
export function linkEnding(
  link: LinkStep,
  compilations: readonly Pick<Compilation, "mainOutput">[],
  compilerPath: string,
): Ending {
  const argv = link.argv.map((word) =>
    typeof word === "string" ? word : objectOf(compilations, word.object),
  );
  return { kind: "execute", command: { program: compilerPath, argv } };
}

function objectOf(compilations: readonly Pick<Compilation, "mainOutput">[], index: number): string {
  const object = compilations[index]?.mainOutput;
  if (object === undefined) throw new Error(`the link step names object ${index} of ${compilations.length}`);
  return object;
}
