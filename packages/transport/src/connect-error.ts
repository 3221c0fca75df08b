import { type ErrorCode, HomccError } from "@homcc/observability/error";

/** How an attempt to connect failed. */
export type ConnectFailure =
  /** Nobody listens, no route, no such name. */
  | "unreachable"
  | "timed-out"
  /** It does what a server of homcc 1.x does on our hello: it closes at once, or refuses in the words of 1.x. */
  | "v1"
  /** Something listens that is neither. */
  | "not-v2"
  /** A homccd that speaks none of our versions; the message names both. */
  | "version-mismatch"
  /** A homccd 2 that does not want us: our address, its shutdown. */
  | "refused"
  /** It has to prove who it is, and does not: nothing was told it. */
  | "untrusted";

const codeOf: Readonly<Record<ConnectFailure, ErrorCode>> = {
  unreachable: "ERR_HOMCC_UNAVAILABLE",
  "timed-out": "ERR_HOMCC_CONNECT_TIMEOUT",
  v1: "ERR_HOMCC_PROTOCOL",
  "not-v2": "ERR_HOMCC_PROTOCOL",
  "version-mismatch": "ERR_HOMCC_PROTOCOL",
  refused: "ERR_HOMCC_REFUSED",
  untrusted: "ERR_HOMCC_UNTRUSTED",
};

export class ConnectError extends HomccError {
  readonly failure: ConnectFailure;

  constructor(
    failure: ConnectFailure,
    message: string,
    options: { readonly hint?: string; readonly cause?: unknown } = {},
  ) {
    super(codeOf[failure], message, options);
    this.failure = failure;
  }
}
