import { HomccError } from "@homcc/observability/error";
import { packNow } from "@homcc/protocol/compression";
import { frameFlags } from "@homcc/protocol/frame";
import type { Agreement } from "@homcc/protocol/hello";
import { encodeMessage } from "@homcc/protocol/message-codec";
import { MessageHistory } from "@homcc/protocol/message-history";
import type { Schema } from "@homcc/protocol/schema";

export interface WrittenMessage {
  /** As it goes on the wire, and the flags that say how to read it. */
  readonly payload: Uint8Array;
  readonly flags: number;
  readonly text: Uint8Array;
}

/** Messages of this end as the peer reads them: compressed as it was agreed, with those before them where it keeps them. */
export class MessageWriter<Outgoing> {
  readonly #schema: Schema<Outgoing>;
  readonly #peer: string;
  readonly #agreement: Agreement;
  readonly #history = new MessageHistory();

  /** `peer`: its name, for messages. */
  constructor(schema: Schema<Outgoing>, peer: string, agreement: Agreement) {
    this.#schema = schema;
    this.#peer = peer;
    this.#agreement = agreement;
  }

  /** Throws ERR_HOMCC_PROTOCOL when the message is beyond the limits. */
  write(message: Outgoing): WrittenMessage {
    const written = this.#pack(encodeMessage(this.#schema, message));
    const limit = this.#agreement.maxOutgoingFrameBytes;
    if (written.payload.byteLength > limit) {
      throw new HomccError(
        "ERR_HOMCC_PROTOCOL",
        `a message of ${written.payload.byteLength} bytes for ${this.#peer}; it takes ${limit}`,
      );
    }
    return written;
  }

  /** It goes to the peer next; call it for each message that does, and for no other. */
  sent({ text }: WrittenMessage): void {
    if (this.#agreement.history) this.#history.remember(text);
  }

  #pack(text: Uint8Array): WrittenMessage {
    if (this.#agreement.history) {
      const payload = this.#history.pack(text);
      if (payload !== undefined) return { payload, flags: frameFlags.history, text };
    } else if (this.#agreement.zstd) {
      const { payload, zstd } = packNow(text);
      return { payload, flags: zstd ? frameFlags.zstd : 0, text };
    }
    return { payload: text, flags: 0, text };
  }
}
