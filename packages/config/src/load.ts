/**
 * From a job's environment and command line to its settings. Nothing is read from the process: the agent serves many
 * shells, and each of their variables and files counts for its own jobs, from the next job on.
 */
import { HomccError } from "@homcc/observability/error";
import { resolve } from "node:path";
import { ConfigurationFiles, configurationFolders, type FileReader } from "./files.ts";
import { identityFolder, storeFolder } from "./folders.ts";
import { readConfiguration } from "./homcc-conf.ts";
import { readHosts } from "./hosts-file.ts";
import type { Host, Localhost, ParsedHosts, PoolLine } from "./hosts.ts";
import { KeptSettings } from "./kept-settings.ts";
import { createOptionReader, type OptionReader } from "./option-reader.ts";
import { clientOptions, serverOptions } from "./options.ts";
import type { Problem } from "./problem.ts";
import { processorCount } from "./processors.ts";
import { chooseReplay } from "./replay.ts";
import { chooseSandbox } from "./sandbox.ts";
import type { ClientSettings, Sandbox, ServerSettings } from "./settings.ts";

/** Where settings come from. */
export interface SettingsCall {
  /** Of the launcher, or of homccd. */
  readonly environment: Readonly<Record<string, string>>;
  /** Values by option name, as `parseFlags` gives them; booleans as `1`. */
  readonly commandLine?: Readonly<Record<string, string>>;
  /** A relative HOMCC_DIR or store starts here. */
  readonly cwd?: string;
  /** Instead of /etc/homcc. */
  readonly systemFolder?: string;
}

/** What `loadSettings` returns. */
export interface LoadedSettings {
  readonly settings: ClientSettings;
  /** Hosts that can be used, in the order of the file, each address once; a `limit` of 0 means: never choose it. */
  readonly hosts: readonly Host[];
  /** Lines that name servers by DNS: whoever runs jobs asks for those, and adds them to `hosts`. */
  readonly pools: readonly PoolLine[];
  readonly localhost: Localhost;
  /** Every well-formed host as written, without blanks and comments: what `--show-hosts` prints. */
  readonly hostLines: readonly string[];
  /** Report those that the user was not told yet and go on. */
  readonly problems: readonly Problem[];
  /** Why `hosts` is empty: ends `--show-hosts`, `-j` and `no_local_compilation` with 66, and is the hint otherwise. */
  readonly noHosts: HomccError | undefined;
  /** The job ends with this error's exit status: two sandboxes at once. */
  readonly fatal: HomccError | undefined;
}

/** What `loadServerSettings` returns; with a problem of severity `error` homccd must not start. */
export interface LoadedServerSettings {
  readonly settings: ServerSettings;
  readonly problems: readonly Problem[];
}

const sharedFiles = new ConfigurationFiles();
const keptSettings = new KeptSettings<LoadedSettings>(sharedFiles);
const clientVariables = Object.values(clientOptions).flatMap(({ variables }) => variables);

/**
 * The settings of one call of homcc. Never rejects because of what is configured. Made once for all calls with the same
 * files, options and variables of homcc: 40 options and the hosts take 2 % of the processor time of a warm job.
 */
export async function loadSettings(call: SettingsCall): Promise<LoadedSettings> {
  const { environment, commandLine = {}, cwd = "/", systemFolder } = call;
  const folders = configurationFolders(environment, cwd, systemFolder);
  const variables = clientVariables.map((name) => environment[name]);
  const kept = await keptSettings.of(
    JSON.stringify([folders, cwd, commandLine, variables]),
    async (files) => {
      const loaded = await readSettings({ environment, commandLine, cwd, folders, files });
      return ofJob(loaded, {});
    },
  );
  return ofJob(kept, environment);
}

/** With what is the job's own, and the processors as of now. */
function ofJob(
  { settings, hosts, localhost, ...loaded }: LoadedSettings,
  environment: SettingsCall["environment"],
): LoadedSettings {
  return {
    ...loaded,
    settings: { ...settings, ssh: { ...settings.ssh, environment } },
    hosts: hosts.map((host) =>
      host.ssh === undefined ? host : { ...host, ssh: { ...host.ssh, environment } },
    ),
    localhost: localhost.configured ? localhost : { limit: processorCount(), configured: false },
  };
}

interface ReadCall extends Required<Pick<SettingsCall, "environment" | "commandLine" | "cwd">> {
  readonly folders: readonly string[];
  readonly files: FileReader;
}

/** Of `environment` only the variables of options count, and all of it for ssh. */
async function readSettings(call: ReadCall): Promise<LoadedSettings> {
  const { environment, commandLine, cwd, folders, files } = call;
  const configuration = await readConfiguration("homcc", folders, files, commandLine);
  const sources = { program: "homcc", commandLine, environment, ini: configuration.ini } as const;
  const options = createOptionReader(clientOptions, sources);
  const { sandbox, conflict } = chooseSandbox(options);
  const settings = clientSettings(options, sandbox, { environment, cwd, folders });
  const variable = environment["HOMCC_HOSTS"] ?? "";
  const parsed = await readHosts({ host: options.get("host"), variable, folders, files, access: settings });
  const { hosts, pools } = parsed;
  return {
    settings,
    hosts: hosts.map((host) => ({ ...host, compression: host.compression ?? settings.compression })),
    pools: pools.map((pool) => ({ ...pool, compression: pool.compression ?? settings.compression })),
    localhost: {
      limit: parsed.localhostLimit ?? processorCount(),
      configured: parsed.localhostLimit !== undefined,
    },
    hostLines: parsed.hostLines,
    problems: [...configuration.problems, ...options.problems, ...parsed.problems],
    noHosts: [...hosts, ...pools].some(({ limit }) => limit > 0) ? undefined : noHostsError(parsed),
    fatal: conflict,
  };
}

