import { resolve } from "node:path";
import type { OptionReader } from "./option-reader.ts";
import type { serverOptions } from "./options.ts";
import type { Problem } from "./problem.ts";
import type { ReplaySettings } from "./settings.ts";

/** The folders of the executor `replay`; without it they mean a misunderstanding, and so does it without them. */
export function chooseReplay(
  options: OptionReader<typeof serverOptions>,
  cwd: string,
): { readonly replay: ReplaySettings | undefined; readonly conflicts: readonly Problem[] } {
  const isReplay = options.get("executor") === "replay";
  const folder = options.get("replay_dir");
  const root = options.get("replay_root");
  if (!isReplay) return { replay: undefined, conflicts: misplaced(options) };
  if (folder === undefined) {
    const source = options.sourceOf("executor");
    const hint = "--replay-dir is the folder of recorded results";
    return {
      replay: undefined,
      conflicts: [{ severity: "error", source, message: "executor replay needs replay_dir", hint }],
    };
  }
  return { replay: { folder: resolve(cwd, folder), root: resolve(cwd, root) }, conflicts: [] };
}

function misplaced(options: OptionReader<typeof serverOptions>): Problem[] {
  return (["replay_dir", "replay_root"] as const)
    .filter((name) => options.sourceOf(name) !== "default")
    .map((name) => ({
      severity: "error",
      source: options.sourceOf(name),
      message: `${name} without the executor replay`,
      hint: "use --executor replay with it, or leave it out",
    }));
}
