import type { Drain } from "@homcc/protocol/drain";

/** How a homccd comes to its end: first it is asked to, and whoever asks again is not patient. */
export class Ending {
  /** Resolves when it is asked for the first time. */
  readonly begun: Promise<Drain>;
  /** Resolves when it is asked again: nothing is waited for any more. */
  readonly hurried: Promise<void>;
  readonly #begin: (drain: Drain) => void;
  readonly #hurry: () => void;
  #drain: Drain | undefined;

  constructor() {
    const begun = Promise.withResolvers<Drain>();
    const hurried = Promise.withResolvers<void>();
    [this.begun, this.#begin] = [begun.promise, begun.resolve];
    [this.hurried, this.#hurry] = [hurried.promise, hurried.resolve];
  }

  /** What clients are told; `undefined` while nobody has asked. */
  get drain(): Drain | undefined {
    return this.#drain;
  }

  ask(drain: Drain): void {
    if (this.#drain === undefined) {
      this.#drain = drain;
      this.#begin(drain);
    } else this.#hurry();
  }

  /** A signal that restarts a service, or ends one in the foreground; the second one ends it at once. */
  heedSignals(): void {
    process.on("SIGTERM", () => this.ask("returning"));
    process.on("SIGINT", () => this.ask("leaving"));
  }
}
