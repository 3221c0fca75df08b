/** What a launcher tells the agent about one call. */
export interface LaunchRequest {
  /** The launcher's own arguments after its name, or, called through a masquerade link, the link's name first. */
  readonly argv: readonly string[];
  /** The compiler found by the launcher's search in PATH: absolute path, never homcc itself. */
  readonly compilerPath: string;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly umask: number;
  readonly pid: number;
  /** `device:inode` of `/` and of the mount namespace: another one than the agent's means that paths differ. */
  readonly rootIdentity: string;
  /** Identity of the agent program the launcher would start: another one than the agent's own retires that agent. */
  readonly agentIdentity: string;
  /** Columns and rows of descriptors 0, 1, 2 where they are terminals. */
  readonly terminals: readonly [TerminalSize | undefined, TerminalSize | undefined, TerminalSize | undefined];
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** What the agent tells the launcher; `exit`, `signal`, `execute` and `retired` are last. */
export type LaunchReply =
  /** The request was understood; sent at once, before anything slow. */
  | { readonly kind: "accepted" }
  | { readonly kind: "stdout"; readonly bytes: Uint8Array }
  | { readonly kind: "stderr"; readonly bytes: Uint8Array }
  | { readonly kind: "exit"; readonly status: number }
  /** End as the compiler did: by this signal. */
  | { readonly kind: "signal"; readonly signal: number }
  /** Replace yourself by this program, keeping the connection open: the agent counts the slot until it closes. */
  | { readonly kind: "execute"; readonly program: string; readonly argv: readonly string[] }
  /** This agent is of another version and takes no more calls: start a new one. */
  | { readonly kind: "retired" };
