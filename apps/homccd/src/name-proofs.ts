import type { Action, ActionResult } from "@homcc/cas/action";
import type { BlobStore } from "@homcc/cas/blob-store";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { whyNamesMatter } from "@homcc/results/name-proof";
import type { ShareableResult } from "@homcc/results/result-cache";
import type { SlotQueue } from "@homcc/scheduler/slots";

/** Actions with their lists of inputs: 100 kB each at most. Of more results it stays unknown whether others may have them. */
const maxWaiting = 1024;

/** What was interrupted so often waits for a quieter server, which is when the source is compiled again. */
const maxAttempts = 5;

export type RunHere = (action: Action, signal: AbortSignal) => Promise<ActionResult>;

export interface NameProofsOptions {
  readonly store: BlobStore;
  readonly slots: SlotQueue;
  readonly logger: Logger;
}

interface Waiting {
  readonly shareable: ShareableResult;
  readonly family: CompilerFamily;
  readonly run: RunHere;
  attempts: number;
}

/**
 * Finds out, when slots are free, which results every root may have although a source looks at its own name. It takes at
 * most half of the slots and gives one back, ending what runs in it, as soon as a client waits.
 */
export class NameProofs {
  readonly #store: BlobStore;
  readonly #slots: SlotQueue;
  readonly #logger: Logger;
  readonly #waiting: Waiting[] = [];
  readonly #end = new AbortController();
  #workers = 0;

  constructor({ store, slots, logger }: NameProofsOptions) {
    this.#store = store;
    this.#slots = slots;
    this.#logger = logger;
  }

  /** `run`: where the result was made; it rejects when that is gone, and then nothing is found out. */
  add(shareable: ShareableResult, family: CompilerFamily, run: RunHere): void {
    if (this.#waiting.length >= maxWaiting) return;
    this.#waiting.push({ shareable, family, run, attempts: 0 });
    if (this.#workers < Math.max(1, Math.floor(this.#slots.limit / 2))) void this.#work();
  }

  close(): void {
    this.#waiting.length = 0;
    this.#end.abort(new Error("homccd is ending"));
  }

  async #work(): Promise<void> {
    this.#workers += 1;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        await this.#attempt(next);
      } catch (error) {
        this.#logger.debug(
          `${next.shareable.unproven.object.path}: not looked into: ${describeError(error)}`,
        );
      }
    }
    this.#workers -= 1;
  }

  async #attempt(waiting: Waiting): Promise<void> {
    const { shareable, family, run } = waiting;
    const { unproven } = shareable;
    const wanted = new AbortController();
    const signal = AbortSignal.any([wanted.signal, this.#end.signal]);
    using _slot = await this.#slots.borrow(() => wanted.abort(new Error("a client wants the slot")), signal);
    const digests = unproven.action.inputs.flatMap((input) => (input.kind === "file" ? [input.digest] : []));
    const pin = this.#store.pin(digests);
    try {
      if ((await this.#store.findMissing(digests)).length > 0) return;
      const whyNot = await whyNamesMatter(unproven, family, this.#store, (action) => run(action, signal));
      this.#logger.debug(`${unproven.object.path}: looked into: ${whyNot ?? "the same for every folder"}`);
      await shareable.settle(whyNot);
    } catch (error) {
      waiting.attempts += 1;
      if (!wanted.signal.aborted || waiting.attempts >= maxAttempts) throw error;
      this.#waiting.unshift(waiting);
    } finally {
      pin.release();
    }
  }
}
