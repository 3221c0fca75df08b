import type { HostId } from "./host.ts";

/** What a file cost the last time, in ms and in bytes on the wire. */
export interface FileCost {
  readonly homeMs?: number;
  readonly remoteMs?: number;
  readonly receivedBytes?: number;
}

/** What is known of a server from earlier connections. Links are not: a laptop is elsewhere the next time. */
export interface ServerRecord {
  /** How long it compiles what takes this machine 1. */
  readonly timesHome?: number;
}

/** As it is written into a file. */
export interface LedgerText {
  readonly version: 1;
  readonly servers: readonly (readonly [string, ServerRecord])[];
  readonly files: readonly (readonly [string, FileCost])[];
}

/** Some 100 bytes each: 1.6 MB of heap. The least recently compiled are forgotten first. */
const maxFiles = 16_384;
const maxServers = 64;

/** Weight of the newest figure where machines and links vary. */
const newest = 0.3;

/** Of servers that were never compared with this machine: it is taken to be slower, so that nothing comes home because of a guess. */
const assumedTimesHome = 0.5;

/** What jobs have cost so far: where the next job goes is predicted from it. */
export class Ledger {
  readonly #servers = new Map<string, ServerRecord>();
  readonly #files = new Map<string, FileCost>();
  #meanHomeMs: number | undefined;
  #meanRemoteMs: number | undefined;
  #meanReceivedBytes: number | undefined;
  #changes = 0;

  constructor(text?: LedgerText) {
    for (const [id, record] of text?.servers ?? []) keep(this.#servers, id, record, maxServers);
    for (const [key, cost] of text?.files ?? []) {
      keep(this.#files, key, cost, maxFiles);
      this.#learnMeans(cost);
    }
  }

  /** Grows with everything that is noted. */
  get changes(): number {
    return this.#changes;
  }

  /** What a file that was never compiled is taken for. */
  get meanHomeMs(): number | undefined {
    return this.#meanHomeMs ?? scaled(this.#meanRemoteMs, 1 / this.#meanTimesHome());
  }

  get meanRemoteMs(): number | undefined {
    return this.#meanRemoteMs ?? scaled(this.#meanHomeMs, this.#meanTimesHome());
  }

  get meanReceivedBytes(): number | undefined {
    return this.#meanReceivedBytes;
  }

  file(key: string): FileCost | undefined {
    return this.#files.get(key);
  }

  server(host: HostId): ServerRecord {
    return this.#servers.get(host) ?? {};
  }

  /** The compile time here: measured, or from what servers took; `undefined` for a file that was never compiled. */
  homeMs(key: string): number | undefined {
    const { homeMs, remoteMs } = this.#files.get(key) ?? {};
    return homeMs ?? (remoteMs === undefined ? undefined : remoteMs / this.#meanTimesHome());
  }

  /** The compile time there; `undefined` for a file that was never compiled. */
  remoteMs(key: string, host: HostId): number | undefined {
    const { homeMs, remoteMs } = this.#files.get(key) ?? {};
    if (remoteMs !== undefined || homeMs === undefined) return remoteMs;
    return homeMs * (this.server(host).timesHome ?? this.#meanTimesHome());
  }

  receivedBytes(key: string): number | undefined {
    return this.#files.get(key)?.receivedBytes;
  }

  noteHome(key: string, ms: number): void {
    const cost = { ...this.#files.get(key), homeMs: Math.round(ms) };
    this.#note(key, cost, { homeMs: cost.homeMs });
  }

  /** `compileMs`: `undefined` for a kept result. */
  noteRemote(
    key: string,
    host: HostId,
    { compileMs, receivedBytes }: { readonly compileMs: number | undefined; readonly receivedBytes: number },
  ): void {
    const before = this.#files.get(key) ?? {};
    const measured = compileMs === undefined ? {} : { remoteMs: Math.round(compileMs) };
    if (compileMs !== undefined && before.homeMs !== undefined && before.homeMs > 0) {
      const { timesHome } = this.server(host);
      const ratio = Math.min(20, Math.max(0.05, compileMs / before.homeMs));
      keep(this.#servers, host, { timesHome: mix(timesHome, ratio) }, maxServers);
    }
    this.#note(key, { ...before, ...measured, receivedBytes }, { ...measured, receivedBytes });
  }

  toText(): LedgerText {
    return { version: 1, servers: [...this.#servers], files: [...this.#files] };
  }

  #note(key: string, cost: FileCost, news: FileCost): void {
    keep(this.#files, key, cost, maxFiles);
    this.#learnMeans(news);
    this.#changes++;
  }

  #learnMeans({ homeMs, remoteMs, receivedBytes }: FileCost): void {
    if (homeMs !== undefined) this.#meanHomeMs = mix(this.#meanHomeMs, homeMs);
    if (remoteMs !== undefined) this.#meanRemoteMs = mix(this.#meanRemoteMs, remoteMs);
    if (receivedBytes !== undefined) this.#meanReceivedBytes = mix(this.#meanReceivedBytes, receivedBytes);
  }

  /** Of the servers whose speed is known. */
  #meanTimesHome(): number {
    const known = [...this.#servers.values()].flatMap(({ timesHome }) => timesHome ?? []);
    return known.length === 0
      ? assumedTimesHome
      : known.reduce((sum, value) => sum + value, 0) / known.length;
  }
}

function scaled(ms: number | undefined, factor: number): number | undefined {
  return ms === undefined ? undefined : ms * factor;
}

function mix(before: number | undefined, value: number): number {
  return before === undefined ? value : (1 - newest) * before + newest * value;
}

/** Newest last; the oldest goes when there are too many. */
function keep<V>(map: Map<string, V>, key: string, value: V, max: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= max) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
