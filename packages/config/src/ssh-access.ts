import { shellWords } from "./shell-words.ts";
import type { ValueType } from "./values.ts";

/** How ssh is called for a job. */
export interface SshSettings {
  /** A name that is looked up in PATH, or a path. */
  readonly executable: string;
  /** The user's own, before the destination. */
  readonly options: readonly string[];
  /** Without a job for this long the connection ends; 0: as long as the agent lives. */
  readonly controlPersistMs: number;
  /** Of the job: it has the keys (SSH_AUTH_SOCK) and the PATH. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The way to a server whose address has an `@`. */
export interface SshAccess extends SshSettings {
  /** Empty: whom ssh chooses. */
  readonly user: string;
}

export const defaultSshSettings: SshSettings = {
  executable: "ssh",
  options: [],
  controlPersistMs: 600_000,
  environment: {},
};

/** `-f`, alone or behind other letters that take no value: ssh would go into the background, and stay there after us. */
const intoBackground = /^-[1246AaCGgKkMNnqsTtVvXxYy]*f/;

export const sshOptions: ValueType<readonly string[]> = {
  metavar: "OPTIONS",
  allowed: "options of ssh, quoted as in a shell; not -f",
  parse: (given) => {
    const words = shellWords(given);
    return words?.some((word) => intoBackground.test(word)) === true ? undefined : words;
  },
};
