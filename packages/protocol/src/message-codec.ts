import { HomccError } from "@homcc/observability/error";
import { checkJsonBounds } from "./json-bounds.ts";
import { maxMessageBytes } from "./limits.ts";
import { isPlainObject, parse, type Schema } from "./schema.ts";

/** A union of messages by `kind`, read as `M`. */
export interface IncomingSchema<M> extends Schema<M> {
  knows(value: unknown): boolean;
}

/**
 * The JSON text of a message. Throws ERR_HOMCC_PROTOCOL when a receiver would: a sender finds its own mistakes before
 * they cost the connection and all jobs on it.
 */
export function encodeMessage<M>(schema: Schema<M>, message: M): Buffer {
  const text = Buffer.from(JSON.stringify(parse(schema, message, kindOf(message))));
  if (text.byteLength > maxMessageBytes) {
    throw new HomccError(
      "ERR_HOMCC_PROTOCOL",
      `${kindOf(message)}: ${text.byteLength} bytes; a message has at most ${maxMessageBytes}`,
    );
  }
  checkJsonBounds(text);
  return text;
}

/** The message, or `undefined` for a kind that this version does not know. Throws ERR_HOMCC_PROTOCOL for anything else. */
export function decodeMessage<M>(schema: IncomingSchema<M>, text: Uint8Array): M | undefined {
  const value = parseJson(text, maxMessageBytes);
  const known = parse({ read: (message) => schema.knows(message) }, value, "message");
  return known ? parse(schema, value, kindOf(value)) : undefined;
}

/** JSON from a peer: bounded in length, depth and number of values before it is parsed. */
export function parseJson(text: Uint8Array, maxBytes: number): unknown {
  if (text.byteLength > maxBytes) {
    throw new HomccError(
      "ERR_HOMCC_PROTOCOL",
      `a message of ${text.byteLength} bytes; at most ${maxBytes} are allowed`,
    );
  }
  checkJsonBounds(text);
  try {
    return JSON.parse(utf8.decode(text));
  } catch (error) {
    throw new HomccError("ERR_HOMCC_PROTOCOL", "a message that is not JSON in UTF-8", { cause: error });
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function kindOf(message: unknown): string {
  const kind = isPlainObject(message) ? message["kind"] : undefined;
  return typeof kind === "string" ? kind.slice(0, 64) : "message";
}
