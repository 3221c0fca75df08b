import { HomccError } from "@homcc/observability/error";
import type { OptionReader } from "./option-reader.ts";
import type { clientOptions } from "./options.ts";
import type { Sandbox } from "./settings.ts";

/** homcc 1.x's own words, which scripts look for. */
export const twoSandboxesText =
  "Can not specify a schroot profile and a docker container to be used simultaneously.";

export interface ChosenSandbox {
  readonly sandbox: Sandbox;
  /** Both at once: as in homcc 1.x no job runs. */
  readonly conflict: HomccError | undefined;
}

/** Decides where the remote compiler is meant to run; `--no-sandbox` beats whatever else is set. */
export function chooseSandbox(options: OptionReader<typeof clientOptions>): ChosenSandbox {
  const profile = options.get("schroot_profile");
  const container = options.get("docker_container");
  if (options.get("no_sandbox") === true || (profile === undefined && container === undefined)) {
    return { sandbox: { kind: "none" }, conflict: undefined };
  }
  const conflict = profile !== undefined && container !== undefined;
  return {
    sandbox:
      profile === undefined ? { kind: "docker", container: container ?? "" } : { kind: "schroot", profile },
    conflict: conflict ? new HomccError("ERR_HOMCC_USAGE", twoSandboxesText) : undefined,
  };
}
