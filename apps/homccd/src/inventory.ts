import { describeError } from "@homcc/observability/error";
import {
  maxNameLength,
  maxProblems,
  maxSandboxes,
  maxToolchainNames,
  maxToolchains,
} from "@homcc/protocol/limits";
import { type Inventory, isSandboxName } from "@homcc/protocol/messages";
import type { OwnCompilers } from "./own-compilers.ts";
import type { OfferedSandbox, SandboxOffers } from "./sandboxes/offers.ts";

/** As long one answer serves all clients: making it starts programs, and schroot and docker take 0.1 s. */
const rememberMs = 10_000;

/** Together with the bounds of the lists: 0.6 MB at worst, which every client takes in one message. */
const maxTextCharacters = 512;
const maxVersionCharacters = 256;

/** What this server can compile with, for people who ask. */
export class ServerInventory {
  readonly #compilers: Pick<OwnCompilers, "list">;
  readonly #offers: () => Promise<SandboxOffers>;
  #known: { readonly inventory: Promise<Inventory>; readonly untilMs: number } | undefined;

  constructor(compilers: Pick<OwnCompilers, "list">, offers: () => Promise<SandboxOffers>) {
    this.#compilers = compilers;
    this.#offers = offers;
  }

  /** Never rejects; clients that ask at once share one answer. */
  async take(): Promise<Inventory> {
    if (this.#known === undefined || performance.now() >= this.#known.untilMs) {
      this.#known = { inventory: this.#take(), untilMs: performance.now() + rememberMs };
    }
    return await this.#known.inventory;
  }

  async #take(): Promise<Inventory> {
    const problems: string[] = [];
    const orNothing = async <Result>(attempt: Promise<Result>, nothing: Result): Promise<Result> =>
      attempt.catch((error: unknown) => {
        problems.push(describeError(error));
        return nothing;
      });
    const [compilers, offers] = await Promise.all([
      orNothing(this.#compilers.list(), []),
      orNothing(this.#offers(), { profiles: [], containers: [], problems: [] }),
    ]);
    const toolchains = compilers.slice(0, maxToolchains);
    const [profiles, containers] = [bounded(offers.profiles), bounded(offers.containers)];
    const all = compilers.length + offers.profiles.length + offers.containers.length;
    return {
      toolchains: toolchains.map(({ names, version, target }) => ({
        names: names.slice(0, maxToolchainNames),
        version: version.slice(0, maxVersionCharacters),
        target: target.slice(0, maxNameLength / 2),
      })),
      profiles,
      containers,
      problems: [...offers.problems, ...problems]
        .slice(0, maxProblems)
        .map((problem) => problem.slice(0, maxTextCharacters)),
      omitted: all - toolchains.length - profiles.length - containers.length,
    };
  }
}

function bounded(sandboxes: readonly OfferedSandbox[]): OfferedSandbox[] {
  return sandboxes
    .filter(({ name }) => isSandboxName(name))
    .slice(0, maxSandboxes)
    .map(({ name, problem }) =>
      problem === undefined ? { name } : { name, problem: problem.slice(0, maxTextCharacters) },
    );
}
