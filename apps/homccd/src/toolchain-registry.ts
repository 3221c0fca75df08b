import { basename } from "node:path";
import type { Digest } from "@homcc/cas/digest";
import type { Toolchain } from "@homcc/compiler/toolchain";
import type { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import { describeError } from "@homcc/observability/error";
import type { JobMessage } from "@homcc/protocol/messages";

export type ToolchainMatch =
  | { readonly kind: "same"; readonly toolchain: Toolchain }
  | {
      readonly kind: "differs";
      readonly message: string;
      readonly server: { readonly digest?: Digest; readonly version: string };
    };

/**
 * What a driver may be called on this server. A client names the program that is asked what it is, and only something
 * that is called like a compiler is ever started for that.
 */
const driverNames = /(?:^|-)(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-[0-9.]+)?$/;

/** The toolchains of this machine that clients named, by identity. */
export class ToolchainRegistry {
  readonly #inspector: ToolchainInspector;
  readonly #known = new Map<Digest, Toolchain>();

  constructor(inspector: ToolchainInspector) {
    this.#inspector = inspector;
  }

  /** Compares the client's toolchain with the one under the same path here. */
  async match(wanted: JobMessage["toolchain"], path: string): Promise<ToolchainMatch> {
    if (!driverNames.test(basename(wanted.driver))) {
      return {
        kind: "differs",
        message: `${wanted.driver} is not called like a compiler`,
        server: { version: "none" },
      };
    }
    try {
      const toolchain = await this.#inspector.inspect(wanted.driver, { family: wanted.family, path });
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

  /** A toolchain that `match` found equal. */
  byDigest(digest: Digest): Toolchain | undefined {
    return this.#known.get(digest);
  }
}
