/** What a launcher tells the agent about one call. */
export interface LaunchRequest {
  /**
   * The compiler's argv. Its first word is what the user typed, or, where PATH leads from that word to another program
   * first (a masquerade link, a program in `_HOMCC_SAFEGUARD`), `compilerPath`: gcc finds its parts from argv[0].
   */
  readonly argv: readonly string[];
  /** The compiler found by the launcher's search in PATH: absolute path, never homcc itself. */
  readonly compilerPath: string;
  /** As getcwd(3) gives it; a logical one is in PWD. */
  readonly cwd: string;
  /** Without the entries that are not UTF-8. */
  readonly environment: Readonly<Record<string, string>>;
  /** Names of the variables that were left out of `environment` because they are not UTF-8. */
  readonly invalidVariables: readonly string[];
  /** `argv`, `compilerPath` or `cwd` has bytes that are not UTF-8 (U+FFFD here): only `execute("", [])` can serve it. */
  readonly notUtf8: boolean;
  /** Options given to homcc itself on its command line; empty from the native launcher. */
  readonly options: Readonly<Record<string, string>>;
  readonly umask: number;
  readonly pid: number;
  /** `device:inode` of `/` and of the mount namespace: another one than the agent's means that paths differ. */
  readonly rootIdentity: string;
  /** Identity of the agent program the launcher would start: another one than the agent's own retires that agent. */
  readonly agentIdentity: string;
  /** Columns and rows of descriptors 0, 1, 2 where they are terminals. */
  readonly terminals: readonly [TerminalSize | undefined, TerminalSize | undefined, TerminalSize | undefined];
  /** What the launcher writes a `notice` to is a terminal: colours and progress are welcome. */
  readonly noticeTerminal: boolean;
  /** getsid(2) of the launcher: one number for all that one shell, one terminal or one IDE starts. 0: not known. */
  readonly session: number;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** How a supervised program ended; the only thing a launcher says after its request. */
export type SupervisedEnd =
  | { readonly kind: "exit"; readonly status: number }
  | { readonly kind: "signal"; readonly signal: number };

/** What the agent tells the launcher; `exit`, `signal`, `execute` and `retired` are last. */
export type LaunchReply =
  /** The request was understood; sent at once, before anything slow. */
  | { readonly kind: "accepted" }
  | { readonly kind: "stdout"; readonly bytes: Uint8Array }
  | { readonly kind: "stderr"; readonly bytes: Uint8Array }
  /**
   * Words of homcc's own, whole lines. They go past a cache that keeps the compiler's stderr (`UNCACHED_ERR_FD`), and
   * where nobody takes them they are dropped: they never end or hold up a compile.
   */
  | { readonly kind: "notice"; readonly bytes: Uint8Array }
  | { readonly kind: "exit"; readonly status: number }
  /** End as the compiler did: by this signal. */
  | { readonly kind: "signal"; readonly signal: number }
  /**
   * Replace yourself by this program, keeping the connection open: the agent counts the slot until it closes.
   * An empty `argv` means the launcher's own compiler and arguments, byte for byte; `program` is then not looked at.
   */
  | { readonly kind: "execute"; readonly program: string; readonly argv: readonly string[] }
  /**
   * Run this program as a child, report its end in an `ended` frame, and wait for more replies. Words as in `execute`.
   * For the rare local run whose end the agent has to compare with a remote one.
   */
  | { readonly kind: "supervise"; readonly program: string; readonly argv: readonly string[] }
  /** This agent is of another version and takes no more calls: start a new one. */
  | { readonly kind: "retired" };
