import { hostIdOf, type HostAddress, type HostId } from "./host.ts";
import { isMuchLater } from "./prediction.ts";
import { slotThat, type Slot } from "./slots.ts";
import { Turns } from "./turns.ts";

/** A slot on a server, held until released. */
export interface Placement<Host extends HostAddress> extends Slot {
  readonly host: Host;
  readonly hostId: HostId;
}

/**
 * Whether jobs may go to a server: at once, as soon as its dial ends, when it is back and no local core has taken them before, when a
 * dial ends that has taken suspiciously long, or not at all.
 */
export type Readiness = "ready" | "soon" | "missed" | "late" | "none";

function isAwaited(readiness: Readiness): boolean {
  return readiness === "ready" || readiness === "soon" || readiness === "missed";
}

export interface PlacementRequest {
  /**
   * Servers this job has been given already, busy and failed ones included: it is never given one twice. A server without a
   * connection is given to nobody, so what it did not answer is no try.
   */
  readonly tried: ReadonlySet<HostId>;
  /** `remote_compilation_tries`: the number of servers a job is given at most. */
  readonly maxTries: number;
  /** The job has no other place: it waits for servers that are late, too. */
  readonly patient?: boolean;
  /** Those of one party wait behind each other, and parties take turns: one edited file is not behind a build in another terminal. */
  readonly party?: number;
  /** Servers that are nothing for it, and cost it no try. */
  readonly unfit?: ReadonlySet<HostId>;
  /** Where it goes if there is a free slot: that server has begun it. */
  readonly preferred?: HostId | undefined;
  /** When the job would have its result from a server, in ms; `undefined` when nobody knows, which is as good as any. */
  readonly finishMs?: (host: HostId) => number | undefined;
  readonly signal?: AbortSignal;
}

export interface HostPoolOptions<Host extends HostAddress> {
  readonly hosts: readonly Host[];
  readonly readiness: (host: HostId) => Readiness;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** A server as placement sees it. */
export interface Candidate {
  readonly hostId: HostId;
  readonly freeSlots: number;
  /** What DNS says of it, for the servers of a pool: above 0, 1 the most. */
  readonly preference?: number;
}

/**
 * Chooses where the next job goes: at random, weighted by free slots and what DNS prefers. That is LIMIT times the free fraction: an idle
 * cluster is filled in proportion to LIMIT as homcc 1.x does, and a busy server is avoided before it is full.
 * `undefined` when nobody has a free slot.
 */
export function choose(candidates: readonly Candidate[], random: () => number): HostId | undefined {
  const shares = candidates.map(({ freeSlots, preference = 1 }) => freeSlots * preference);
  let point = random() * shares.reduce((sum, share) => sum + share, 0);
  for (const [index, share] of shares.entries()) {
    if (point < share) return candidates[index]?.hostId;
    point -= share;
  }
  return undefined;
}

/** Servers that are later than the best by less are as good: a tenth, and what is noise between two machines of a network. */
const asGoodShare = 1.1;
const asGoodMs = 20;

/**
 * Those of `candidates` with free slots that are as good as the best of them: files stay with the server that knows them. None when
 * they are all much later than a full server.
 */
export function soonest(
  candidates: readonly Candidate[],
  finishMs: (host: HostId) => number | undefined,
): readonly Candidate[] {
  const all = candidates.map((candidate) => ({ candidate, ms: finishMs(candidate.hostId) }));
  const free = all.filter(({ candidate }) => candidate.freeSlots > 0);
  const bestFreeMs = Math.min(...free.flatMap(({ ms }) => ms ?? []));
  const bestMs = Math.min(...all.flatMap(({ ms }) => ms ?? []));
  const isAnyUnknown = free.some(({ ms }) => ms === undefined);
  if (!isAnyUnknown && isMuchLater(bestFreeMs, bestMs)) return [];
  return free
    .filter(({ ms }) => ms === undefined || ms <= bestFreeMs * asGoodShare + asGoodMs)
    .map(({ candidate }) => candidate);
}

interface Server<Host extends HostAddress> {
  readonly hostId: HostId;
  host: Host;
  held: number;
}

/** A server without weight beside others that have one gets hardly anything, and not nothing. */
const leastPreference = 0.01;

/** By its weight, relative to the largest of its priority. */
function preferenceOf<Host extends HostAddress>({ pool }: Host, left: readonly Server<Host>[]): number {
  if (pool === undefined) return 1;
  const weights = left.flatMap(({ host }) =>
    host.pool?.name === pool.name && host.pool.priority === pool.priority ? [host.pool.weight] : [],
  );
  const most = Math.max(...weights);
  return most <= 0 ? 1 : Math.max(leastPreference, pool.weight / most);
}

interface Waiter<Host extends HostAddress> {
  readonly request: PlacementRequest;
  settle(placement: Placement<Host> | undefined): void;
}

/** Which server a job goes to, and how many jobs each has. */
export class HostPool<Host extends HostAddress = HostAddress> {
  readonly #servers = new Map<HostId, Server<Host>>();
  readonly #waiters = new Turns<Waiter<Host>>();
  readonly #readiness: (host: HostId) => Readiness;
  readonly #random: () => number;

  constructor(options: HostPoolOptions<Host>) {
    this.#readiness = options.readiness;
    this.#random = options.random ?? Math.random;
    this.setHosts(options.hosts);
  }

  /** Jobs that wait for a free slot. */
  get waiting(): number {
    return this.#waiters.size;
  }

  heldOn(host: HostId): number {
    return this.#servers.get(host)?.held ?? 0;
  }