function clientSettings(
  options: OptionReader<typeof clientOptions>,
  sandbox: Sandbox,
  { environment, cwd, folders }: Pick<ReadCall, "environment" | "cwd" | "folders">,
): ClientSettings {
  const verbose = options.get("verbose");
  const debugFolder = options.get("debug_directory");
  const pathOf = pathFrom(cwd);
  return {
    compression: options.get("compression"),
    sandbox,
    ssh: {
      executable: options.get("ssh_executable"),
      options: options.get("ssh_options") ?? [],
      controlPersistMs: options.get("ssh_control_persist") * 1000,
      environment,
    },
    tls: {
      folders,
      certificate: pathOf(options.get("tls_certificate")),
      key: pathOf(options.get("tls_key")),
      authorities: pathOf(options.get("tls_ca")),
    },
    compilationRequestTimeoutMs: options.get("compilation_request_timeout"),
    establishConnectionTimeoutMs: options.get("establish_connection_timeout"),
    remoteCompilationTries: options.get("remote_compilation_tries"),
    uplinkBytesPerSecond: options.get("uplink_limit"),
    logLevel: options.get("log_level") ?? (verbose ? "DEBUG" : "WARNING"),
    verbose,
    noLocalCompilation:
      options.get("no_local_compilation") || (options.get("strict_sandbox") && sandbox.kind !== "none"),
    agentIdleTimeoutMs: options.get("agent_idle_time"),
    agentLogLevel: options.get("agent_log_level"),
    stateFiles: options.get("state_files"),
    clientCacheBytes: options.get("client_cache_size"),
    auditRate: options.get("audit_rate"),
    debugFolder: pathOf(debugFolder),
  };
}

function noHostsError(parsed: ParsedHosts): HomccError {
  const someGiven =
    parsed.hostLines.length > 0 || parsed.problems.some(({ severity }) => severity === "error");
  const message = someGiven ? "None of the configured hosts can be used" : "No hosts are configured";
  return new HomccError("ERR_HOMCC_NO_HOSTS", message, { hint: "set HOMCC_HOSTS or write ~/.homcc/hosts" });
}

/** The settings of a homccd. With a problem of severity `error` it must not start. */
export async function loadServerSettings(call: SettingsCall): Promise<LoadedServerSettings> {
  const { environment, commandLine = {}, cwd = "/", systemFolder } = call;
  const folders = configurationFolders(environment, cwd, systemFolder);
  const configuration = await readConfiguration("homccd", folders, sharedFiles, commandLine);
  const sources = { program: "homccd", commandLine, environment, ini: configuration.ini } as const;
  const options = createOptionReader(serverOptions, sources);
  const verbose = options.get("verbose");
  const { replay, conflicts } = chooseReplay(options, cwd);
  const pathOf = pathFrom(cwd);
  const settings: ServerSettings = {
    limit: options.get("limit") ?? processorCount() + 2,
    port: options.get("port"),
    addresses: options.get("address"),
    logLevel: options.get("log_level") ?? (verbose ? "DEBUG" : "INFO"),
    verbose,
    maxDependencyCacheBytes: options.get("max_dependency_cache_size"),
    noResultCache: options.get("no_result_cache"),
    minFreeBytes: options.get("min_free_space"),
    store: storeFolder(options.get("store"), environment, cwd),
    executor: options.get("executor"),
    toolchains: options.get("toolchains"),
    maxToolchainBytes: options.get("max_toolchain_size"),
    toolchainCacheBytes: options.get("toolchain_cache_size"),
    replay,
    allowedProfiles: options.get("allowed_profiles"),
    allowedContainers: options.get("allowed_containers"),
    sandboxFolder: resolve(cwd, options.get("sandbox_dir")),
    user: options.get("user"),
    allow: options.get("allow"),
    requiresCertificate: options.get("authentication") === "required",
    identityFolder: identityFolder(options.get("identity_dir"), environment, cwd, systemFolder),
    tlsCertificate: pathOf(options.get("tls_certificate")),
    tlsKey: pathOf(options.get("tls_key")),
    tlsClientAuthorities: pathOf(options.get("tls_client_ca")),
    tlsClientNames: options.get("tls_client_names"),
    minFreeMemoryBytes: options.get("min_free_memory"),
    maxConnectionsPerClient: options.get("max_connections_per_client"),
    maxJobsPerClient: options.get("max_jobs_per_client"),
    maxBytesPerSecondPerClient: options.get("max_rate_per_client"),
    maxStorageBytesPerClient: options.get("max_storage_per_client"),
    accessLog: pathOf(options.get("access_log")),
    drainTimeoutMs: options.get("drain_timeout"),
  };
  return { settings, problems: [...configuration.problems, ...options.problems, ...conflicts] };
}

/** What an option that may be absent names, seen from `cwd`. */
function pathFrom(cwd: string): (path: string | undefined) => string | undefined {
  return (path) => (path === undefined ? undefined : resolve(cwd, path));
}
