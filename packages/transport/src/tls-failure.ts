import { describeError } from "@homcc/observability/error";

/** What OpenSSL says of a handshake, without the file and line of its sources. */
export function tlsReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ("reason" in error && typeof error.reason === "string") return error.reason;
  return describeError(error)
    .replace(/^[0-9A-F]+:error:[0-9A-F]+:/, "")
    .trim();
}

/** Date and time of a certificate's bound, and of the clock that it is compared with. */
export function dayAndTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
