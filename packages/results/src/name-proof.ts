import { readFile } from "node:fs/promises";
import type { Action, ActionResult } from "@homcc/cas/action";
import type { BlobStore } from "@homcc/cas/blob-store";
import { type Digest, digestOf } from "@homcc/cas/digest";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import { nameUsesIn } from "./name-uses.ts";
import { proofActionsOf } from "./proof-actions.ts";

/** A result whose sources look at their names, with nothing of them in its outputs. */
export interface UnprovenResult {
  readonly action: Action;
  /** The source root. */
  readonly root: string;
  readonly object: { readonly path: string; readonly digest: Digest };
}

/** Runs an action like the one that made the result; its inputs may be gone by now. */
export type RunAction = (action: Action) => Promise<ActionResult>;

/** Larger texts take memory that a server has for clients. */
const maxTextBytes = 32 << 20;

/**
 * Whether the object would be the same under every other root: `undefined`, or else why that is not known. The text that
 * the compiler sees after preprocessing has no name of a file; or it has, in statements which nothing comes of: without
 * them the compiler makes the same object.
 */
export async function whyNamesMatter(
  { action, root, object }: UnprovenResult,
  family: CompilerFamily,
  store: BlobStore,
  run: RunAction,
): Promise<string | undefined> {
  const actions = proofActionsOf(action, object.path, family);
  if (actions === undefined) return "its name (__FILE__) may be in it: not one simple command";
  const text = await outputAt(object.path, await run(actions.preprocessing));
  if (text === undefined) return "its name (__FILE__) may be in it: not preprocessed alone";
  const uses = await nameUsesIn(text, root, family);
  if (uses.kind === "none") return undefined;
  if (uses.kind === "elsewhere") return namesMatter;
  const digest = digestOf(uses.text);
  const compilation = actions.compilationOf(digest);
  if (compilation === undefined) return namesMatter;
  const pin = store.pin([digest]);
  try {
    await store.put(digest, [uses.text]);
    const made = await outputAt(object.path, await run(compilation));
    return made !== undefined && digestOf(made) === object.digest ? undefined : namesMatter;
  } finally {
    pin.release();
  }
}

const namesMatter = "it depends on the name of a source (__FILE__)";

/** `undefined` unless the program ended with 0 and wrote it. */
async function outputAt(path: string, ran: ActionResult): Promise<Buffer | undefined> {
  await using result = ran;
  const { termination, outputs } = result;
  if (termination.kind !== "exited" || termination.status !== 0) return undefined;
  const output = outputs.find((each) => each.path === path);
  if (output?.kind !== "written" || output.sizeBytes > maxTextBytes) return undefined;
  return await readFile(output.file);
}
