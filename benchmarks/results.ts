import type { Figures } from "./figures/goals.ts";
import type { LinkProfile } from "./link/thin-link-process.ts";

/** What `benchmarks/results/results.json` holds; tables, plots and the README's numbers are made of it. */
export interface Results {
  readonly machine: Machine;
  readonly farm: FarmFacts;
  readonly local: LocalBuild;
  readonly runs: readonly BuildRun[];
  /** Contenders that could not take part, and why. */
  readonly absent: readonly { readonly tool: string; readonly why: string }[];
  readonly micro: readonly MicroResult[];
  /** What parts of the benchmark measured by themselves; results of before there were any have none. */
  readonly figures?: Figures;
}

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGigabytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly compiler: string;
  /** Of the last minute, when the builds began: others may have used the machine too. */
  readonly load: number;
}

/** The servers that are played. */
export interface FarmFacts {
  readonly slots: number;
  readonly sources: number;
  readonly headers: number;
  /** Recorded: the processor's time of all compiles, and of the longest. */
  readonly compileMs: number;
  readonly longestMs: number;
  /** All compiles in their order on that many slots, with nothing around them. */
  readonly idealMs: number;
  readonly objectBytes: number;
}

/** The same files with the plain compiler, as many at once as there are cores. */
export interface LocalBuild {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** One build of all files; times are milliseconds per file where the name says CPU. */
export interface BuildRun {
  readonly tool: string;
  readonly version: string;
  /** `cold`: the servers know nothing. `warm`: they have built the same before. `each`: there is no difference. */
  readonly phase: "cold" | "warm" | "each";
  readonly link: LinkProfile;
  readonly files: number;
  readonly wallMs: number;
  /** Launchers and what they start, beyond processes that do nothing. */
  readonly launcherCpuMs: number;
  /** The agent or daemon on the client. */
  readonly daemonCpuMs: number;
  readonly serverCpuMs: number;
  readonly upBytes: number;
  readonly downBytes: number;
  readonly upWireBytes: number;
  readonly downWireBytes: number;
  /** Objects that are byte for byte the recorded ones. */
  readonly equalObjects: number;
  /** Files that the tool compiled on the client though there were servers; absent where it cannot be known. */
  readonly atHome?: number;
}

export interface MicroResult {
  readonly name: string;
  readonly unit: "ms" | "µs";
  readonly median: number;
  readonly min: number;
  readonly max: number;
}
