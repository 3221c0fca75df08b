import { hashOf, type Digest } from "@homcc/cas/digest";
import { contentBytes } from "@homcc/compiler/manifest-reader";
import type { Toolchain } from "@homcc/compiler/toolchain";
import type { Clock } from "@homcc/observability/clock";
import { describeError, hasCode } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { unlessAborted } from "@homcc/observability/unless-aborted";
import type { RefusedMessage } from "@homcc/protocol/messages";
import type { HostId } from "@homcc/scheduler/host";
import { SlotQueue } from "@homcc/scheduler/slots";
import { bytesText, durationText } from "@homcc/observability/quantities";
import { ToolchainRefused, type UploadWatch } from "./toolchain-upload.ts";
import { UploadRate } from "./upload-rate.ts";

/** A connection over which a toolchain can be sent. */
export interface ShippingLink {
  readonly hostId: HostId;
  upload(toolchain: Toolchain, watch: UploadWatch, signal: AbortSignal): Promise<void>;
}

export interface ShipmentsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The agent stays until the returned object is disposed. */
  readonly busy: () => Disposable;
  /** Another connection after one was lost, as soon as there is one; `undefined` when the server does not come back. */
  readonly linkTo: (hostId: HostId, signal: AbortSignal) => Promise<ShippingLink | undefined>;
  readonly quickMs?: number;
}

/** What is known of one toolchain and one server that does not have it. */
export type Standing =
  | { readonly kind: "ready" }
  | { readonly kind: "under-way"; readonly detail: string }
  /** As the server said it when the toolchain was offered, with both identities. */
  | { readonly kind: "refused"; readonly refused: Refused };

type Refused = Pick<RefusedMessage, "message" | "hint" | "identities">;

/** Of a job that waits however long it takes, as long as something moves. */
export interface Patience {
  readonly signal: AbortSignal;
  readonly onProgress: () => void;
}

/** One line of `homcc status`. */
export interface ShipmentStatus {
  readonly host: HostId;
  /** First line of `--version`, and the beginning of the digest. */
  readonly toolchain: string;
  readonly identity: string;
  readonly state: "asking" | "waiting" | "sending" | "interrupted" | "refused" | "failed";
  /** Of all its files, and of those that are there, before compression; 0 before the server has said what it lacks. */
  readonly sizeBytes: number;
  readonly thereBytes: number;
  /** From the rate of the last half minute. */
  readonly remainingMs?: number;
  /** Why it was refused or failed. */
  readonly reason?: string;
}

/**
 * How long the job that found a toolchain missing waits for it: long enough for a server that has it from somebody else, or finds its files at
 * home, and no longer than a compile.
 */
const quickMs = 1_500;

/** What did not work is not tried again for so long on one connection: a server whose disk is full, a file that cannot be read. */
const restMs = 10 * 60_000;

/** Refusals of the toolchain itself; others pass. */
const lasting: ReadonlySet<string> = new Set(["toolchain-differs", "bad-job", "refused"]);

interface Shipment {
  readonly host: HostId;
  readonly toolchain: Toolchain;
  readonly rate: UploadRate;
  /** Resolves when it is there, or will not be. */
  readonly settled: Promise<void>;
  state: ShipmentStatus["state"] | "ready";
  sizeBytes: number;
  thereBytes: number;
  sentBytes: number;
  endedMs: number;
  refused: Refused | undefined;
  /** The server's and ours, as a job's refusal had them. */
  readonly identities: RefusedMessage["identities"];
}

/**
 * The toolchains that this agent gives to servers: each once for a server, however many jobs want it, and files to one server at a time, since
 * all of them are behind the same uplink. Goes on without jobs, over connections that are cut and come back, and
 * ends with the agent; what arrived stays there.
 */
export class ToolchainShipments {
  readonly #options: ShipmentsOptions;
  readonly #shipments = new Map<string, Shipment>();
  readonly #turns = new SlotQueue(1);
  /** Of those who wait, also behind another server's: what moves for one moves for all. */
  readonly #waiting = new Set<() => void>();
  readonly #abort = new AbortController();

