import { realpath } from "node:fs/promises";
import type { InputEntry } from "@homcc/cas/action";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import { CompilerIdentities } from "@homcc/compiler/compiler-identity";
import { LinkWalk } from "@homcc/compiler/link-walk";
import { findProgram } from "@homcc/compiler/find-program";
import { driverNames, type ServerLimits } from "@homcc/compiler/server-check";
import { TargetTriples } from "@homcc/compiler/target-triples";
import type { Toolchain } from "@homcc/compiler/toolchain";
import { HomccError } from "@homcc/observability/error";
import { serverLimits } from "../command-limits.ts";
import type { ToolchainRegistry } from "../toolchain-registry.ts";

/** A compiler that stands in for a client's, which 1.x names by base name and target alone. */
export interface StandIn {
  readonly family: CompilerFamily;
  readonly toolchain: Pick<Toolchain, "digest" | "driver">;
  readonly limits: ServerLimits;
  /** By which gcc is to be called, since it looks for its parts beside the program of that name; else the client's word. */
  readonly calledAs?: string;
  /** From the name under which it was found to the program: drivers look themselves up in PATH. */
  readonly links: readonly InputEntry[];
  /** What the client's command needs besides: `--target=` for a clang whose own target is another one. */
  readonly addedArguments: readonly string[];
}

/** Finds compilers by the names that homcc 1.x clients call them. */
export class LocalCompilers {
  readonly #toolchains: ToolchainRegistry;
  readonly #path: string;
  readonly #identities = new CompilerIdentities();
  readonly #targets: TargetTriples;

  /** `path`: PATH of this server. */
  constructor(toolchains: ToolchainRegistry, path: string) {
    this.#toolchains = toolchains;
    this.#path = path;
    this.#targets = new TargetTriples(path);
  }

  /** Rejects with ERR_HOMCC_TOOLCHAIN, whose message a client shows, when there is none. */
  async find(name: string, target: string | undefined): Promise<StandIn> {
    if (!driverNames.test(name) || name.includes("/"))
      throw new HomccError("ERR_HOMCC_TOOLCHAIN", `'${name}' is not the name of a compiler`);
    const own = await this.#inspect(name);
    if (target === undefined || (own !== undefined && (await this.#targets.of(own.toolchain)) === target)) {
      if (own === undefined) throw missing(name);
      return { ...own, addedArguments: [] };
    }
    // Under the name for that target, as Debian's cross compilers and clang's configuration files have it.
    const crossName = name.startsWith(`${target}-`) ? name : `${target}-${name}`;
    const cross = await this.#inspect(crossName);
    const found = cross ?? (own?.family === "clang" ? own : undefined);
    if (found === undefined) throw missing(crossName);
    return {
      ...found,
      addedArguments: found.family === "clang" ? [`--target=${target}`] : [],
      ...(cross === undefined ? {} : { calledAs: crossName }),
    };
  }

  async #inspect(name: string): Promise<Omit<StandIn, "addedArguments"> | undefined> {
    const program = findProgram(name, this.#path);
    if (program === undefined) return undefined;
    const identity = await this.#identities.identify(program, { PATH: this.#path });
    if (identity.family === "neither") return undefined;
    const { family } = identity;
    const toolchain = await this.#toolchains.own(await realpath(identity.driver), family, this.#path);
    const walk = new LinkWalk();
    walk.resolve(program);
    const links = Array.from(walk.links, ([path, linkTarget]): InputEntry => ({
      kind: "symlink",
      path,
      target: linkTarget,
    }));
    return { family, toolchain, links, limits: serverLimits(toolchain) };
  }
}

function missing(name: string): HomccError {
  return new HomccError("ERR_HOMCC_TOOLCHAIN", `the compiler '${name}' is not installed on this server`);
}
