import { extname } from "node:path";
import type { Action } from "@homcc/cas/action";
import { isDependencyFile } from "@homcc/compiler/dependency-output";
import { markDependencies } from "./kept-dependencies.ts";
import type { ResultKeys } from "./result-keys.ts";
import type { Reusability } from "./reusable-result.ts";
import { RootTraces } from "./root-traces.ts";

/** Looks for the source root in all that came of a compile, until it is found once. */
export class RootSearch {
  /** Why the result serves this root only; `undefined` while nothing says so. */
  reason: string | undefined;
  /** A source looks at how it is called, which no search of the result finds (`whyNamesMatter`). */
  readonly needsProof: boolean;
  readonly #relocatability: ResultKeys["relocatability"];
  readonly #traces: RootTraces | undefined;
  readonly #action: Action;

  constructor(
    action: Action,
    { root, relocatability }: ResultKeys,
    { mentionsName, mentionsTypeName }: Extract<Reusability, { kind: "reusable" }>,
  ) {
    this.#relocatability = relocatability;
    this.#action = action;
    if (relocatability.kind === "bound") this.reason = relocatability.reason;
    this.needsProof =
      relocatability.kind === "free" &&
      relocatability.namesRoot &&
      (mentionsTypeName || (mentionsName && !relocatability.mapsRoot));
    this.#traces = root === undefined ? undefined : new RootTraces(root);
  }

  async text(bytes: Uint8Array, what: string): Promise<boolean> {
    if (this.reason !== undefined || this.#traces === undefined) return false;
    const found = await this.#traces.isIn(bytes).catch(() => true);
    if (found) this.reason = `${what} its folder`;
    return !found;
  }

  /** How the output is kept for every root; `undefined` when it cannot be. */
  async output(path: string, bytes: Uint8Array): Promise<{ path: string; text?: Buffer } | undefined> {
    if (this.reason !== undefined || this.#relocatability.kind === "bound") return undefined;
    const { relocation } = this.#relocatability;
    if (isDependencyFile(path, this.#action)) {
      const text = markDependencies(Buffer.from(bytes).toString("latin1"), relocation);
      if (text !== undefined) return { path: relocation.mark(path), text: Buffer.from(text, "latin1") };
      this.reason = `${kindOf(path)} names its folder`;
      return undefined;
    }
    return (await this.text(bytes, `${kindOf(path)} names`)) ? { path: relocation.mark(path) } : undefined;
  }
}

/** For people whose files are called otherwise, and few words for those who count them. */
function kindOf(path: string): string {
  return `its ${extname(path)} file`;
}
