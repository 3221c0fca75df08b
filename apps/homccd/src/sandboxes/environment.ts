import type { Executor } from "@homcc/execution/executor";
import type { SandboxCompilers } from "./compilers.ts";

/** A sandbox that was entered. */
export interface SandboxEnvironment {
  readonly executor: Executor;
  /** The client's paths are mapped to a private folder; else they are the real ones. */
  readonly isMapped: boolean;
  readonly compilers: SandboxCompilers;
  /** False once it ended or became another one: a container that restarted, a profile that was changed. */
  isCurrent(): boolean;
  close(): Promise<void>;
}
