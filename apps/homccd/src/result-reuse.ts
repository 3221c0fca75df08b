import type { Action, ActionResult } from "@homcc/cas/action";
import type { ResultMessage } from "@homcc/protocol/messages";
import type { MentionsByDigest } from "@homcc/results/mentions";
import type { ResultCache } from "@homcc/results/result-cache";
import { type ResultKeys, resultKeysOf } from "@homcc/results/result-keys";
import { objectionTo, type Reusability, reusabilityOf } from "@homcc/results/reusable-result";

/** What the result's message says about its reuse. */
export type ReuseReport = NonNullable<ResultMessage["reuse"]>;

/** A result that is being made because there is none: what becomes of it afterwards. */
export interface NewResult {
  /** Once the compiler has ended. */
  report(result: ActionResult): Promise<ReuseReport>;
  /** Keeps it for the next one who asks, if it may be; to be called before it is disposed. */
  keep(result: ActionResult): Promise<void>;
}

export type Reuse =
  | { readonly kind: "found"; readonly result: ActionResult; readonly reuse: ReuseReport }
  | { readonly kind: "missed"; readonly made: NewResult };

/** Results of earlier jobs, for jobs that would give the same. */
export class ResultReuse {
  readonly #cache: ResultCache;
  readonly #mentions: MentionsByDigest;

  constructor(cache: ResultCache, mentions: MentionsByDigest) {
    this.#cache = cache;
    this.#mentions = mentions;
  }

  /** `place` names the way to run it. All inputs are in the store, and stay there until the job has ended. */
  async find(action: Action, place: string): Promise<Reuse> {
    const keys = resultKeysOf(action, place);
    const lookup = await this.#cache.find(action, keys);
    const result = lookup.kind === "found" ? await this.#cache.restore(lookup.kept, keys.root) : undefined;
    if (result !== undefined) return { kind: "found", result, reuse: { fromCache: true, reusable: true } };
    // While the compiler runs.
    const judging = reusabilityOf(action.inputs, keys.root, this.#mentions).catch(
      (error: unknown): Reusability => ({ kind: "once", reason: String(error) }),
    );
    const note = lookup.kind === "missed" ? lookup.note : undefined;
    return { kind: "missed", made: this.#newResult(action, keys, judging, note) };
  }

  #newResult(
    action: Action,
    keys: ResultKeys,
    judging: Promise<Reusability>,
    note: string | undefined,
  ): NewResult {
    const judge = async (result: ActionResult): Promise<Reusability> => {
      const objection = objectionTo(result);
      return objection === undefined ? await judging : { kind: "once", reason: objection };
    };
    return {
      report: async (result) => {
        const judged = await judge(result);
        const text = judged.kind === "once" ? judged.reason : note;
        return {
          fromCache: false,
          reusable: judged.kind === "reusable",
          ...(text === undefined ? {} : { note: text }),
        };
      },
      keep: async (result) => {
        const judged = await judge(result);
        if (judged.kind === "reusable") await this.#cache.keep(action, keys, judged, result);
      },
    };
  }
}
