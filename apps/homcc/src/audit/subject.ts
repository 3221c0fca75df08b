import type { Action } from "@homcc/cas/action";
import type { Compilation, CompilerFamily } from "@homcc/compiler/compilation";
import type { ProducedOutput } from "../remote/produced-output.ts";

/** A compile that a server answered for, with all that it takes to do it again here and to compare. */
export interface AuditSubject {
  readonly action: Action;
  readonly compilation: Pick<Compilation, "argv" | "source" | "language">;
  readonly family: CompilerFamily;
  /** What is run here, by that path and with the compilation's `argv`. */
  readonly compilerPath: string;
  /** By its real path: what the toolchain's identity belongs to. */
  readonly driver: string;
  /** The line in which the compiler says its version. */
  readonly compilerVersion: string;
  /** All of the launcher's: what does not travel and matters all the same is found like this. */
  readonly environment: Readonly<Record<string, string>>;
  readonly answer: Answer;
  readonly from: AnswerOrigin;
}

/** What a compile gave. */
export interface Answer {
  /** `undefined`: it did not end by itself. */
  readonly status: number | undefined;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** Declared outputs that were written or removed. */
  readonly produced: readonly ProducedOutput[];
  readonly undeclared: readonly string[];
}

export interface AnswerOrigin {
  /** `name:port`; `localhost` for a result that was kept at home. */
  readonly host: string;
  /** Program and version of the server; `undefined` when it is not connected any more. */
  readonly serverVersion: string | undefined;
  readonly origin: "compiler" | "server-results" | "own-results";
  readonly executor: string;
}
