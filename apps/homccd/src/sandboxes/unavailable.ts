import { hasCode, HomccError } from "@homcc/observability/error";

/** A sandbox that cannot be used: `message` says why and what there is, `hint` the line to change. */
export function unavailable(message: string, hint?: string): HomccError {
  return new HomccError("ERR_HOMCC_SANDBOX", message, hint === undefined ? {} : { hint });
}

/** Completes "there are: …". */
export function listed(names: readonly string[]): string {
  return names.length === 0 ? "there are none" : `there are: ${names.join(", ")}`;
}

/** It says itself what is wrong, and that is not the way in. */
export function hasOwnCause(error: unknown): boolean {
  return hasCode(error, "ERR_HOMCC_SANDBOX") || hasCode(error, "ERR_HOMCC_STORE_FULL");
}
