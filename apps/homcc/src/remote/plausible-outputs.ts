import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Action } from "@homcc/cas/action";
import type { Compilation } from "@homcc/compiler/compilation";
import { isPlainDependencyFile } from "@homcc/compiler/plain-dependency-file";
import type { ProducedOutput } from "./produced-output.ts";

/**
 * What no compiler leaves that says it succeeded: no object, or a dependency file that is a makefile. What is in an object nobody can
 * check without compiling it; a dependency file is text that make runs. 0.05 ms.
 */
export function flawIn(
  produced: readonly ProducedOutput[],
  { mainOutput, dependencyFile, argv }: Pick<Compilation, "mainOutput" | "dependencyFile" | "argv">,
  { cwd, inputs, outputs }: Pick<Action, "cwd" | "inputs" | "outputs">,
): string | undefined {
  const fileOf = (name: string): string | undefined => {
    const path = resolve(cwd, name);
    const output = produced.find((one) => one.path === path);
    return output?.kind === "written" ? output.file : undefined;
  };
  const isDeclared =
    mainOutput !== undefined && outputs.some(({ path }) => path === resolve(cwd, mainOutput));
  if (isDeclared && fileOf(mainOutput) === undefined) return `no ${mainOutput} in a result without an error`;
  const dependencies = dependencyFile === undefined ? undefined : fileOf(dependencyFile);
  if (dependencies === undefined) return undefined;
  const names = (): string[] => [...inputs, ...outputs].map(({ path }) => asLatin1(path));
  return isPlainDependencyFile(readFileSync(dependencies, "latin1"), argv.map(asLatin1), names)
    ? undefined
    : `${dependencyFile} is more than a list of dependencies`;
}

function asLatin1(text: string): string {
  return Buffer.from(text).toString("latin1");
}
