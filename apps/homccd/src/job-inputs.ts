import type { InputEntry } from "@homcc/cas/action";
import { type Digest, sizeBytesOf } from "@homcc/cas/digest";
import { isDeltaSized } from "@homcc/protocol/delta";
import type { ServerMessage } from "@homcc/protocol/messages";
import type { ServerServices } from "./client-session.ts";
import type { IncomingBlobs } from "./incoming-blobs.ts";
import type { AskForProof, Possession, ProofMessage, ProveMessage } from "./possession.ts";

export interface JobInputsOptions extends Pick<ServerServices, "store" | "adoption" | "logger"> {
  /** The job's, for the log. */
  readonly label: string;
  readonly incoming: IncomingBlobs;
  readonly possession: Possession;
  /** Of the job's end. */
  readonly signal: AbortSignal;
  /** Asks the client. */
  readonly send: (message: ServerMessage) => void;
}

/** Gets what a job reads: from this machine, from what others sent, from its client. */
export class JobInputs {
  readonly #options: JobInputsOptions;
  #awaitedProof: PromiseWithResolvers<ProofMessage> | undefined;

  constructor(options: JobInputsOptions) {
    this.#options = options;
  }

  /** The client's answer to `prove`; one that nobody waits for is ignored. */
  answer(proof: ProofMessage): void {
    this.#awaitedProof?.resolve(proof);
    this.#awaitedProof = undefined;
  }

  /** The client answers no more. */
  giveUp(reason: Error): void {
    this.#awaitedProof?.reject(reason);
  }

  /**
   * All inputs are here and proven: takes from this machine what it has at the same path, lets the client prove what
   * others brought, and asks it for what is neither here nor on its way. Bases are proven too; when no input has to be,
   * the compiler does not wait for that, which the promise in what this resolves with is about.
   */
  async complete(
    inputs: readonly InputEntry[],
    digests: readonly Digest[],
    bases: readonly Digest[],
  ): Promise<{ readonly basesProven: Promise<unknown> }> {
    const { store, adoption, possession, incoming, signal } = this.#options;
    const held = await this.#heldBases(bases);
    let missing = new Set(await store.findMissing(digests));
    const isUnproven = (digest: Digest): boolean => !possession.isProven(digest);
    const isOpen = (digest: Digest): boolean => missing.has(digest) || isUnproven(digest);
    const open = digests.filter(isOpen);
    if (open.length > 0) {
      const wanted = new Set(open.filter((digest) => !incoming.isUnderWay(digest)));
      const files = inputs.flatMap((entry) =>
        entry.kind === "file" && wanted.has(entry.digest) ? [{ path: entry.path, digest: entry.digest }] : [],
      );
      await adoption.adopt(files);
      for (const { digest } of files) if (adoption.isPublic(digest)) possession.note(digest);
      missing = new Set(await store.findMissing(open));
    }
    const lacking = new Set(open.filter(isOpen));
    const provable = [...lacking].filter(
      (digest) => !missing.has(digest) && !incoming.isUnderWay(digest) && possession.isProvable(digest),
    );
    const ask: AskForProof = (message) => this.#askForProof(message);
    const proving = possession.prove([...provable, ...held], ask, signal);
    // Whoever waits for it is told; when nobody does, the job has ended.
    proving.catch(() => {});
    if (lacking.size === 0) return { basesProven: proving };
    for (const digest of provable) lacking.delete(digest);
    await Promise.all([
      this.#receive([...lacking]),
      proving.then((failed) =>
        this.#receive(provable.filter((digest) => failed.has(digest) && isUnproven(digest))),
      ),
    ]);
    return { basesProven: proving };
  }

  /** Of others nothing can be told by them. */
  async #heldBases(bases: readonly Digest[]): Promise<readonly Digest[]> {
    const { store, possession } = this.#options;
    const unproven = bases.filter((base) => !possession.isProven(base) && isDeltaSized(1, sizeBytesOf(base)));
    if (unproven.length === 0) return [];
    const gone = new Set(await store.findMissing(unproven));
    return unproven.filter((base) => !gone.has(base));
  }

  #askForProof(message: ProveMessage): Promise<ProofMessage> {
    const { signal, logger, label, send } = this.#options;
    signal.throwIfAborted();
    logger.debug(`${label}: ${message.digests.length} files of others are to be proven`);
    const awaited = Promise.withResolvers<ProofMessage>();
    this.#awaitedProof = awaited;
    send(message);
    return awaited.promise;
  }

  async #receive(digests: readonly Digest[]): Promise<void> {
    if (digests.length === 0) return;
    const { incoming, signal, send } = this.#options;
    const ask = (lacking: readonly Digest[]): void => send({ kind: "missing", digests: [...lacking] });
    await incoming.receive(digests, ask, signal);
  }
}
