import { basename } from "node:path";
import type { Digest } from "@homcc/cas/digest";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import { driverNames } from "@homcc/compiler/server-check";
import type { Toolchain } from "@homcc/compiler/toolchain";
import type { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import { describeError } from "@homcc/observability/error";
import type { JobMessage } from "@homcc/protocol/messages";
import { SlotQueue } from "@homcc/scheduler/slots";
import type { StoreFence } from "./store-fence.ts";

export type ToolchainMatch =
  | { readonly kind: "same"; readonly toolchain: Pick<Toolchain, "entries"> }
  | {
      readonly kind: "differs";
      readonly message: string;
      readonly server: { readonly digest?: Digest; readonly version: string };
    };

/** Inspecting starts some ten programs, and each PATH that a client thinks of is another question. */
const inspectionsAtOnce = 4;

/** Questions that were answered before: those do not wait in line, since usually nothing is started for them. */
const maxAnswered = 256;

/** The toolchains of this machine that clients named, by identity. */
export class ToolchainRegistry {
  readonly #inspector: ToolchainInspector;
  readonly #fence: StoreFence;
  readonly #known = new Map<Digest, Toolchain>();
  readonly #inspections = new SlotQueue(inspectionsAtOnce);
  readonly #answered = new Set<string>();

  constructor(inspector: ToolchainInspector, fence: StoreFence) {
    this.#inspector = inspector;
    this.#fence = fence;
  }

  /** Compares the client's toolchain with the one under the same path here. `path` is PATH of the job. */
  async match(wanted: JobMessage["toolchain"], path: string): Promise<ToolchainMatch> {
    const objection = await this.#objectionTo(wanted.driver, path);
    if (objection !== undefined) return { kind: "differs", message: objection, server: { version: "none" } };
    try {
      const toolchain = await this.#inspect(wanted, path);
      if (toolchain.digest !== wanted.digest) {
        const { digest, version } = toolchain;
        return {
          kind: "differs",
          message: `another toolchain as ${wanted.driver}`,
          server: { digest, version },
        };
      }
      this.#known.set(toolchain.digest, toolchain);
      return { kind: "same", toolchain };
    } catch (error) {
      return {
        kind: "differs",
        message: `no ${wanted.driver}: ${describeError(error)}`,
        server: { version: "none" },
      };
    }
  }

  /** This server's own toolchain of `driver`, for clients that cannot name one. Rejects with ERR_HOMCC_TOOLCHAIN. */
  async own(driver: string, family: CompilerFamily, path: string): Promise<Toolchain> {
    const toolchain = await this.#inspector.inspect(driver, { family, path });
    this.#known.set(toolchain.digest, toolchain);
    return toolchain;
  }

  /** Why nothing is started for this question: inspecting runs the driver, and what PATH finds, outside of any sandbox. */
  async #objectionTo(driver: string, path: string): Promise<string | undefined> {
    if (!driverNames.test(basename(driver))) return `${driver} is not called like a compiler`;
    for (const place of [driver, ...path.split(":").filter((folder) => folder.startsWith("/"))]) {
      if (await this.#fence.encloses(place)) return `${place} is no place for programs of this server`;
    }
    return undefined;
  }

  async #inspect({ driver, family }: JobMessage["toolchain"], path: string): Promise<Toolchain> {
    const question = JSON.stringify([driver, family, path]);
    using _slot = this.#answered.has(question) ? undefined : await this.#inspections.acquire();
    const toolchain = await this.#inspector.inspect(driver, { family, path });
    if (this.#answered.size >= maxAnswered) this.#answered.clear();
    this.#answered.add(question);
    return toolchain;
  }

  /** A toolchain that `match` found equal, or one of this server's `own`. */
  byDigest(digest: Digest): Toolchain | undefined {
    return this.#known.get(digest);
  }
}