  /**
   * A slot on a server this job has not tried. While all of them are full or still being dialled it waits, in turn with other
   * parties and behind its own, for whichever is free first. `undefined` when no server is left for it: all tried, unreachable, or
   * `maxTries` reached. Rejects with the signal's reason when it is aborted before.
   */
  place(request: PlacementRequest): Promise<Placement<Host> | undefined> {
    const { signal } = request;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (!this.hasPlaceFor(request)) return Promise.resolve(undefined);
    const server = this.#choose(request);
    return server === undefined ? this.#wait(request) : Promise.resolve(this.#take(server));
  }

  /** Whether `place` would find or wait for a server. */
  hasPlaceFor({ tried, unfit, maxTries, patient = false }: PlacementRequest): boolean {
    if (tried.size >= maxTries) return false;
    return this.#left(tried, unfit).some(({ hostId }) => {
      const readiness = this.#readiness(hostId);
      return isAwaited(readiness) || (patient && readiness === "late");
    });
  }

  /** The servers that `place` waits for when they are all missed; none when there is another to wait for. */
  missedFor({ tried, unfit }: Pick<PlacementRequest, "tried" | "unfit">): readonly HostId[] {
    const awaited = this.#left(tried, unfit).filter(({ hostId }) => isAwaited(this.#readiness(hostId)));
    const missed = awaited.filter(({ hostId }) => this.#readiness(hostId) === "missed");
    return missed.length === awaited.length ? missed.map(({ hostId }) => hostId) : [];
  }

  /** Call after a server died or came back: jobs waiting for it are placed, or told that no server is left. */
  healthChanged(): void {
    this.#serve();
  }

  /** Takes over a changed hosts file. Slots held on servers that are no longer named stay valid. */
  setHosts(hosts: readonly Host[]): void {
    const named = new Map(hosts.map((host) => [hostIdOf(host), host]));
    for (const [hostId, server] of this.#servers) {
      if (named.has(hostId)) continue;
      if (server.held === 0) this.#servers.delete(hostId);
      else server.host = { ...server.host, limit: 0 };
    }
    for (const [hostId, host] of named) {
      const server = this.#servers.get(hostId);
      if (server === undefined) this.#servers.set(hostId, { hostId, host, held: 0 });
      else server.host = host;
    }
    this.#serve();
  }

  #wait(request: PlacementRequest): Promise<Placement<Host> | undefined> {
    const { signal } = request;
    const { promise, resolve, reject } = Promise.withResolvers<Placement<Host> | undefined>();
    const waiter: Waiter<Host> = {
      request,
      settle: (placement) => {
        signal?.removeEventListener("abort", abandon);
        resolve(placement);
      },
    };
    const abandon = (): void => {
      this.#waiters.delete(waiter);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abandon, { once: true });
    this.#waiters.add(waiter, request.party ?? 0);
    return promise;
  }

  /** The slots that became free on one server go to those whose turn it is and who have not tried it. */
  #giveFrom(server: Server<Host>): void {
    for (const waiter of this.#waiters.inTurn()) {
      if (server.held >= server.host.limit || this.#readiness(server.hostId) !== "ready") return;
      if (waiter.request.tried.has(server.hostId)) continue;
      if (waiter.request.unfit?.has(server.hostId) === true) continue;
      if (this.#isOutranked(server, this.#left(waiter.request.tried, waiter.request.unfit))) continue;
      this.#waiters.served(waiter);
      waiter.settle(this.#take(server));
    }
  }

  /** Places every waiter anew, in their order; one whom no free server suits does not hold up the next. */
  #serve(): void {
    for (const waiter of this.#waiters.inTurn()) {
      const left = this.hasPlaceFor(waiter.request);
      const server = left ? this.#choose(waiter.request) : undefined;
      if (left && server === undefined) continue;
      this.#waiters.served(waiter);
      waiter.settle(server === undefined ? undefined : this.#take(server));
    }
  }

  #choose({ tried, unfit, preferred, finishMs }: PlacementRequest): Server<Host> | undefined {
    const left = this.#left(tried, unfit);
    const candidates = left
      .filter((server) => this.#readiness(server.hostId) === "ready" && !this.#isOutranked(server, left))
      .map(({ hostId, host, held }) => ({
        hostId,
        freeSlots: Math.max(0, host.limit - held),
        preference: preferenceOf(host, left),
      }));
    const isFree = candidates.some(({ hostId, freeSlots }) => hostId === preferred && freeSlots > 0);
    const isChoice = finishMs !== undefined && candidates.length > 1;
    const hostId = isFree
      ? preferred
      : choose(isChoice ? soonest(candidates, finishMs) : candidates, this.#random);
    return hostId === undefined ? undefined : this.#servers.get(hostId);
  }

  #left(tried: ReadonlySet<HostId>, unfit: ReadonlySet<HostId> = new Set()): Server<Host>[] {
    return [...this.#servers.values()].filter(
      ({ hostId, host }) => host.limit > 0 && !tried.has(hostId) && !unfit.has(hostId),
    );
  }

  /** A server of its pool with a better priority can be reached: it is for when none can (RFC 2782). */
  #isOutranked({ host: { pool } }: Server<Host>, left: readonly Server<Host>[]): boolean {
    if (pool === undefined) return false;
    return left.some(({ hostId, host }) => {
      if (host.pool?.name !== pool.name || host.pool.priority >= pool.priority) return false;
      const readiness = this.#readiness(hostId);
      return readiness === "ready" || readiness === "soon";
    });
  }

  #take(server: Server<Host>): Placement<Host> {
    server.held += 1;
    const slot = slotThat(() => {
      server.held -= 1;
      this.#giveFrom(server);
    });
    return { ...slot, host: server.host, hostId: server.hostId };
  }
}
