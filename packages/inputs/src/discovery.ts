import type { InputEntry } from "@homcc/cas/action";
import type { Compilation } from "@homcc/compiler/compilation";
import { systemClock, type Clock } from "@homcc/observability/clock";
import type { DirectiveStore } from "@homcc/scanner/directive-cache";
import { CompilerIncludeFinder } from "./compiler-include-finder.ts";
import { DependencyCache } from "./dependency-cache.ts";
import { FileDigests } from "./file-digests.ts";
import type { FolderWatches } from "./folder-watches.ts";
import { Gate } from "./gate.ts";
import type {
  DiscoveryContext,
  FoundInputs,
  IncludeFinder,
  NotFound,
  ScanComparison,
} from "./include-finder.ts";
import type { OnIncompleteScan, ScanTrust } from "./scan-trust.ts";
import { ScanningIncludeFinder } from "./scanning-include-finder.ts";
import { NamesByDigest } from "./names-by-digest.ts";
import { pathOf, structureEntries } from "./path-walk.ts";
import { QueuedIncludeFinder } from "./queued-include-finder.ts";
import { availableParallelism } from "node:os";

export type Discovery =
  | {
      readonly kind: "found";
      /** Files, folders and links, each path once. The same array as last time while nothing changed. */
      readonly entries: readonly InputEntry[];
      /** Each path once; of a path whose folder is missing, the first missing folder. The same array likewise. */
      readonly absent: readonly string[];
      /** As of `FoundInputs`: set when the answer is a guess. */
      readonly confirm?: () => Promise<boolean>;
      /** As of `FoundInputs`: set when no compiler was asked. */
      readonly trust?: ScanTrust;
    }
  | NotFound;

/** Which files a compilation reads, which names it must not find, and the files' digests. */
export class InputDiscovery {
  readonly #finder: IncludeFinder;
  #answers = new WeakMap<FoundInputs, Discovery>();

  constructor(finder: IncludeFinder = createFinder()) {
    this.#finder = finder;
  }

  /** What the compiler says, however long that takes. */
  async discover(compilation: Compilation, context: DiscoveryContext): Promise<Discovery> {
    for (;;) {
      const answer = await this.foresee(compilation, context);
      if (answer.kind === "local" || answer.confirm === undefined) return answer;
      if (await answer.confirm()) {
        const { confirm: _, ...confirmed } = answer;
        return confirmed;
      }
      context.signal.throwIfAborted();
    }
  }

  /** What is known without asking any compiler, be it a guess; `undefined` when that is not enough. */
  async recall(compilation: Compilation, context: DiscoveryContext): Promise<Discovery | undefined> {
    const found = await this.#finder.recall?.(compilation, context);
    return found === undefined || found.kind === "local" ? found : this.#discoveryOf(found);
  }

  /** The same, or at once a guess that has to `confirm` itself later: after an edit that changed no name in the file. */
  async foresee(compilation: Compilation, context: DiscoveryContext): Promise<Discovery> {
    const found = await this.#finder.find(compilation, context);
    return found.kind === "local" ? found : this.#discoveryOf(found);
  }

  /** What the include scanner finds, beside what the compiler says. */
  async compare(compilation: Compilation, context: DiscoveryContext): Promise<ScanComparison> {
    const nobody = { kind: "not-scanned", reason: "there is no scanner" } as const;
    return (await this.#finder.compare?.(compilation, context)) ?? nobody;
  }

  #discoveryOf(found: FoundInputs): Discovery {
    const known = this.#answers.get(found);
    if (known !== undefined) return known;
    const discovery = discoveryOf(found);
    this.#answers.set(found, discovery);
    return discovery;
  }

  /**
   * For an idle agent: forgets lists that are made again in microseconds, most of what a compilation costs in memory, and
   * compilations that were long ago.
   */
  release(): void {
    this.#answers = new WeakMap();
    this.#finder.release?.();
  }
}

/** The include scanner and, where it cannot, the compiler's own lists, behind a cache; `digests` may be shared with whoever reads the files for sending them. */
export function createFinder(
  options: {
    readonly digests?: FileDigests;
    readonly clock?: Clock;
    /** Default true. */
    readonly scans?: boolean;
    /** Compilations that ask their compiler pass it; without it as many at once as there are processors. */
    readonly gate?: Gate;
    /** Where the scanner's lists of directives outlive the process. */
    readonly store?: DirectiveStore;
    /** Saves the scanner looks at the compilers' own headers. */
    readonly watches?: FolderWatches;
    readonly onIncompleteScan?: OnIncompleteScan;
  } = {},
): DependencyCache {
  const {
    clock = systemClock,
    digests = new FileDigests({ clock }),
    gate = new Gate(availableParallelism()),
  } = options;
  const names = new NamesByDigest(digests);
  const compilers = new QueuedIncludeFinder(new CompilerIncludeFinder(digests, names, clock), gate);
  const finder =
    options.scans === false
      ? compilers
      : new ScanningIncludeFinder(compilers, {
          digests,
          clock,
          gate,
          ...(options.store === undefined ? {} : { store: options.store }),
          ...(options.watches === undefined ? {} : { watches: options.watches }),
          ...(options.onIncompleteScan === undefined ? {} : { onIncomplete: options.onIncompleteScan }),
        });
  return new DependencyCache(finder, { digests, names, clock });
}

function discoveryOf(found: FoundInputs): Discovery {
  const files = found.files.map(({ entry }) => entry);
  const absent = found
    .absent()
    .flatMap(({ folder, names, paths }) => paths ?? names.map((name) => pathOf(folder, name)));
  return {
    kind: "found",
    entries: [...files, ...(found.structure ?? structureEntries(found.links, found.directories))],
    absent,
    ...(found.confirm === undefined ? {} : { confirm: found.confirm }),
    ...(found.trust === undefined ? {} : { trust: found.trust }),
  };
}
