import { HomccError } from "@homcc/observability/error";

/**
 * What a server that begins no more jobs says about the time after it. `returning`: another homccd is expected behind the same
 * address soon, as after a restart; `leaving`: none is.
 */
export type Drain = "returning" | "leaving";

const bytes: Readonly<Record<Drain, number>> = { returning: 1, leaving: 2 };

/** The payload of a drain frame. */
export function encodeDrain(drain: Drain): Buffer {
  return Buffer.of(bytes[drain]);
}

/** What follows the first byte, and a byte of a later version, are no reason to refuse it: such a server leaves. */
export function decodeDrain(payload: Uint8Array): Drain {
  const [first] = payload;
  if (first === undefined) throw new HomccError("ERR_HOMCC_PROTOCOL", "a drain frame without a payload");
  return first === bytes.returning ? "returning" : "leaving";
}
