import type { Sandbox } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import { isInsideNamespaceRoot } from "@homcc/compiler/server-check";
import type { V1ArgumentMessage } from "@homcc/protocol/v1/messages";
import type { SandboxEnvironment } from "../sandboxes/environment.ts";
import type { Sandboxes } from "../sandboxes/sandboxes.ts";
import { V1Sessions } from "./executor-sessions.ts";
import type { LocalCompilers, StandIn } from "./local-compiler.ts";

/** Where a 1.x client's job runs, and by which compiler. */
export interface CallPlace {
  readonly compiler: StandIn;
  readonly sessions: V1Sessions;
  /** PATH of the job. */
  readonly path: string;
  /** Jobs see the client's paths; else what cannot be mapped is unsuitable. */
  readonly hasClientPaths: boolean;
}

/** In a sandbox the identity of a toolchain is not asked for: its compiler is the truth. */
const noToolchain = digestOf(new Uint8Array());

/** The server's own place, and those in its sandboxes. */
export class CallPlaces {
  readonly #own: Omit<CallPlace, "compiler">;
  readonly #compilers: LocalCompilers;
  readonly #sandboxes: Pick<Sandboxes, "enter">;
  readonly #entered = new WeakMap<SandboxEnvironment, V1Sessions>();

  constructor(
    own: Omit<CallPlace, "compiler">,
    compilers: LocalCompilers,
    sandboxes: Pick<Sandboxes, "enter">,
  ) {
    this.#own = own;
    this.#compilers = compilers;
    this.#sandboxes = sandboxes;
  }

  /** Rejects with ERR_HOMCC_TOOLCHAIN or ERR_HOMCC_SANDBOX, whose text the client shows before it tries another server. */
  async placeFor(message: V1ArgumentMessage): Promise<CallPlace> {
    const name = message.args[0] ?? "";
    const sandbox = sandboxOf(message);
    if (sandbox !== undefined) return await this.#sandboxPlace(name, sandbox);
    return { ...this.#own, compiler: await this.#compilers.find(name, message.target) };
  }

  async #sandboxPlace(name: string, sandbox: Sandbox): Promise<CallPlace> {
    const environment = await this.#sandboxes.enter(sandbox);
    const { driver, family } = await environment.compilers.compiler(name);
    const sessions = this.#entered.get(environment) ?? new V1Sessions(environment.executor);
    this.#entered.set(environment, sessions);
    return {
      compiler: {
        family,
        toolchain: { digest: noToolchain, driver },
        links: [],
        addedArguments: [],
        limits: {
          isToolchainProgram: (path) => path === driver,
          isInsideRoot: (path) => path === "/dev/null" || isInsideNamespaceRoot(path),
        },
      },
      sessions,
      path: environment.compilers.path,
      hasClientPaths: !environment.isMapped,
    };
  }
}

function sandboxOf({ schroot_profile, docker_container }: V1ArgumentMessage): Sandbox | undefined {
  if (schroot_profile !== undefined) return { kind: "schroot", profile: schroot_profile };
  return docker_container === undefined ? undefined : { kind: "docker", container: docker_container };
}
