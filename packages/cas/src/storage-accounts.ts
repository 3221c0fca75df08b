import { chargeOf } from "./charge.ts";
import type { Digest } from "./digest.ts";
import { takeOldest } from "./take-oldest.ts";

/** Clients that are told apart; what counted for those that were not heard of for the longest time counts for nobody then. */
const defaultMaxClients = 1024;

/** What counts for one client. */
export interface StorageAccount {
  readonly client: string;
  /** Least recently used first. */
  readonly digests: Set<Digest>;
  /** Those of them that have an heir. */
  readonly shared: Set<Digest>;
  heldBytes: number;
  /** Being written. */
  reservedBytes: number;
}

interface Share {
  account: StorageAccount;
  /** The latest other client that has brought or shown it. */
  heir: StorageAccount | undefined;
}

export interface StorageAccountsOptions {
  /** Of one client; asked each time. */
  readonly maxBytesPerClient?: () => number;
  readonly maxClients?: number;
  /** Hears of each blob that counts for another client from now on. */
  readonly onCount?: (digest: Digest) => void;
}

/** An account with more than its limit, and by how much. */
export interface Excess {
  readonly account: StorageAccount;
  readonly excessBytes: number;
}

/**
 * For whom the blobs of a store count. A blob counts for one client at a time: for the first, and when that one has more than its
 * limit, from then on for the latest other that has brought or shown it, too. So what several clients use is not evicted
 * because one of them is greedy, and clients that bring the same things have together as many limits as they are, and no more.
 *
 * A blob that counts for somebody takes some 120 bytes of memory here.
 */
export class StorageAccounts {
  readonly #maxBytes: () => number;
  readonly #maxClients: number;
  readonly #onCount: (digest: Digest) => void;
  /** Least recently heard of first. */
  readonly #accounts = new Map<string, StorageAccount>();
  readonly #shares = new Map<Digest, Share>();

  constructor(options: StorageAccountsOptions = {}) {
    this.#maxBytes = options.maxBytesPerClient ?? (() => Infinity);
    this.#maxClients = options.maxClients ?? defaultMaxClients;
    this.#onCount = options.onCount ?? (() => {});
  }

  /** Blobs that count for somebody. */
  get size(): number {
    return this.#shares.size;
  }

  digests(): IterableIterator<Digest> {
    return this.#shares.keys();
  }

  ownerOf(digest: Digest): string | undefined {
    return this.#shares.get(digest)?.account.client;
  }

  /** Who has anything, those that were heard of last at the end. */
  clients(): readonly string[] {
    return [...this.#accounts.values()].filter(({ heldBytes }) => heldBytes > 0).map(({ client }) => client);
  }

  bytesOf(client: string): number {
    return this.#accounts.get(client)?.heldBytes ?? 0;
  }

  of(client: string): StorageAccount {
    const account: StorageAccount = this.#accounts.get(client) ?? {
      client,
      digests: new Set(),
      shared: new Set(),
      heldBytes: 0,
      reservedBytes: 0,
    };
    this.#accounts.delete(client);
    this.#accounts.set(client, account);
    for (const forgotten of takeOldest(this.#accounts, this.#maxClients)) {
      for (const digest of forgotten.digests) this.remove(digest);
    }
    return account;
  }

  count(client: string, digest: Digest): void {
    const account = this.of(client);
    const share = this.#shares.get(digest);
    if (share === undefined) {
      const first: Share = { account, heir: undefined };
      this.#shares.set(digest, first);
      this.#give(digest, first);
    } else if (share.account !== account) {
      share.heir = account;
      share.account.shared.add(digest);
    }
  }

  used(digest: Digest): void {
    const digests = this.#shares.get(digest)?.account.digests;
    if (digests?.delete(digest) === true) digests.add(digest);
  }

  remove(digest: Digest): void {
    const share = this.#shares.get(digest);
    if (share === undefined) return;
    this.#shares.delete(digest);
    this.#take(digest, share);
  }

  /**
   * Who has more than `portion` of the limit when `asking` is given `newBytes` more: that one first, then who is furthest beyond.
   * What others share with them counts for those others before.
   */
  beyondLimit(asking: StorageAccount | undefined, newBytes: number, portion: number): readonly Excess[] {
    const limitBytes = this.#maxBytes() * portion;
    if (limitBytes === Infinity) return [];
    const excess = (account: StorageAccount): number =>
      account.heldBytes + account.reservedBytes + (account === asking ? newBytes : 0) - limitBytes;
    // Each blob is given on once and then has no heir, so this ends.
    for (;;) {
      const over = this.#accountsWith(asking, (account) => excess(account) > 0);
      const sharing = over.filter(({ shared }) => shared.size > 0);
      if (sharing.length === 0) {
        const excesses = over.map((account): Excess => ({ account, excessBytes: excess(account) }));
        return excesses.toSorted((one, other) => rank(other) - rank(one));
      }
      for (const account of sharing) {
        for (const digest of account.shared) {
          if (excess(account) <= 0) break;
          this.#giveToHeir(digest);
        }
      }
    }

    function rank({ account, excessBytes }: Excess): number {
      return account === asking ? Infinity : excessBytes;
    }
  }

  /** Looks at each for every chunk that comes to a full store: 10 µs for a thousand. */
  #accountsWith(
    asking: StorageAccount | undefined,
    isWanted: (account: StorageAccount) => boolean,
  ): readonly StorageAccount[] {
    const wanted: StorageAccount[] = [];
    for (const account of this.#accounts.values()) if (isWanted(account)) wanted.push(account);
    // One that was forgotten may still be writing.
    const isForgotten = asking !== undefined && this.#accounts.get(asking.client) !== asking;
    if (isForgotten && isWanted(asking)) wanted.push(asking);
    return wanted;
  }

  #giveToHeir(digest: Digest): void {
    const share = this.#shares.get(digest);
    if (share === undefined) return;
    const { heir } = share;
    share.heir = undefined;
    share.account.shared.delete(digest);
    // It may have been forgotten meanwhile.
    if (heir === undefined || this.#accounts.get(heir.client) !== heir) return;
    this.#take(digest, share);
    share.account = heir;
    this.#give(digest, share);
  }

  #give(digest: Digest, { account }: Share): void {
    account.digests.add(digest);
    account.heldBytes += chargeOf(digest);
    this.#onCount(digest);
  }

  #take(digest: Digest, { account }: Share): void {
    account.digests.delete(digest);
    account.shared.delete(digest);
    account.heldBytes -= chargeOf(digest);
  }
}
