import { type ErrorCode, hasCode } from "@homcc/observability/error";

/** What `read` gives, or `undefined` where it refuses the input in the way that its callers expect. */
export function orRefused<T>(read: () => T, code: ErrorCode = "ERR_HOMCC_PROTOCOL"): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, code)) return undefined;
    throw error;
  }
}

/** The same of a promise. */
export async function orRefusedLater<T>(
  read: () => Promise<T>,
  code: ErrorCode = "ERR_HOMCC_PROTOCOL",
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (hasCode(error, code)) return undefined;
    throw error;
  }
}
