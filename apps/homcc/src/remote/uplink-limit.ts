import type { ClientChannel } from "@homcc/transport/channel";

/** Divides `uplink_limit` among the connections that have something to send. */
export class UplinkLimit {
  /** `undefined`: none. */
  bytesPerSecond: number | undefined;
  readonly #channels = new Set<Pick<ClientChannel, "isSending">>();

  /** As long as the connection lasts. */
  add(channel: Pick<ClientChannel, "isSending" | "limitSending" | "closed">): void {
    this.#channels.add(channel);
    channel.limitSending(() => this.#share());
    void channel.closed.then(() => this.#channels.delete(channel));
  }

  #share(): number | undefined {
    if (this.bytesPerSecond === undefined) return undefined;
    const sending = [...this.#channels].filter(({ isSending }) => isSending).length;
    return this.bytesPerSecond / Math.max(1, sending);
  }
}
