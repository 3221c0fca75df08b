import { createHash } from "node:crypto";
import type { Sandbox } from "@homcc/cas/action";
import type { ServerSettings } from "@homcc/config/settings";
import { describeError } from "@homcc/observability/error";
import type { Administration } from "./administration.ts";
import { Docker } from "./docker.ts";
import { enterDocker } from "./enter-docker.ts";
import { enterSchroot } from "./enter-schroot.ts";
import type { EntryOptions } from "./entry-options.ts";
import type { SandboxEnvironment } from "./environment.ts";
import { offeredSandboxes, type OffersCall, type SandboxOffers } from "./offers.ts";
import { schrootAccountOf } from "./schroot-account.ts";
import { Schroot, unknownProfile } from "./schroot.ts";
import { listed, unavailable } from "./unavailable.ts";

export interface SandboxesOptions extends EntryOptions {
  readonly administration: Administration;
  readonly allowed: Pick<ServerSettings, "allowedProfiles" | "allowedContainers">;
  readonly tag: string;
}

/**
 * A sandbox that could not be entered is tried again after this: each of 64 jobs of a build would ask at once, and one that
 * was started again should not stay out of use for long.
 */
const failureHoldsMs = 1000;

/** How soon a container that ended is let go, also when nobody asks for it: 20 µs for each that was entered. */
const watchEveryMs = 5000;

interface Entry {
  readonly environment: Promise<SandboxEnvironment>;
  /** Set once it is known to have failed. */
  failedAtMs: number | undefined;
}

/** The sandboxes that clients named, each entered when it is first asked for and again when it became another one. */
export class Sandboxes implements AsyncDisposable {
  readonly #options: SandboxesOptions;
  readonly #schroot: Schroot | undefined;
  readonly #docker: Docker | undefined;
  readonly #entries = new Map<string, Entry>();
  #watching: NodeJS.Timeout | undefined;

  constructor(options: SandboxesOptions) {
    this.#options = options;
    const { schroot, docker } = sandboxPrograms(options.administration, options.tag);
    this.#schroot = schroot;
    this.#docker = docker;
  }

  /** What a homccd before this one left open. */
  async cleanUp(): Promise<void> {
    const ended = (await this.#schroot?.endLeftovers()) ?? [];
    if (ended.length > 0) this.#options.logger.info(`ended left-over schroot sessions: ${ended.join(" ")}`);
    await this.#options.shared.removeLeftover();
  }

  /** What clients may name, as far as it can be seen without entering anything. */
  async offers(): Promise<SandboxOffers> {
    const account = schrootAccountOf(process.getuid?.() ?? 0);
    const { allowed } = this.#options;
    return await offeredSandboxes({ schroot: this.#schroot, docker: this.#docker, account, allowed });
  }

  /** Rejects with ERR_HOMCC_SANDBOX, whose hint says what to change, when it cannot be used. */
  async enter(sandbox: Sandbox): Promise<SandboxEnvironment> {
    const key = JSON.stringify(sandbox);
    const known = this.#entries.get(key);
    if (known !== undefined && (await this.#holds(known))) return await known.environment;
    if (known !== undefined) this.#letGo(key, known);
    const entry = this.#entries.get(key) ?? this.#open(sandbox);
    this.#entries.set(key, entry);
    this.#watching ??= setInterval(() => void this.#watch(), watchEveryMs).unref();
    return await entry.environment;
  }

  async #watch(): Promise<void> {
    for (const [key, entry] of this.#entries) if (!(await this.#holds(entry))) this.#letGo(key, entry);
    if (this.#entries.size > 0) return;
    clearInterval(this.#watching);
    this.#watching = undefined;
  }

  #letGo(key: string, entry: Entry): void {
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    entry.environment.then((environment) => environment.close()).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watching);
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.allSettled(
      entries.map(async ({ environment }) => {
        await (await environment).close();
      }),
    );
  }

  async #holds(entry: Entry): Promise<boolean> {
    try {
      return (await entry.environment).isCurrent();
    } catch {
      return performance.now() < (entry.failedAtMs ?? 0) + failureHoldsMs;
    }
  }

  #open(sandbox: Sandbox): Entry {
    const environment =
      sandbox.kind === "schroot"
        ? this.#openProfile(sandbox.profile)
        : this.#openContainer(sandbox.container);
    const entry: Entry = { environment, failedAtMs: undefined };
    environment.catch((error: unknown) => {
      entry.failedAtMs = performance.now();
      this.#options.logger.warning(describeError(error));
    });
    return entry;
  }

  async #openProfile(profile: string): Promise<SandboxEnvironment> {
    if (this.#schroot === undefined) {
      throw unavailable("this server has no schroot", "install it there: apt install schroot");
    }
    const { allowedProfiles } = this.#options.allowed;
    const profiles = (await this.#schroot.profiles()).filter((name) => allowedProfiles.includes(name));
    if (!allowedProfiles.includes(profile)) {
      throw unavailable(
        `this server does not offer the schroot profile '${profile}'; ${listed(profiles)}`,
        `add it to allowed_profiles in section [homccd] of homcc.conf`,
      );
    }
    if (!profiles.includes(profile)) throw unknownProfile(profile, profiles);
    return await enterSchroot(await this.#schroot.profile(profile), this.#schroot, this.#options);
  }

  async #openContainer(name: string): Promise<SandboxEnvironment> {
    if (this.#docker === undefined) {
      throw unavailable("this server has no docker", "install it there: apt install docker.io");
    }
    const { allowedContainers } = this.#options.allowed;
    const container = await this.#docker.container(name);
    if (container !== undefined && allowedContainers.includes(container.name)) {
      return await enterDocker(container, this.#docker, this.#options);
    }
    const offered = (await this.#docker.containers()).filter((one) => allowedContainers.includes(one.name));
    const there = listed(offered.map((one) => `${one.name} (${one.state})`));
    if (!allowedContainers.includes(name)) {
      throw unavailable(
        `this server does not offer the docker container '${name}'; ${there}`,
        `add it to allowed_containers in section [homccd] of homcc.conf`,
      );
    }
    throw unavailable(`no docker container '${name}' on this server; ${there}`);
  }
}

/** Those of this machine by which sandboxes are administered. */
export function sandboxPrograms(
  administration: Administration,
  tag: string,
): Pick<OffersCall, "schroot" | "docker"> {
  const [schroot, docker] = [administration.find("schroot"), administration.find("docker")];
  return {
    schroot: schroot === undefined ? undefined : new Schroot(schroot, administration, tag),
    docker: docker === undefined ? undefined : new Docker(docker, administration),
  };
}

/** Tells the homccds of one machine apart, in names that outlive them. */
export function tagOf(storeFolder: string, uid = process.getuid?.()): string {
  const owner = `${uid} ${storeFolder}`;
  return createHash("sha256").update(owner).digest("hex").slice(0, 12);
}
