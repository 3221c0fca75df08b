import { posix } from "node:path";
import type { Action } from "@homcc/cas/action";

/** Paths at which this action writes rules for make: the argument of -MF, or what is called like one. */
export function isDependencyFile(path: string, { steps, cwd }: Pick<Action, "steps" | "cwd">): boolean {
  const argv = steps[0]?.argv ?? [];
  const named = argv.findIndex((word) => word === "-MF") + 1;
  return path.endsWith(".d") || (named > 0 && posix.resolve(cwd, argv[named] ?? "") === path);
}
