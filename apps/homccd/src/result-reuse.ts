import type { Action, ActionResult } from "@homcc/cas/action";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import { describeError } from "@homcc/observability/error";
import type { ResultMessage } from "@homcc/protocol/messages";
import { ClockTraces } from "@homcc/results/clock-traces";
import type { MentionsByDigest } from "@homcc/results/mentions";
import type { KeepableResult, ResultCache, ShareableResult } from "@homcc/results/result-cache";
import { resultKeysOf } from "@homcc/results/result-keys";
import type { NameProofs, RunHere } from "./name-proofs.ts";
import type { OutputFiles } from "./output-files.ts";
import { objectionTo, type Reusability, reusabilityOf } from "@homcc/results/reusable-result";

/** What the result's message says about its reuse. */
export type ReuseReport = NonNullable<ResultMessage["reuse"]>;

/** A result that is being made because there is none: what becomes of it afterwards. */
export interface NewResult {
  /** Once the compiler has ended. */
  report(result: ActionResult, files: OutputFiles): Promise<ReuseReport>;
  /** Keeps it for the next one who asks, if it may be; to be called before it is disposed. */
  keep(result: ActionResult, files: OutputFiles): Promise<void>;
}

/** Where an action runs, as far as its result depends on it. */
export interface ReusePlace {
  readonly name: string;
  readonly family: CompilerFamily;
  /** For whom what is kept counts. */
  readonly client?: string;
  /** Runs another action there, of which no client hears; absent where the compiler does not see the client's paths. */
  readonly run?: RunHere;
}

export type Reuse =
  | { readonly kind: "found"; readonly result: ActionResult; readonly reuse: ReuseReport }
  | { readonly kind: "missed"; readonly made: NewResult };

/** Results of earlier jobs, for jobs that would give the same. */
export class ResultReuse {
  readonly #cache: ResultCache | undefined;
  readonly #mentions: MentionsByDigest;
  readonly #proofs: Pick<NameProofs, "add">;

  /** Without a cache every job is compiled; clients are told all the same what they may keep. */
  constructor(cache: ResultCache | undefined, mentions: MentionsByDigest, proofs: Pick<NameProofs, "add">) {
    this.#cache = cache;
    this.#mentions = mentions;
    this.#proofs = proofs;
  }

  /** All inputs are in the store, and stay there until the job has ended. */
  async find(action: Action, { name, family, client, run }: ReusePlace): Promise<Reuse> {
    if (this.#cache === undefined) {
      const judging = this.#judge(action, undefined, family);
      return { kind: "missed", made: newResult(judging, undefined, () => Promise.resolve()) };
    }
    const cache = this.#cache;
    const keys = resultKeysOf(action, name);
    const lookup = await cache.find(action, keys);
    const result = lookup.kind === "found" ? await cache.restore(lookup.kept, keys.root) : undefined;
    if (result !== undefined) return { kind: "found", result, reuse: { fromCache: true, reusable: true } };
    const judging = this.#judge(action, keys.root, family);
    const note = lookup.kind === "missed" ? lookup.note : undefined;
    const keep: Keep = async (made, judged) => {
      const shareable: ShareableResult | undefined = await cache.keep(
        action,
        keys,
        judged,
        client === undefined ? made : { ...made, client },
      );
      if (shareable !== undefined && run !== undefined) this.#proofs.add(shareable, family, run);
    };
    return { kind: "missed", made: newResult(judging, note, keep) };
  }

  /** While the compiler runs. */
  async #judge(action: Action, root: string | undefined, family: CompilerFamily): Promise<Reusability> {
    try {
      return await reusabilityOf(action, root, family, this.#mentions);
    } catch (error) {
      return { kind: "once", reason: describeError(error) };
    }
  }
}

type Keep = (made: KeepableResult, judged: Extract<Reusability, { kind: "reusable" }>) => Promise<void>;

function newResult(judging: Promise<Reusability>, note: string | undefined, keep: Keep): NewResult {
  const wantedAtMs = Date.now();
  let judged: Promise<Reusability> | undefined;
  const judge = (result: ActionResult, files: OutputFiles): Promise<Reusability> => {
    judged ??= judgeResult(result, files, judging, wantedAtMs);
    return judged;
  };
  return {
    report: async (result, files) => {
      const reusability = await judge(result, files);
      const text = reusability.kind === "once" ? reusability.reason : note;
      return {
        fromCache: false,
        reusable: reusability.kind === "reusable",
        ...(text === undefined ? {} : { note: text }),
      };
    },
    keep: async (result, files) => {
      const reusability = await judge(result, files);
      if (reusability.kind === "once") return;
      await keep(
        { ...result, outputs: result.outputs.filter((output) => output.kind === "written") },
        reusability,
      );
    },
  };
}

/** An execution that another connection began may have been over for as long as it is kept for a lost client. */
const earlierMs = 30_000;

async function judgeResult(
  result: ActionResult,
  files: OutputFiles,
  judging: Promise<Reusability>,
  wantedAtMs: number,
): Promise<Reusability> {
  const objection = objectionTo(result);
  if (objection !== undefined) return { kind: "once", reason: objection };
  const judged = await judging;
  if (judged.kind === "once") return judged;
  const traces = new ClockTraces(wantedAtMs - result.usage.wallMs - earlierMs, Date.now());
  for (const output of result.outputs) {
    if (output.kind === "written" && (await files.use(output, (bytes) => traces.isIn(bytes))))
      return { kind: "once", reason: `${output.path} has the time of its compile in it` };
  }
  return judged;
}
