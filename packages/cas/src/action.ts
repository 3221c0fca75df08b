import type { Digest } from "./digest.ts";

/**
 * One entry of an input root, at the client's absolute path (normalised lexically: no `.`, `..`, `//`; every folder
 * above it exists implicitly). Symbolic links are entries of their own, so that `dir/../x` through a link means the
 * same on both sides.
 */
export type InputEntry =
  | {
      readonly kind: "file";
      readonly path: string;
      readonly digest: Digest;
      /** The client's modification time: gcc's `#pragma once` compares it. Nanoseconds since the epoch. */
      readonly mtimeNs: bigint;
    }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string };

/** A file the compiler may write, at the client's absolute path. One it did not write is not an error. */
export interface DeclaredOutput {
  readonly path: string;
  /** It exists at home: the job then finds a placeholder there, so that a removal can be told from "never written". */
  readonly exists: boolean;
  /** Permission bits of the file at home: a compiler that writes into it keeps them. */
  readonly mode?: number | undefined;
}

/** One program of an action; usually there is just one, the driver. */
export interface Step {
  /** Absolute path of the program in the job's root; it must be part of the toolchain. */
  readonly program: string;
  /** `argv[0]` included, exactly as the user's shell gave it: drivers print it in their messages. */
  readonly argv: readonly string[];
}

/** Size of the terminal behind descriptor 2; `undefined` members of `Action.terminal` are no terminals. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Which of the compiler's standard descriptors are terminals at home: it colours and wraps by them. */
export interface Terminal {
  readonly stdin?: TerminalSize;
  readonly stdout?: TerminalSize;
  readonly stderr?: TerminalSize;
}

/** An environment of the server that the user named: its own compiler and its own system headers are the truth. */
export type Sandbox =
  | { readonly kind: "schroot"; readonly profile: string }
  | { readonly kind: "docker"; readonly container: string };

/** Everything a result depends on: command, working folder, environment, inputs, toolchain. */
export interface Action {
  /** Digest of the toolchain manifest (`@homcc/compiler/toolchain`). */
  readonly toolchain: Digest;
  /** Run in order; the first that does not exit with 0 ends the action with its status. */
  readonly steps: readonly Step[];
  /** Absolute; exists in the root even when no input lies in it. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly umask: number;
  readonly terminal: Terminal;
  readonly inputs: readonly InputEntry[];
  /** Paths that do not exist at home and that the compiler may probe: they must not exist in the job either. */
  readonly absent: readonly string[];
  readonly outputs: readonly DeclaredOutput[];
  readonly timeoutMs: number;
  /**
   * Where to run it; without one in the server's own way. The programs of `steps` are then paths inside it, inputs below
   * /usr/include and /usr/lib are its own, and `toolchain` is the client's, for comparison only.
   */
  readonly sandbox?: Sandbox | undefined;
}

export type Termination =
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "signalled"; readonly signal: number }
  | { readonly kind: "timed-out" }
  /** A limit of the sandbox ended it: memory, file size, processes, disk. */
  | { readonly kind: "limited"; readonly limit: string };

/** What happened to one declared output. Outputs that were neither written nor removed are not listed. */
export type OutputChange =
  | {
      readonly kind: "written";
      readonly path: string;
      /** Where the bytes are on this machine; valid until the result is disposed. */
      readonly file: string;
      readonly sizeBytes: number;
      /** Permission bits as the compiler left them under the action's umask. */
      readonly mode: number;
      /** Where somebody has just found out what the bytes are. */
      readonly digest?: Digest;
      /** Of a kept result: the blob that these bytes were packed into when they were kept. */
      readonly packed?: Digest;
    }
  | { readonly kind: "removed"; readonly path: string };

export interface ActionResult extends AsyncDisposable {
  readonly termination: Termination;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly outputs: readonly OutputChange[];
  /** Files the job created outside /tmp that nobody declared: a gap in the option table. */
  readonly undeclared: readonly string[];
  /** Files that the compiler says it read and that are no inputs, some of them; `undefined` when it did not say. */
  readonly unlisted?: readonly string[] | undefined;
  readonly usage: { readonly wallMs: number; readonly cpuMs: number; readonly maxRssKiB: number };
}
