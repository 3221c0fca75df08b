import type { Compilation, CompilerFamily } from "@homcc/compiler/compilation";
import type { OutcomeName } from "@homcc/observability/outcomes";
import type { FileRecord } from "./file-digests.ts";
import type { AbsentNames } from "./path-walk.ts";

/** Where and by what a compilation would run at home. */
export interface DiscoveryContext {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute. */
  readonly compilerPath: string;
  readonly family: CompilerFamily;
  readonly signal: AbortSignal;
}

/** Everything that a compilation reads, and everything whose existence decides what it reads. */
export interface FoundInputs {
  readonly kind: "found";
  readonly files: readonly FileRecord[];
  /** Real paths of folders that must exist. */
  readonly directories: readonly string[];
  /** Real path of each link, and its target as written. */
  readonly links: ReadonlyMap<string, string>;
  readonly absent: readonly AbsentNames[];
  /** When the looking began, in milliseconds since the epoch. */
  readonly startedAtMs: number;
  /** False when a file changed meanwhile: good for this compilation, not for being asked again. */
  readonly lasting: boolean;
  /**
   * Set when this is a guess: asks the compiler, once, whether it says the same. What a guess led to counts only once
   * it was confirmed. Never rejects.
   */
  readonly confirm?: () => Promise<boolean>;
}

/** The job belongs at home, and why. */
export interface NotFound {
  readonly kind: "local";
  readonly outcome: OutcomeName;
  readonly detail: string;
}

/** A way to find out what a compilation reads. Rejects with the signal's reason when it is aborted. */
export interface IncludeFinder {
  find(compilation: Compilation, context: DiscoveryContext): Promise<FoundInputs | NotFound>;
  /** What it knows without starting a program; `undefined` when it would have to. */
  recall?(compilation: Compilation, context: DiscoveryContext): Promise<FoundInputs | NotFound | undefined>;
  /** Forgets what an idle agent does without. */
  release?(): void;
}

export function notFound(outcome: OutcomeName, detail: string): NotFound {
  return { kind: "local", outcome, detail };
}
