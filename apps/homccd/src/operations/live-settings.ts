import type { ServerSettings } from "@homcc/config/settings";
import { HomccError } from "@homcc/observability/error";

/** Settings read anew, or why they cannot be used: one text a problem, with its place. */
export type ReadSettings =
  | { readonly kind: "settings"; readonly settings: ServerSettings; readonly warnings: readonly string[] }
  | { readonly kind: "problems"; readonly texts: readonly string[] };

/** Of each setting: the option's name, and whether a homccd that runs can take another value. */
const reloading: Readonly<Record<keyof ServerSettings, readonly [name: string, "now" | "restart"]>> = {
  limit: ["limit", "now"],
  port: ["port", "restart"],
  addresses: ["address", "restart"],
  logLevel: ["log_level", "now"],
  verbose: ["verbose", "now"],
  maxDependencyCacheBytes: ["max_dependency_cache_size", "restart"],
  noResultCache: ["no_result_cache", "restart"],
  minFreeBytes: ["min_free_space", "restart"],
  store: ["store", "restart"],
  executor: ["executor", "restart"],
  replay: ["replay_dir", "restart"],
  allowedProfiles: ["allowed_profiles", "now"],
  allowedContainers: ["allowed_containers", "now"],
  sandboxFolder: ["sandbox_dir", "restart"],
  user: ["user", "restart"],
  allow: ["allow", "now"],
  maxToolchainBytes: ["max_toolchain_size", "restart"],
  toolchainCacheBytes: ["toolchain_cache_size", "restart"],
  toolchains: ["toolchains", "restart"],
  requiresCertificate: ["authentication", "restart"],
  identityFolder: ["identity_dir", "restart"],
  tlsCertificate: ["tls_certificate", "restart"],
  tlsKey: ["tls_key", "restart"],
  tlsClientAuthorities: ["tls_client_ca", "restart"],
  tlsClientNames: ["tls_client_names", "restart"],
  minFreeMemoryBytes: ["min_free_memory", "now"],
  maxConnectionsPerClient: ["max_connections_per_client", "now"],
  maxJobsPerClient: ["max_jobs_per_client", "now"],
  maxBytesPerSecondPerClient: ["max_rate_per_client", "now"],
  maxStorageBytesPerClient: ["max_storage_per_client", "now"],
  accessLog: ["access_log", "now"],
  drainTimeoutMs: ["drain_timeout", "now"],
};

/** The settings of a homccd that runs, which may be read again without a connection noticing it. */
export class LiveSettings {
  #current: ServerSettings;
  readonly #read: () => Promise<ReadSettings>;
  readonly #listeners: ((settings: ServerSettings) => void)[] = [];
  #reloading: Promise<unknown> = Promise.resolve();

  constructor(settings: ServerSettings, read: () => Promise<ReadSettings>) {
    this.#current = settings;
    this.#read = read;
  }

  get current(): ServerSettings {
    return this.#current;
  }

  /** Calls `listener` at each reload, changed or not: files that were moved away are opened again. */
  onReload(listener: (settings: ServerSettings) => void): void {
    this.#listeners.push(listener);
  }

  /** Takes over what can change now. Gives lines for the log: what was changed, what needs a restart. Rejects, with nothing changed, when anything is wrong. */
  reload(): Promise<readonly string[]> {
    // One after the other: the files as of the last call count in the end.
    const reloaded = this.#reloading.then(() => this.#reload());
    this.#reloading = reloaded.catch(() => {});
    return reloaded;
  }

  async #reload(): Promise<readonly string[]> {
    const read = await this.#read();
    if (read.kind === "problems") {
      throw new HomccError(
        "ERR_HOMCC_CONFIGURATION",
        `the settings stay as they are: ${read.texts.join("; ")}`,
      );
    }
    const { taken, changed, waiting } = compare(this.#current, read.settings);
    this.#current = taken;
    for (const listener of this.#listeners) listener(taken);
    return [
      ...read.warnings,
      changed.length === 0 ? "settings read, none changed" : `settings changed: ${changed.join(", ")}`,
      ...(waiting.length === 0 ? [] : [`changed after a restart only: ${waiting.join(", ")}`]),
    ];
  }
}

interface Comparison {
  /** What counts from now on. */
  readonly taken: ServerSettings;
  readonly changed: readonly string[];
  readonly waiting: readonly string[];
}

function compare(old: ServerSettings, fresh: ServerSettings): Comparison {
  const changed: string[] = [];
  const waiting: string[] = [];
  const kept: [string, unknown][] = [];
  for (const [key, [name, when]] of Object.entries(reloading)) {
    const [before, after] = [valueOf(old, key), valueOf(fresh, key)];
    if (when === "restart") kept.push([key, before]);
    if (textOf(before) === textOf(after)) continue;
    (when === "now" ? changed : waiting).push(name);
  }
  return { taken: { ...fresh, ...Object.fromEntries(kept) }, changed, waiting };
}

function valueOf(settings: ServerSettings, key: string): unknown {
  return Object.entries(settings).find(([name]) => name === key)?.[1];
}

/** Lists of names and ranges have functions besides their text. */
function textOf(value: unknown): string {
  return JSON.stringify(value) ?? "none";
}
