import type { Action, ActionResult } from "@homcc/cas/action";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import { type MentionsByDigest, mentionsIn } from "./mentions.ts";

/** Whether the same action may get the same result another time. */
export type Reusability =
  | {
      readonly kind: "reusable";
      /** An own source, or the command, looks at names of files. */
      readonly mentionsName: boolean;
      /** Or at names of types in which clang has names of files, that no prefix map changes. */
      readonly mentionsTypeName: boolean;
    }
  | { readonly kind: "once"; readonly reason: string };

/** Larger ones cost more to keep than they save. */
const maxKeptBytes = 64 << 20;

/** What the inputs and the command say about it; to be asked while the compiler runs. */
export async function reusabilityOf(
  { inputs, steps }: Pick<Action, "inputs" | "steps">,
  root: string | undefined,
  family: CompilerFamily,
  mentions: MentionsByDigest,
): Promise<Reusability> {
  const words = mentionsIn(Buffer.from(steps.flatMap(({ argv }) => argv).join("\n")));
  if (words.time) return once("the command mentions the time");
  let { name: mentionsName, typeName: mentionsTypeName } = words;
  for (const entry of inputs) {
    if (entry.kind !== "file") continue;
    const found = await mentions.of(entry.digest);
    if (found === undefined) return once(`${entry.path} was not looked into`);
    if (found.time) return once(`${entry.path} mentions the time`);
    if (root === undefined || !entry.path.startsWith(`${root}/`)) continue;
    mentionsName ||= found.name;
    mentionsTypeName ||= found.typeName;
  }
  return { kind: "reusable", mentionsName, mentionsTypeName: mentionsTypeName && family === "clang" };
}

/** Why this result is not given to anybody else; `undefined` when nothing speaks against it. */
export function objectionTo(
  result: Pick<ActionResult, "termination" | "undeclared" | "unlisted" | "outputs">,
): string | undefined {
  const { termination, undeclared, unlisted = [], outputs } = result;
  if (termination.kind !== "exited" || termination.status !== 0) return "the compile failed";
  if (undeclared.length > 0) return `it also wrote ${undeclared[0]}`;
  // The key does not name what is in there.
  if (unlisted.length > 0) return `it also read ${unlisted[0]}`;
  const sizeBytes = outputs.reduce(
    (sum, output) => sum + (output.kind === "written" ? output.sizeBytes : 0),
    0,
  );
  if (sizeBytes > maxKeptBytes) return `${sizeBytes} bytes are too many`;
  return outputs.some(({ kind }) => kind === "removed") ? "it removed an output" : undefined;
}

function once(reason: string): Reusability {
  return { kind: "once", reason };
}

/** Names of today and its neighbours as `__DATE__` gives them, in whatever time zone: a macro may paste that word. */
export class TimeTraces {
  readonly #patterns: readonly string[];

  constructor(nowMs: number, { environment }: Pick<Action, "environment">) {
    const epochMs = Number(environment["SOURCE_DATE_EPOCH"]) * 1000;
    this.#patterns = [nowMs, ...(Number.isFinite(epochMs) ? [epochMs] : [])].flatMap((timeMs) =>
      [-dayMs, 0, dayMs].map((shiftMs) => dateText(timeMs + shiftMs)),
    );
  }

  isIn(bytes: Uint8Array): boolean {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this.#patterns.some((pattern) => text.includes(pattern));
  }
}

const dayMs = 86_400_000;

/** "Nov  6 2026" */
function dateText(timeMs: number): string {
  const [, month = "", day = "", year = ""] =
    /^\w+, (\d+) (\w+) (\d+)/.exec(new Date(timeMs).toUTCString()) ?? [];
  return `${day} ${String(Number(month)).padStart(2)} ${year}`;
}
