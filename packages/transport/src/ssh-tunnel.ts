import type { Socket } from "node:net";
import { type Clock, systemClock } from "@homcc/observability/clock";
import { HomccError } from "@homcc/observability/error";
import type { SshRoute } from "./ssh-command.ts";
import { SshError } from "./ssh-error.ts";
import { SshMaster } from "./ssh-master.ts";
import { systemTimers, type Timers } from "./timers.ts";

/** What the latest job wishes. */
export interface SshWish {
  /** Without a job for this long ssh ends; 0: never. */
  readonly controlPersistMs: number;
  /** ssh runs in it: the keys of SSH_AUTH_SOCK, the PATH. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Where the sockets lie. */
export interface SshFolder {
  readonly path: string;
  /** Makes it private to the user; false when that cannot be had. */
  prepare(): boolean;
}

export interface SshTunnelOptions {
  readonly route: SshRoute;
  readonly folder: SshFolder;
  readonly clock?: Clock;
  readonly timers?: Timers;
}

type OnSign = (sign: "started" | "accepted") => void;

/** A connection through the tunnel. */
export interface Tunnelled {
  readonly socket: Socket;
  readonly master: SshMaster;
  /** It had logged in before: the network may be another one since. */
  readonly isOld: boolean;
}

/** A server that turned ssh away is asked again after this time, and then twice that, and so on. */
const firstRestMs = 60_000;
const longestRestMs = 15 * 60_000;

/** What it said when it turned ssh away, and with which keys ssh had come. */
interface TurnedAway {
  readonly error: SshError;
  readonly untilMs: number;
  readonly keys: string | undefined;
}

/**
 * The way to one server through ssh: started by the first connection, shared by the others, started anew when it was
 * lost, and ended when no job has needed it for a while.
 */
export class SshTunnel {
  readonly route: SshRoute;
  wish: SshWish = { controlPersistMs: 0, environment: {} };
  readonly #folder: SshFolder;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #masters = new Set<SshMaster>();
  /** New connections go through this one. */
  #current: SshMaster | undefined;
  /** Those who wait for it. */
  readonly #waiting = new Set<OnSign>();
  #users = 0;
  #cancelEnd: () => void = () => {};
  #turnedAway: TurnedAway | undefined;
  #refusals = 0;
  #isClosed = false;

  constructor(options: SshTunnelOptions) {
    this.route = options.route;
    this.#folder = options.folder;
    this.#clock = options.clock ?? systemClock;
    this.#timers = options.timers ?? systemTimers;
  }

  /**
   * Connects to homccd, through an ssh that is there or a new one. Calls `onSign` at each sign of life. Rejects with an
   * `SshError`, or with the signal's reason.
   */
  async open(signal: AbortSignal, onSign: OnSign = () => {}): Promise<Tunnelled> {
    using _use = this.use();
    const known = this.#current;
    if (known?.isReady === true) {
      try {
        return { socket: await known.connect(), master: known, isOld: true };
      } catch {
        this.doubt(known);
      }
    }
    const master = await this.#ready(signal, onSign);
    return { socket: await master.connect(), master, isOld: false };
  }

  /** It is needed until the returned object is disposed. */
  use(): Disposable {
    this.#users += 1;
    this.#cancelEnd();
    let isUsed = true;
    return {
      [Symbol.dispose]: () => {
        if (!isUsed) return;
        isUsed = false;
        this.#users -= 1;
        if (this.#users === 0) this.#endLater();
      },
    };
  }

  /** It may lead nowhere: new connections start another ssh. Those that it carries stay. */
  doubt(master: SshMaster | undefined = this.#current): void {
    if (master === undefined || master !== this.#current) return;
    this.#current = undefined;
    master.endWithLastConnection();
  }

  /** Something came through it: no other is needed, unless that is in use already. */
  trust(master: SshMaster): void {
    if (!master.isUsable || this.#current === master) return;
    if (this.#current !== undefined && this.#current.connections > 0) return;
    this.#current?.end();
    this.#current = master;
    master.keep();
  }

  /** No new connections: each ssh ends with its last one. */
  retire(): void {
    this.#isClosed = true;
    this.#cancelEnd();
    for (const master of this.#masters) master.endWithLastConnection();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelEnd();
    for (const master of this.#masters) master.end();
  }

  async #ready(signal: AbortSignal, onSign: OnSign): Promise<SshMaster> {
    signal.throwIfAborted();
    const master = this.#current ?? this.#start();
    const { promise, reject } = Promise.withResolvers<never>();
    const abandon = (): void => reject(signal.reason);
    signal.addEventListener("abort", abandon, { once: true });
    this.#waiting.add(onSign);
    try {
      await Promise.race([master.ready, promise]);
      this.#turnedAway = undefined;
      this.#refusals = 0;
      return master;
    } catch (error) {
      if (error instanceof SshError && error.isTurnedAway) this.#rest(error);
      throw error;
    } finally {
      signal.removeEventListener("abort", abandon);
      this.#waiting.delete(onSign);
      if (this.#waiting.size === 0 && !master.isReady) this.#drop(master);
    }
  }

  #start(): SshMaster {
    if (this.#isClosed)
      throw new HomccError("ERR_HOMCC_UNAVAILABLE", "this server is not in the list of hosts any more");
    this.#throwIfTurnedAway();
    const { path } = this.#folder;
    if (!this.#folder.prepare()) {
      throw new SshError(
        "ssh",
        `${path} cannot be made a folder of your own: connections through ssh would be open to others`,
        "set HOMCC_DIR to a folder in which you may write",
      );
    }
    const master = new SshMaster({
      route: this.route,
      folder: path,
      environment: this.wish.environment,
      onSign: (sign) => {
        for (const onSign of this.#waiting) onSign(sign);
      },
    });
    this.#current = master;
    this.#masters.add(master);
    void master.ended.then(() => {
      this.#masters.delete(master);
      if (this.#current === master) this.#current = undefined;
    });
    return master;
  }

  #drop(master: SshMaster): void {
    if (this.#current === master) this.#current = undefined;
    master.end();
  }

  #endLater(): void {
    const { controlPersistMs } = this.wish;
    this.#cancelEnd();
    if (controlPersistMs === 0 || this.#masters.size === 0) return;
    this.#cancelEnd = this.#timers.after(controlPersistMs, () => {
      for (const master of this.#masters) this.#drop(master);
    });
  }

  /** Ten failed logins in a minute get an address banned on many servers, and nothing but its user can change the cause. */
  #rest(error: SshError): void {
    if (this.#turnedAway?.error === error) return;
    const restMs = Math.min(firstRestMs * 2 ** this.#refusals, longestRestMs);
    this.#refusals += 1;
    const keys = this.wish.environment["SSH_AUTH_SOCK"];
    this.#turnedAway = { error, untilMs: this.#clock.monotonicMs() + restMs, keys };
  }

  #throwIfTurnedAway(): void {
    if (this.#turnedAway === undefined) return;
    const { error, untilMs, keys } = this.#turnedAway;
    const isOver = this.#clock.monotonicMs() >= untilMs;
    if (!isOver && keys === this.wish.environment["SSH_AUTH_SOCK"]) throw error;
  }
}