  constructor(options: ShipmentsOptions) {
    this.#options = options;
  }

  /** `undefined` when nothing is known: the server may have it. */
  standing(host: HostId, digest: Digest): Standing | undefined {
    const shipment = this.#shipments.get(keyOf(host, digest));
    if (shipment === undefined) return undefined;
    if (this.#isOver(shipment)) {
      this.#shipments.delete(keyOf(host, digest));
      return undefined;
    }
    return this.#standingOf(shipment);
  }

  /** Servers that do not have it. */
  lacking(digest: Digest): ReadonlySet<HostId> {
    const hosts = [...this.#shipments.values()].filter(({ toolchain }) => toolchain.digest === digest);
    const isLacking = (host: HostId): boolean => (this.standing(host, digest)?.kind ?? "ready") !== "ready";
    return new Set(hosts.flatMap(({ host }) => (isLacking(host) ? [host] : [])));
  }

  /**
   * The server has just said that it lacks the toolchain and takes it. Resolves when it is there, or a moment later; with `patience` when
   * it is there or will not be.
   */
  async offer(
    link: ShippingLink,
    toolchain: Toolchain,
    identities: RefusedMessage["identities"],
    patience?: Patience,
  ): Promise<Standing> {
    const key = keyOf(link.hostId, toolchain.digest);
    const shipment = this.#shipments.get(key) ?? this.#begin(link, toolchain, identities);
    await (patience === undefined
      ? within(this.#options.quickMs ?? quickMs, shipment.settled)
      : this.#wait(shipment, patience));
    return this.#standingOf(shipment);
  }

  /** For a job that may be compiled nowhere else. */
  async settled(host: HostId, digest: Digest, patience: Patience): Promise<void> {
    const shipment = this.#shipments.get(keyOf(host, digest));
    if (shipment !== undefined) await this.#wait(shipment, patience);
  }

  async #wait({ settled }: Shipment, { signal, onProgress }: Patience): Promise<void> {
    this.#waiting.add(onProgress);
    try {
      await unlessAborted(settled, signal);
    } finally {
      this.#waiting.delete(onProgress);
    }
  }

  status(): ShipmentStatus[] {
    return [...this.#shipments.values()].flatMap((shipment) => {
      const { host, toolchain, state, sizeBytes, thereBytes, refused } = shipment;
      if (state === "ready" || this.#isOver(shipment)) return [];
      const remainingMs = this.#remainingMs(shipment);
      return [
        {
          host,
          toolchain: toolchain.version,
          identity: hashOf(toolchain.digest).slice(0, 12),
          state,
          sizeBytes,
          thereBytes,
          ...(remainingMs === undefined ? {} : { remainingMs }),
          ...(refused === undefined ? {} : { reason: refused.message }),
        },
      ];
    });
  }

  /** Another one may be to a server that was told otherwise. */
  connectionEnded(host: HostId): void {
    for (const [key, shipment] of this.#shipments)
      if (shipment.host === host && shipment.endedMs !== Infinity) this.#shipments.delete(key);
  }

  close(): void {
    this.#abort.abort(new Error("the agent ends"));
  }

  #begin(link: ShippingLink, toolchain: Toolchain, identities: RefusedMessage["identities"]): Shipment {
    const { promise: settled, resolve } = Promise.withResolvers<void>();
    const shipment: Shipment = {
      host: link.hostId,
      toolchain,
      rate: new UploadRate(this.#options.clock),
      settled,
      state: "asking",
      sizeBytes: 0,
      thereBytes: 0,
      sentBytes: 0,
      endedMs: Infinity,
      refused: undefined,
      identities,
    };
    const key = keyOf(link.hostId, toolchain.digest);
    this.#shipments.set(key, shipment);
    void this.#ship(shipment, link).finally(() => {
      shipment.endedMs = this.#options.clock.monotonicMs();
      if (shipment.state === "ready" || shipment.state === "interrupted") this.#shipments.delete(key);
      resolve();
    });
    return shipment;
  }

  async #ship(shipment: Shipment, first: ShippingLink): Promise<void> {
    using _busy = this.#options.busy();
    const { signal } = this.#abort;
    const { host, toolchain } = shipment;
    const log = (text: string): void =>
      this.#options.logger.info(
        `${host}: ${toolchain.version} (${hashOf(toolchain.digest).slice(0, 12)}) ${text}`,
      );
    let link: ShippingLink | undefined = first;
    while (link !== undefined) {
      try {
        await link.upload(toolchain, this.#watch(shipment), signal);
        shipment.state = "ready";
        log(`is there, ${bytesText(shipment.sentBytes)} were sent`);
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!hasCode(error, "ERR_HOMCC_CONNECTION_LOST")) {
          this.#fail(shipment, error);
          log(`is not sent: ${describeError(error)}`);
          return;
        }
        shipment.state = "interrupted";
        log(`waits for another connection: ${describeError(error)}`);
      }
      link = await this.#options.linkTo(host, signal).catch(() => undefined);
    }
  }

  #fail(shipment: Shipment, error: unknown): void {
    const refused = error instanceof ToolchainRefused ? error.refused : undefined;
    const { message, hint } = refused ?? { message: describeError(error) };
    shipment.refused = { message, hint, identities: shipment.identities };
    if (refused !== undefined && lasting.has(refused.reason)) shipment.state = "refused";
    // An edit of the compiler's files, as by a package manager: the next job names another toolchain.
    else if (hasCode(error, "ERR_HOMCC_INPUT_CHANGED")) shipment.state = "interrupted";
    else shipment.state = "failed";
  }

  #watch(shipment: Shipment): UploadWatch {
    return {
      turn: async (signal) => {
        shipment.state = "waiting";
        const turn = await this.#turns.acquire(signal);
        shipment.state = "sending";
        shipment.rate.began();
        return turn;
      },
      planned: (lackingBytes) => {
        shipment.sizeBytes = contentBytes(shipment.toolchain.entries);
        shipment.thereBytes = shipment.sizeBytes - lackingBytes;
      },
      present: (sizeBytes) => {
        shipment.thereBytes += sizeBytes;
      },
      stored: (sizeBytes) => {
        shipment.thereBytes += sizeBytes;
        shipment.sentBytes += sizeBytes;
        for (const onProgress of this.#waiting) onProgress();
        shipment.rate.moved(sizeBytes);
      },
    };
  }

  #standingOf(shipment: Shipment): Standing {
    const { state, refused, sizeBytes, thereBytes } = shipment;
    if (state === "ready") return { kind: "ready" };
    if (refused !== undefined && (state === "refused" || state === "failed"))
      return { kind: "refused", refused };
    if (sizeBytes === 0) return { kind: "under-way", detail: "the server looks for its files" };
    const sent = `${bytesText(thereBytes)} of ${bytesText(sizeBytes)} are there`;
    const remainingMs = this.#remainingMs(shipment);
    const rest = remainingMs === undefined ? "" : `, the rest takes about ${durationText(remainingMs)}`;
    return { kind: "under-way", detail: `${sent}${rest}` };
  }

  #remainingMs({ state, rate, sizeBytes, thereBytes }: Shipment): number | undefined {
    const { bytesPerMs } = rate;
    if (state !== "sending" || bytesPerMs === undefined) return undefined;
    return Math.round((sizeBytes - thereBytes) / bytesPerMs);
  }

  /** What failed is tried again some day; the administrator may have changed his mind, too. */
  #isOver({ endedMs }: Shipment): boolean {
    return this.#options.clock.monotonicMs() - endedMs >= restMs;
  }
}

function keyOf(host: HostId, digest: Digest): string {
  return `${host} ${digest}`;
}

async function within(ms: number, waiting: Promise<void>): Promise<void> {
  const waited = Promise.withResolvers<void>();
  const timer = setTimeout(waited.resolve, ms);
  await Promise.race([waiting, waited.promise]);
  clearTimeout(timer);
}
