import type { Action, ActionResult } from "@homcc/cas/action";
import { describeError } from "@homcc/observability/error";
import type { ResultMessage } from "@homcc/protocol/messages";
import type { MentionsByDigest } from "@homcc/results/mentions";
import type { KeepableResult, ResultCache } from "@homcc/results/result-cache";
import { resultKeysOf } from "@homcc/results/result-keys";
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
  readonly #cache: ResultCache | undefined;
  readonly #mentions: MentionsByDigest;

  /** Without a cache every job is compiled; clients are told all the same what they may keep. */
  constructor(cache: ResultCache | undefined, mentions: MentionsByDigest) {
    this.#cache = cache;
    this.#mentions = mentions;
  }

  /** `place` names the way to run it. All inputs are in the store, and stay there until the job has ended. */
  async find(action: Action, place: string): Promise<Reuse> {
    if (this.#cache === undefined) {
      const judging = this.#judge(action, undefined);
      return { kind: "missed", made: newResult(judging, undefined, () => Promise.resolve()) };
    }
    const cache = this.#cache;
    const keys = resultKeysOf(action, place);
    const lookup = await cache.find(action, keys);
    const result = lookup.kind === "found" ? await cache.restore(lookup.kept, keys.root) : undefined;
    if (result !== undefined) return { kind: "found", result, reuse: { fromCache: true, reusable: true } };
    const judging = this.#judge(action, keys.root);
    const note = lookup.kind === "missed" ? lookup.note : undefined;
    const keep: Keep = (made, judged) => cache.keep(action, keys, judged, made);
    return { kind: "missed", made: newResult(judging, note, keep) };
  }

  /** While the compiler runs. */
  async #judge({ inputs }: Action, root: string | undefined): Promise<Reusability> {
    try {
      return await reusabilityOf(inputs, root, this.#mentions);
    } catch (error) {
      return { kind: "once", reason: describeError(error) };
    }
  }
}

type Keep = (made: KeepableResult, judged: Extract<Reusability, { kind: "reusable" }>) => Promise<void>;

function newResult(judging: Promise<Reusability>, note: string | undefined, keep: Keep): NewResult {
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
      if (judged.kind === "once") return;
      await keep(
        { ...result, outputs: result.outputs.filter((output) => output.kind === "written") },
        judged,
      );
    },
  };
}
