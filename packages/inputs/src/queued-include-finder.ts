import type { Compilation } from "@homcc/compiler/compilation";
import type { Gate } from "./gate.ts";
import type { DiscoveryContext, FoundInputs, IncludeFinder, NotFound } from "./include-finder.ts";

/**
 * Adds a limit to how many compilations are looked at once; the others wait in order. For a finder that keeps a
 * processor busy: more of them at once than processors only makes all of them late.
 */
export class QueuedIncludeFinder implements IncludeFinder {
  readonly #finder: IncludeFinder;
  readonly #gate: Gate;

  constructor(finder: IncludeFinder, gate: Gate) {
    this.#finder = finder;
    this.#gate = gate;
  }

  find(compilation: Compilation, context: DiscoveryContext): Promise<FoundInputs | NotFound> {
    return this.#gate.run(async () => {
      context.signal.throwIfAborted();
      return await this.#finder.find(compilation, context);
    });
  }
}
