import type { InputEntry } from "@homcc/cas/action";
import type { Digest } from "@homcc/cas/digest";
import type { Compilation, CompilerFamily } from "@homcc/compiler/compilation";
import type { OutcomeName } from "@homcc/observability/outcomes";
import type { FileRecord } from "./file-digests.ts";
import type { AbsentNames } from "./path-walk.ts";
import type { ScanTrust } from "./scan-trust.ts";

/** Where and by what a compilation would run at home. */
export interface DiscoveryContext {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute. */
  readonly compilerPath: string;
  readonly family: CompilerFamily;
  /** What the compiler is, by all its files: what it said is forgotten when one changes. Without it by the driver alone. */
  readonly toolchain?: Digest;
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
  /** Made when it is called: in most projects it is the longest of all lists. */
  readonly absent: () => readonly AbsentNames[];
  /** Entries of links and directories, where many compilations have them in common. */
  readonly structure?: readonly InputEntry[];
  /** When the looking began, in milliseconds since the epoch. */
  readonly startedAtMs: number;
  /** False when a file changed meanwhile: good for this compilation, not for being asked again. */
  readonly lasting: boolean;
  /**
   * Set when this is a guess: asks the compiler, once, whether it says the same. What a guess led to counts only once
   * it was confirmed. Never rejects.
   */
  readonly confirm?: () => Promise<boolean>;
  /** Set when the include scanner found it, and not the compiler: who notices that a file is missing has it lose this. */
  readonly trust?: ScanTrust;
}

/** A scan beside the compiler's own list. */
export type ScanComparison =
  | {
      readonly kind: "compared";
      /** How many files the scan has. */
      readonly files: number;
      /** Real paths of what only the compiler lists, and of what only the scanner has. */
      readonly missing: readonly string[];
      readonly extra: readonly string[];
    }
  /** The scanner leaves it to the compiler, and why. */
  | { readonly kind: "not-scanned"; readonly reason: string }
  /** The compiler gives no list. */
  | { readonly kind: "not-listed" };

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
  /** Scans, and asks the compiler too. */
  compare?(compilation: Compilation, context: DiscoveryContext): Promise<ScanComparison>;
  /** Forgets what an idle agent does without. */
  release?(): void;
}

export function notFound(outcome: OutcomeName, detail: string): NotFound {
  return { kind: "local", outcome, detail };
}
