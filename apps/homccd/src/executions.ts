import { createHash } from "node:crypto";
import type { Action } from "@homcc/cas/action";
import { unlessAborted } from "@homcc/observability/unless-aborted";
import { actionKey, messageKey } from "@homcc/results/action-key";
import type { PlacedResult } from "./job-place.ts";

/** Runs an action: calls `begun` when its compiler starts, and ends it when `signal` is aborted. */
export type Begin = (signal: AbortSignal, begun: () => void) => Promise<PlacedResult>;

/** A part in one execution. While anybody has one, it goes on, and its result is there; to be disposed of. */
export interface ExecutionShare extends AsyncDisposable {
  /** The compiler has started, and may have ended. */
  readonly hasBegun: boolean;
  /** Calls `listener` when the compiler starts; at once when it has. */
  onBegun(listener: () => void): void;
  /** Rejects as the execution does, and with the signal's reason. */
  result(signal: AbortSignal): Promise<PlacedResult>;
  /** This one's client has been sent all of the result. */
  delivered(): void;
  /** Resolves when a client has been sent all of it: no other is awaited then. */
  readonly fetched: Promise<void>;
  /** True for the first of all who ask: who it is keeps the result for later jobs. */
  claimKeeping(): boolean;
}

/**
 * What runs, and what has run and is still being fetched: a job of another connection that would be the same takes part in
 * it instead of being compiled. So a client whose line dropped gets what it had begun, and two clients that want the same at
 * once wait for one compiler.
 */
export class Executions {
  /** By what costs nothing to compare; keys are computed only where that is equal. */
  readonly #byOutline = new Map<string, Set<Execution>>();

  /**
   * Takes part in an equal execution that another `owner` began, or else begins one. `owner` is what it runs in; see
   * `ended`. `place`: ways to run it that give equal results share one.
   */
  join(owner: object, action: Action, place: string, begin: Begin): ExecutionShare {
    const outline = outlineOf(action, place);
    const running = this.#find(owner, action, outline);
    if (running !== undefined) return running.share();
    const alike = this.#byOutline.get(outline) ?? new Set();
    const execution = new Execution(owner, action, place, begin);
    this.#byOutline.set(outline, alike.add(execution));
    void execution.over.then(() => {
      alike.delete(execution);
      if (alike.size === 0 && this.#byOutline.get(outline) === alike) this.#byOutline.delete(outline);
    });
    return execution.share();
  }

  /**
   * A part in an equal execution that another `owner` began, for whoever looks for a kept result first: one that ends during that look
   * would be found neither there nor here.
   */
  hold(owner: object, action: Action, place: string): AsyncDisposable | undefined {
    return this.#find(owner, action, outlineOf(action, place))?.share();
  }

  #find(owner: object, action: Action, outline: string): Execution | undefined {
    for (const execution of this.#byOutline.get(outline) ?? [])
      if (execution.owner !== owner && execution.isEqualTo(action)) return execution;
    return undefined;
  }

  /** Resolves when nobody has a share in what `owner` began. */
  async ended(owner: object): Promise<void> {
    await Promise.all(this.#all().flatMap((each) => (each.owner === owner ? [each.over] : [])));
  }

  /** Ends all, whoever has a share: the server ends. */
  close(reason: Error): void {
    for (const execution of this.#all()) execution.end(reason);
  }

  #all(): Execution[] {
    return [...this.#byOutline.values()].flatMap((alike) => [...alike]);
  }
}

class Execution {
  readonly owner: object;
  /** Resolves when the last share was disposed of and nothing is left of it. */
  readonly over: Promise<void>;
  readonly #action: Action;
  readonly #place: string;
  readonly #abort = new AbortController();
  readonly #result: Promise<PlacedResult>;
  readonly #fetched = Promise.withResolvers<void>();
  readonly #listeners = new Set<() => void>();
  readonly #resolveOver: () => void;
  #key: string | undefined;
  #shares = 0;
  #state: "waiting" | "begun" | "ended" = "waiting";
  #isKept = false;

  constructor(owner: object, action: Action, place: string, begin: Begin) {
    this.owner = owner;
    this.#action = action;
    this.#place = place;
    const over = Promise.withResolvers<void>();
    this.over = over.promise;
    this.#resolveOver = over.resolve;
    this.#result = begin(this.#abort.signal, () => this.#begun());
    // Nobody may be left to hear of it.
    this.#result.catch(() => {});
  }

  isEqualTo(action: Action): boolean {
    if (this.#state === "ended") return false;
    this.#key ??= keyOf(this.#action, this.#place);
    return this.#key === keyOf(action, this.#place);
  }

  share(): ExecutionShare {
    this.#shares += 1;
    let isHeld = true;
    const hasBegun = (): boolean => this.#state !== "waiting";
    return {
      get hasBegun() {
        return hasBegun();
      },
      onBegun: (listener) => {
        if (hasBegun()) listener();
        else this.#listeners.add(listener);
      },
      result: (signal) => unlessAborted(this.#result, signal),
      delivered: () => this.#fetched.resolve(),
      fetched: this.#fetched.promise,
      claimKeeping: () => {
        const isFirst = !this.#isKept;
        this.#isKept = true;
        return isFirst;
      },
      [Symbol.asyncDispose]: async () => {
        if (!isHeld) return;
        isHeld = false;
        this.#shares -= 1;
        if (this.#shares > 0) return;
        this.end(new Error("nobody wants it any more"));
        await this.over;
      },
    };
  }

  end(reason: Error): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#abort.abort(reason);
    void this.#dispose();
  }

  async #dispose(): Promise<void> {
    try {
      const { result } = await this.#result;
      await result[Symbol.asyncDispose]();
    } catch {
      // It came to nothing, which everybody who waited for it was told.
    }
    this.#resolveOver();
  }

  #begun(): void {
    if (this.#state !== "waiting") return;
    this.#state = "begun";
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }
}

/** What is mostly different between jobs that are. */
function outlineOf({ toolchain, cwd, steps, outputs }: Action, place: string): string {
  const words = steps.at(-1)?.argv ?? [];
  return [place, toolchain, cwd, ...outputs.map(({ path }) => path), ...words].join("\0");
}

/** Stricter than the keys of kept results: times of files and what exists at home count, as both may show. */
function keyOf(action: Action, place: string): string {
  const times = action.inputs.map((input) => (input.kind === "file" ? `${input.path} ${input.mtimeNs}` : ""));
  const facts = [
    actionKey(action, place),
    messageKey(action),
    times.toSorted(),
    action.absent.toSorted(),
    action.outputs,
    action.timeoutMs,
  ];
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
}
