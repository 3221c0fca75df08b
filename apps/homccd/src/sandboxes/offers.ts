import type { ServerSettings } from "@homcc/config/settings";
import { describeError } from "@homcc/observability/error";
import type { Docker } from "./docker.ts";
import type { Schroot } from "./schroot.ts";
import type { SchrootAccount } from "./schroot-account.ts";

/** A sandbox that clients may name. */
export interface OfferedSandbox {
  readonly name: string;
  /** Why it cannot be used at present. */
  readonly problem?: string;
}

export interface SandboxOffers {
  readonly profiles: readonly OfferedSandbox[];
  readonly containers: readonly OfferedSandbox[];
  /** Why there may be more. */
  readonly problems: readonly string[];
}

export interface OffersCall {
  readonly schroot: Schroot | undefined;
  readonly docker: Docker | undefined;
  /** That homccd serves as. */
  readonly account: SchrootAccount;
  readonly allowed: Pick<ServerSettings, "allowedProfiles" | "allowedContainers">;
}

/** What the administrator lets clients name, and what is wrong with it as far as that can be seen without entering it. */
export async function offeredSandboxes({
  schroot,
  docker,
  account,
  allowed,
}: OffersCall): Promise<SandboxOffers> {
  const problems: string[] = [];
  const orNothing = async (listed: Promise<OfferedSandbox[]> | undefined): Promise<OfferedSandbox[]> =>
    (await listed?.catch((error: unknown) => void problems.push(describeError(error)))) ?? [];
  const [profiles, containers] = await Promise.all([
    orNothing(schroot?.offers(account)),
    orNothing(docker?.offers()),
  ]);
  return {
    profiles: profiles.filter(({ name }) => allowed.allowedProfiles.includes(name)),
    containers: containers.filter(({ name }) => allowed.allowedContainers.includes(name)),
    problems,
  };
}
