import { unpackNow } from "@homcc/protocol/compression";
import { type Frame, frameFlags } from "@homcc/protocol/frame";
import { maxMessageBytes } from "@homcc/protocol/limits";
import { decodeMessage, type IncomingSchema } from "@homcc/protocol/message-codec";
import { MessageHistory } from "@homcc/protocol/message-history";

/** Messages of the peer, which may be compressed with those before them. Throws ERR_HOMCC_PROTOCOL for what is damaged. */
export class MessageReader<Incoming> {
  readonly #schema: IncomingSchema<Incoming>;
  readonly #keepsHistory: boolean;
  readonly #history = new MessageHistory();

  constructor(schema: IncomingSchema<Incoming>, keepsHistory: boolean) {
    this.#schema = schema;
    this.#keepsHistory = keepsHistory;
  }

  /**
   * Call it for each message in the order of arrival, also for what is late and for nobody: the messages after it may count on it.
   * Gives its text where they do, for `read`.
   */
  remember(frame: Frame): Uint8Array | undefined {
    if (!this.#keepsHistory) return undefined;
    const { payload, flags } = frame;
    const isAlone = (flags & frameFlags.zstd) !== 0 || (flags & frameFlags.history) === 0;
    const text = isAlone ? textAlone(frame) : this.#history.unpack(payload, maxMessageBytes);
    this.#history.remember(text);
    return text;
  }

  /** `text`: what `remember` gave for this frame. `undefined`: of a later version. */
  read(frame: Frame, text: Uint8Array | undefined): Incoming | undefined {
    return decodeMessage(this.#schema, text ?? textAlone(frame));
  }
}

/** Of a message that does not count on those before it. */
function textAlone({ payload, flags }: Frame): Uint8Array {
  return (flags & frameFlags.zstd) === 0 ? payload : unpackNow(payload, maxMessageBytes);
}
