/**
 * The table of options: every flag, environment variable and file key of both programs. The command lines, the
 * settings, `--help`, `--show-variables` and docs/configuration.md are made from it.
 */
import { hostOnly } from "./host-option.ts";
import { sshOptions } from "./ssh-access.ts";
import * as values from "./values.ts";

export interface Option {
  readonly type: values.ValueType<unknown>;
  /** Text that counts when no source gives one. */
  readonly default?: string;
  /** For people: what counts when that depends on other things. */
  readonly computedDefault?: string;
  /** First the one that `--help` shows. */
  readonly flags: readonly string[];
  /** Beats the file; of several, the first that is set counts. */
  readonly variables: readonly string[];
  /** Key in the section named after the program. */
  readonly key?: string;
  /** Another name of the key; `key` beats it. */
  readonly keyAlias?: string;
  /** Who decides about it: whoever starts the build, or whoever runs the server. */
  readonly setBy: "user" | "administrator";
  /** At most one option of a group may be on the command line. */
  readonly group?: "sandbox" | "action";
  readonly paragraph: string;
}

/** Options of `homcc`, by name. */
export const clientOptions = {
  help: {
    type: values.boolean,
    flags: ["--help"],
    variables: [],
    setBy: "user",
    paragraph: "Show this text.",
  },
  version: {
    type: values.boolean,
    flags: ["--version"],
    variables: [],
    setBy: "user",
    paragraph: "Show the version.",
  },
  show_hosts: {
    type: values.boolean,
    flags: ["--show-hosts"],
    variables: [],
    setBy: "user",
    group: "action",
    paragraph:
      "Show the hosts that are configured, one a line. Without any, the exit status is 66. With the flag --verbose each server is asked, and a table shows version, slots, round trip and executors, and below each its compilers, schroot profiles and docker containers, or why it does not answer.",
  },
  show_concurrency: {
    type: values.boolean,
    flags: ["--show-concurrency", "-j"],
    variables: [],
    setBy: "user",
    group: "action",
    paragraph:
      "Show the sum of the limits of all hosts that can be used, as in `make -j$(homcc -j)`. Without any, the exit status is 66.",
  },
  show_variables: {
    type: values.boolean,
    flags: ["--show-variables"],
    variables: [],
    setBy: "user",
    group: "action",
    paragraph: "Show the environment variables of homcc that are set, as NAME: value.",
  },
  scan_includes: {
    type: values.boolean,
    flags: ["--scan-includes"],
    variables: [],
    setBy: "user",
    group: "action",
    paragraph:
      "Show the files that the compiler command would need on a server besides its sources and besides those in /usr/include and /usr/lib, one absolute path a line. Nothing is compiled; no hosts are needed.",
  },
  verify_scan: {
    type: values.boolean,
    flags: ["--verify-scan"],
    variables: [],
    setBy: "user",
    group: "action",
    paragraph:
      "Compare the files that homcc's include scanner finds for the compiler command with those that the compiler itself lists (`-M`). Shows what the scanner misses, what it has beyond that (headers that are only asked for with `__has_include`), or why it leaves the command to the compiler. The exit status is 1 when a file is missing or the compiler gives no list, else 0. Nothing is compiled; no hosts are needed.",
  },
  audit: {
    type: values.boolean,
    flags: ["--audit"],
    variables: [],
    setBy: "user",
    group: "action",
    paragraph:
      "Have the command compiled by a server and by this machine, and compare everything: each output byte for byte, modes, messages, exit status, which files were written. Prints the verdict; the outputs that stay are this machine's. The exit status is 0 when all is identical, 1 when something differs, and 69 when nothing could be compared, for example for want of a server.",
  },
  explain: {
    type: values.boolean,
    flags: ["--explain"],
    variables: [],
    setBy: "user",
    group: "action",
    paragraph:
      "Show what homcc makes of the compiler command without running it: remote or local and why, inputs, outputs.",
  },
  log_level: {
    type: values.logLevel,
    computedDefault: "WARNING, with verbose DEBUG",
    flags: ["--log-level"],
    variables: ["HOMCC_LOG_LEVEL"],
    key: "log_level",
    setBy: "user",
    paragraph: "Least important messages that are printed.",
  },
  verbose: {
    type: values.boolean,
    default: "false",
    flags: ["--verbose"],
    variables: ["HOMCC_VERBOSE"],
    key: "verbose",
    setBy: "user",
    paragraph:
      "Print one line about each job and its outcome. Means the log level DEBUG unless one is given.",
  },
  no_config: {
    type: values.boolean,
    default: "false",
    flags: ["--no-config"],
    variables: [],
    setBy: "user",
    paragraph: "Do not read homcc.conf. Environment variables and the hosts file still count.",
  },
  host: {
    type: hostOnly,
    flags: ["--host"],
    variables: [],
    setBy: "user",
    paragraph: "Use this host alone. Anything that a line of the hosts file may be.",
  },
  hosts: {
    type: values.text,
    flags: [],
    variables: ["HOMCC_HOSTS"],
    setBy: "user",
    paragraph: "The hosts, one a line or between blanks. Beats the hosts file.",
  },
  directory: {
    type: values.path,
    flags: [],
    variables: ["HOMCC_DIR"],
    setBy: "user",
    paragraph:
      "Folder in which `hosts` and `homcc.conf` are looked up first, and below which sockets (`run`) and stores (`agent`, `server`) lie.",
  },
  no_local_compilation: {
    type: values.boolean,
    default: "false",
    flags: ["--no-local-compilation"],
    variables: ["HOMCC_NO_LOCAL_COMPILATION"],
    key: "no_local_compilation",
    setBy: "user",
    paragraph:
      "When the remote compilation cannot be had, end with exit status 69 instead of compiling locally. What belongs at home anyway (linking, preprocessing, …) still runs. The same holds where no agent can be reached: the call then does its work itself. Only where nothing of homcc but its launcher can be started, nobody reads files: with the option or the variable every command ends with 69 there, and with the key alone it is compiled here.",
  },
  schroot_profile: {
    type: values.name("PROFILE", "the name of a schroot profile"),
    flags: ["--schroot-profile"],
    variables: ["HOMCC_SCHROOT_PROFILE"],
    key: "schroot_profile",
    setBy: "user",
    group: "sandbox",
    paragraph:
      "Compile in this schroot environment of the server, with its compiler and its system headers: see docs/sandboxes.md.",
  },
  docker_container: {
    type: values.name("CONTAINER", "the name of a docker container"),
    flags: ["--docker-container"],
    variables: ["HOMCC_DOCKER_CONTAINER"],
    key: "docker_container",
    setBy: "user",
    group: "sandbox",
    paragraph:
      "Compile in this docker container of the server, with its compiler and its system headers: see docs/sandboxes.md.",
  },
  no_sandbox: {
    type: values.boolean,
    flags: ["--no-sandbox"],
    variables: [],
    setBy: "user",
    group: "sandbox",
    paragraph: "Ignore a configured schroot profile or docker container.",
  },
  strict_sandbox: {
    type: values.boolean,
    default: "false",
    flags: ["--strict-sandbox"],
    variables: ["HOMCC_STRICT_SANDBOX"],
    key: "strict_sandbox",
    setBy: "user",
    paragraph:
      "With a schroot profile or docker container: when the remote compilation cannot be had, end with exit status 69. The local compiler may be another one than the sandbox's, and objects of both may not fit together.",
  },
  compression: {
    type: values.compression,
    flags: [],
    variables: ["HOMCC_COMPRESSION"],
    key: "compression",
    setBy: "user",
    paragraph:
      "Compression for servers of homcc 1.x whose line in the hosts file names none. Servers of this version always compress with zstd.",
  },
  compilation_request_timeout: {
    type: values.seconds,
    default: "240",
    flags: ["--compilation_request_timeout", "--compilation-request-timeout"],
    variables: ["HOMCC_COMPILATION_REQUEST_TIMEOUT"],
    key: "compilation_request_timeout",
    setBy: "user",
    paragraph:
      "Seconds that a server may take for a job before it is compiled locally. They count from when the server gets the job, not while it waits for a slot, and anew whenever bytes of the job move: a slow link is given its time.",
  },
  establish_connection_timeout: {
    type: values.seconds,
    default: "10",
    flags: ["--establish_connection_timeout", "--establish-connection-timeout"],
    variables: ["HOMCC_ESTABLISH_CONNECTION_TIMEOUT"],
    key: "establish_connection_timeout",
    setBy: "user",
    paragraph: "Seconds to wait for the connection to a server.",
  },
  remote_compilation_tries: {
    type: values.integer(1, 1000),
    default: "3",
    flags: ["--remote_compilation_tries", "--remote-compilation-tries"],
    variables: ["HOMCC_REMOTE_COMPILATION_TRIES"],
    key: "remote_compilation_tries",
    setBy: "user",
    paragraph: "Servers that are asked for one job, busy ones included, before it is compiled locally.",
  },
  uplink_limit: {
    type: values.megabits,
    flags: [],
    variables: ["HOMCC_UPLINK_LIMIT"],
    key: "uplink_limit",
    setBy: "user",
    paragraph:
      "Mbit/s that are sent at most, to all servers together. Without it homcc sends as much as leaves the link usable for others, which it measures; a limit only lowers that. Of several builds the latest job's wish counts. Peers of homcc 1.x are not limited.",
  },
  tls_certificate: {
    type: values.path,
    flags: [],
    variables: ["HOMCC_TLS_CERTIFICATE"],
    key: "tls_certificate",
    setBy: "user",
    paragraph:
      "PEM file with the certificate that hosts with `,tls` are shown, and those between it and the company's authority. Paired servers (`,key=…`) need none.",
  },
  tls_key: {
    type: values.path,
    computedDefault: "the file of tls_certificate",
    flags: [],
    variables: ["HOMCC_TLS_KEY"],
    key: "tls_key",
    setBy: "user",
    paragraph: "PEM file with its private key, without a passphrase.",
  },
  tls_ca: {
    type: values.path,
    computedDefault: "the authorities that Node comes with",
    flags: [],
    variables: ["HOMCC_TLS_CA"],
    key: "tls_ca",
    setBy: "user",
    paragraph: "PEM file with the authorities that certificates of hosts with `,tls` must come from.",
  },
  ssh_executable: {
    type: values.path,
    default: "ssh",
    flags: [],
    variables: ["HOMCC_SSH_EXECUTABLE"],
    key: "ssh_executable",
    setBy: "user",
    paragraph:
      "Program that connects to `USER@HOST` and `@HOST`, for servers that are reached through SSH. It has to understand the options of OpenSSH's ssh.",
  },
  ssh_control_persist: {
    type: values.integer(0, 2_000_000),
    default: "600",
    flags: [],
    variables: ["HOMCC_SSH_CONTROL_PERSIST"],
    key: "ssh_control_persist",
    setBy: "user",
    paragraph:
      "Seconds without a job after which the SSH connection to a server ends. 0 keeps it as long as the agent lives. Of several builds the latest job's wish counts.",
  },
  ssh_options: {
    type: sshOptions,
    flags: [],
    variables: ["HOMCC_SSH_OPTIONS"],
    key: "ssh_options",
    setBy: "user",
    paragraph:
      "More options for ssh, as on its command line: `-p 2222 -i ~/.ssh/build`. Quotes mean what they mean in a shell. What homcc itself sets (no questions, multiplexing, keep-alive) cannot be changed.",
  },
  no_agent: {
    type: values.text,
    flags: [],
    variables: ["HOMCC_NO_AGENT"],
    setBy: "user",
    paragraph:
      "Set to anything, it keeps homcc from starting or using the agent: each call does the agent's work in its own process, with a connection of its own. Slower, and without `localhost/N`'s order between calls.",
  },
  agent_idle_time: {
    type: values.seconds,
    default: "3600",
    flags: [],
    variables: ["HOMCC_AGENT_IDLE_TIME"],
    key: "agent_idle_time",
    setBy: "user",
    paragraph: "Seconds without a job after which the agent ends itself. The next job starts a new one.",
  },
  agent_log_level: {
    type: values.logLevel,
    default: "INFO",
    flags: [],
    variables: ["HOMCC_AGENT_LOG_LEVEL"],
    key: "agent_log_level",
    setBy: "user",
    paragraph:
      "Least important messages in the agent's log; of several builds the latest job's wish counts. INFO has one line for each job. `homcc status` says where the log is.",
  },
  job_log: {
    type: values.path,
    flags: [],
    variables: ["HOMCC_JOB_LOG"],
    setBy: "user",
    paragraph:
      "Absolute path of a file to which one JSON object is appended for each job: source, outcome, host, bytes, times.",
  },
  state_files: {
    type: values.boolean,
    default: "true",
    flags: [],
    variables: ["HOMCC_STATE_FILES"],
    key: "state_files",
    setBy: "user",
    paragraph:
      "Jobs are shown by the monitors of distcc (`distccmon-text`, `distccmon-gnome`): a job that lasts has a small file in `$DISTCC_DIR/state`, else in `~/.distcc/state`.",
  },
  client_cache_size: {
    type: values.sizeOrNone,
    default: "1G",
    flags: [],
    variables: ["HOMCC_CLIENT_CACHE_SIZE"],
    key: "client_cache_size",
    setBy: "user",
    paragraph:
      "Size of the agent's own store of recent results, which answers the same compile without any server. 0 keeps none. It never takes the last gibibyte of a disk.",
  },
  audit_rate: {
    type: values.percent,
    default: "0.5",
    flags: [],
    variables: ["HOMCC_AUDIT_RATE"],
    key: "audit_rate",
    setBy: "user",
    paragraph:
      "Share of the finished remote compiles, in percent, that the agent repeats on this machine and compares byte for byte while the machine has nothing else to do: no build, idle processors, mains power. A difference keeps the server or the flags from further jobs (`homcc audit`). 0 repeats none.",
  },
  debug_directory: {
    type: values.path,
    flags: [],
    variables: ["HOMCC_DEBUG_DIR"],
    setBy: "user",
    paragraph:
      "Folder in which each job leaves two text files: in `jobs` what it was (command, environment, inputs with digests, outcome), in `phases` what it took. `diff -r ONE/jobs OTHER/jobs` compares two builds.",
  },
} as const satisfies Record<string, Option>;

/** Options of `homccd`, by name. */
export const serverOptions = {
  help: {
    type: values.boolean,
    flags: ["--help"],
    variables: [],
    setBy: "administrator",
    paragraph: "Show this text.",
  },
  version: {
    type: values.boolean,
    flags: ["--version"],
    variables: [],
    setBy: "administrator",
    paragraph: "Show the version.",
  },
  profiles: {
    type: values.boolean,
    flags: ["--profiles"],
    variables: [],
    setBy: "administrator",
    paragraph: "Show the schroot profiles and docker containers that clients may name.",
  },
  limit: {
    type: values.integer(1, 100_000),
    computedDefault: "CPUs + 2",
    flags: ["--jobs", "-j", "--limit"],
    variables: ["HOMCCD_LIMIT"],
    key: "limit",
    setBy: "administrator",
    paragraph: "Compilations that run at once.",
  },
  port: {
    type: values.integer(0, 65_535),
    default: "3126",
    flags: ["--port"],
    variables: ["HOMCCD_PORT"],
    key: "port",
    setBy: "administrator",
    paragraph: "TCP port to listen on. 0 lets the system choose one.",
  },
  address: {
    type: values.listenAddresses,
    default: "0.0.0.0",
    flags: ["--listen"],
    variables: ["HOMCCD_ADDRESS"],
    key: "address",
    setBy: "administrator",
    paragraph:
      "Addresses to listen on, all with the same port, between blanks or commas. `::` alone serves IPv6 and IPv4; beside others it is IPv6 alone.",
  },
  allow: {
    type: values.addressRanges,
    default: "private",
    flags: ["--allow"],
    variables: ["HOMCCD_ALLOW"],
    key: "allow",
    setBy: "administrator",
    paragraph:
      "Addresses that are served without a pairing or a certificate: addresses and ranges between blanks or commas. `private` stands for loopback, private, link-local and VPN ranges, `any` for every address. Never use `any` on a machine that the internet can reach: who is served so proves nothing. Paired clients may come from anywhere.",
  },
  authentication: {
    type: values.authentication,
    default: "none",
    flags: ["--authentication"],
    variables: ["HOMCCD_AUTHENTICATION"],
    key: "authentication",
    setBy: "administrator",
    paragraph:
      "`required`: only clients that are paired, or have a certificate of tls_client_ca, are served, from whatever address. Everybody else is told how to be paired: homcc 1.x and clients that come through SSH, too. `none`: those in `allow` are served as well.",
  },
  identity_dir: {
    type: values.path,
    computedDefault:
      "$HOMCC_DIR/identity, else /etc/homcc/identity for root or where that folder is, else ~/.config/homcc/identity",
    flags: ["--identity-dir"],
    variables: ["HOMCCD_IDENTITY_DIR"],
    key: "identity_dir",
    setBy: "administrator",
    paragraph:
      "Folder with the pool's key (`pool.pem`), who was revoked (`revoked`) and records of pairings; made at the first start. Servers with the same `pool.pem` are one pool: a pairing with one of them is good for all. A homccd that is started as root reads the key before it gives up its rights, so that no job can.",
  },
  tls_certificate: {
    type: values.path,
    flags: ["--tls-certificate"],
    variables: ["HOMCCD_TLS_CERTIFICATE"],
    key: "tls_certificate",
    setBy: "administrator",
    paragraph:
      "PEM file with a certificate for this host of an authority of your own, and those between it and the authority: for clients whose hosts line says `,tls`. Pairing works beside it.",
  },
  tls_key: {
    type: values.path,
    computedDefault: "the file of tls_certificate",
    flags: ["--tls-key"],
    variables: ["HOMCCD_TLS_KEY"],
    key: "tls_key",
    setBy: "administrator",
    paragraph: "PEM file with its private key, without a passphrase. Read once, at the start.",
  },
  tls_client_ca: {
    type: values.path,
    flags: ["--tls-client-ca"],
    variables: ["HOMCCD_TLS_CLIENT_CA"],
    key: "tls_client_ca",
    setBy: "administrator",
    paragraph:
      "PEM file with the authorities whose certificates let clients in. The common name is the client's name; `homccd revoke` knows it too.",
  },
  tls_client_names: {
    type: values.nameList,
    default: "any",
    flags: ["--tls-client-names"],
    variables: ["HOMCCD_TLS_CLIENT_NAMES"],
    key: "tls_client_names",
    setBy: "administrator",
    paragraph:
      "Names of the certificates of tls_client_ca that let somebody in: common names between blanks or commas, `any` or `none`.",
  },
  user: {
    type: values.name("USER", "the name of an account"),
    computedDefault: "homcc where there is such an account, else nobody",
    flags: ["--user"],
    variables: ["HOMCCD_USER"],
    key: "user",
    setBy: "administrator",
    paragraph: "Account that a homccd started as root changes to for good before it serves anybody.",
  },
  executor: {
    type: values.executor,
    default: "auto",
    flags: ["--executor"],
    variables: ["HOMCCD_EXECUTOR"],
    key: "executor",
    setBy: "administrator",
    paragraph:
      "How jobs run. `namespace`: in namespaces of their own, in which the client's paths exist. `mapped`: in a private folder with mapped paths, for machines that allow no namespaces. `auto`: the first of them that works here. `replay`: not at all, for benchmarks; see replay_dir.",
  },
  toolchains: {
    type: values.toolchains,
    default: "shipped",
    flags: ["--toolchains"],
    variables: ["HOMCCD_TOOLCHAINS"],
    key: "toolchains",
    setBy: "administrator",
    paragraph:
      "Compilers that jobs may use where this server does not have the client's. `shipped`: the client's own, which it uploads once and which runs only inside the jobs' namespaces. `own`: only files of this server's packages and of folders that `homccd toolchain add` names, in the places in which the client has them. Other clients compile at home. The executor `mapped` uses nothing but what is installed here, whatever is chosen.",
  },
  max_toolchain_size: {
    type: values.size,
    default: "2G",
    flags: ["--max-toolchain-size"],
    variables: ["HOMCCD_MAX_TOOLCHAIN_SIZE"],
    key: "max_toolchain_size",
    setBy: "administrator",
    paragraph:
      "The largest toolchain that is taken from a client: Debian's gcc has 110M, its clang 230M. A number followed by M (mebibytes) or G (gibibytes).",
  },
  toolchain_cache_size: {
    type: values.size,
    default: "10G",
    flags: ["--toolchain-cache-size"],
    variables: ["HOMCCD_TOOLCHAIN_CACHE_SIZE"],
    key: "toolchain_cache_size",
    setBy: "administrator",
    paragraph:
      "What all toolchains that came from clients take on the disk. The least recently used go first; one that a job uses stays. A number followed by M (mebibytes) or G (gibibytes).",
  },
  replay_dir: {
    type: values.path,
    flags: ["--replay-dir"],
    variables: ["HOMCCD_REPLAY_DIR"],
    setBy: "administrator",
    paragraph:
      "For benchmarks, and only with the executor `replay`: folder of recorded results. A job waits the milliseconds in KEY.ms and answers with KEY.o, whatever its inputs are; KEY is the source's path below replay_root with `@` for each `/`. A source without a recording is refused. `node benchmarks/record.ts` records.",
  },
  replay_root: {
    type: values.path,
    default: "/",
    flags: ["--replay-root"],
    variables: ["HOMCCD_REPLAY_ROOT"],
    setBy: "administrator",
    paragraph:
      "Only with the executor `replay`: folder of the client that is cut off the front of its sources' absolute paths.",
  },
  allowed_profiles: {
    type: values.nameList,
    default: "any",
    flags: ["--allowed-profiles"],
    variables: ["HOMCCD_ALLOWED_PROFILES"],
    key: "allowed_profiles",
    setBy: "administrator",
    paragraph:
      "Schroot profiles that clients may name: names between blanks or commas, `any` or `none`. What schroot itself forbids homccd's account stays forbidden.",
  },
  allowed_containers: {
    type: values.nameList,
    default: "any",
    flags: ["--allowed-containers"],
    variables: ["HOMCCD_ALLOWED_CONTAINERS"],
    key: "allowed_containers",
    setBy: "administrator",
    paragraph: "Docker containers that clients may name: names between blanks or commas, `any` or `none`.",
  },
  sandbox_dir: {
    type: values.path,
    default: "/tmp",
    flags: ["--sandbox-dir"],
    variables: ["HOMCCD_SANDBOX_DIR"],
    key: "sandbox_dir",
    setBy: "administrator",
    paragraph:
      "Folder that schroot profiles and docker containers share with this machine at the same path; homccd makes a folder of its own in it.",
  },
  max_dependency_cache_size: {
    type: values.size,
    default: "10G",
    flags: ["--max-dependency-cache-size"],
    variables: ["HOMCCD_MAX_DEPENDENCY_CACHE_SIZE", "HOMCC_MAX_DEPENDENCY_CACHE_SIZE"],
    key: "max_dependency_cache_size",
    setBy: "administrator",
    paragraph:
      "Size of the store of files that clients sent and of outputs made for them. The least recently used go first. Two million files are the most, whatever their size: each takes 350 bytes of memory. A number followed by M (mebibytes) or G (gibibytes).",
  },
  no_result_cache: {
    type: values.boolean,
    default: "false",
    flags: ["--no-result-cache"],
    variables: ["HOMCCD_NO_RESULT_CACHE"],
    key: "no_result_cache",
    setBy: "administrator",
    paragraph:
      "Compile every job, also those whose result the store has from an earlier one. Results count towards `max_dependency_cache_size`.",
  },
  store: {
    type: values.path,
    computedDefault: "$HOMCC_DIR/server, else $XDG_CACHE_HOME/homcc/server, else ~/.cache/homcc/server",
    flags: ["--store", "--cache-dir"],
    variables: ["HOMCCD_STORE", "HOMCCD_CACHE_DIR"],
    key: "store",
    keyAlias: "cache_dir",
    setBy: "administrator",
    paragraph: "Folder of that store. `cache_dir` is another name of the same setting.",
  },
  min_free_space: {
    type: values.size,
    default: "32M",
    flags: ["--min-free-space"],
    variables: ["HOMCCD_MIN_FREE_SPACE"],
    key: "min_free_space",
    setBy: "administrator",
    paragraph:
      "Room that stays free on that folder's disk. Below it no job starts, and a file that a client sends is taken only if older ones can make way. A number followed by M (mebibytes) or G (gibibytes).",
  },
  min_free_memory: {
    type: values.sizeOrNone,
    default: "256M",
    flags: ["--min-free-memory"],
    variables: ["HOMCCD_MIN_FREE_MEMORY"],
    key: "min_free_memory",
    setBy: "administrator",
    paragraph:
      "Memory that has to be available before a job starts beside others: of the machine, and of each control group with a limit that homccd is in, such as a container's or that of `MemoryMax=`. The page cache counts as available. Jobs wait below it, and after 10 s their clients are sent elsewhere. The same when every process waited for memory in more than a fifth of the last ten seconds (`/proc/pressure/memory`). 0 looks at slots alone.",
  },
  max_connections_per_client: {
    type: values.integer(1, 1_000_000),
    default: "1000",
    flags: ["--max-connections-per-client"],
    variables: ["HOMCCD_MAX_CONNECTIONS_PER_CLIENT"],
    key: "max_connections_per_client",
    setBy: "administrator",
    paragraph:
      "Connections of one client at once; more are refused. A client is a paired name, the name of a certificate, or else an address, behind which a whole team may be. An agent has one connection, homcc 1.x one for each job.",
  },
  max_jobs_per_client: {
    type: values.integer(1, 1_000_000),
    default: "4096",
    flags: ["--max-jobs-per-client"],
    variables: ["HOMCCD_MAX_JOBS_PER_CLIENT"],
    key: "max_jobs_per_client",
    setBy: "administrator",
    paragraph:
      "Jobs of one client that run or wait at once, over all its connections; more are refused, and compiled elsewhere. A single connection has 1024 at most.",
  },
  max_rate_per_client: {
    type: values.megabits,
    computedDefault: "what the network takes",
    flags: ["--max-rate-per-client"],
    variables: ["HOMCCD_MAX_RATE_PER_CLIENT"],
    key: "max_rate_per_client",
    setBy: "administrator",
    paragraph:
      "Mbit/s that are received from one client, over all its connections. It is read no faster; nothing is refused. Clients of homcc 1.x are not held back.",
  },
  max_storage_per_client: {
    type: values.size,
    computedDefault: "half of max_dependency_cache_size",
    flags: ["--max-storage-per-client"],
    variables: ["HOMCCD_MAX_STORAGE_PER_CLIENT"],
    key: "max_storage_per_client",
    setBy: "administrator",
    paragraph:
      "What one client may have in a full store: sources, headers and toolchains that it brought, and outputs made for it. While there is room nothing goes; then a client with more loses its own least recently used files before others lose theirs. What several clients use counts for one of them.",
  },
  access_log: {
    type: values.path,
    flags: ["--access-log"],
    variables: ["HOMCCD_ACCESS_LOG"],
    key: "access_log",
    setBy: "administrator",
    paragraph:
      "File to which each job is written as a line of JSON: when it ended, client, source, outcome, bytes, milliseconds. It names sources, and has nothing of their contents. A reload opens it anew, for logrotate.",
  },
  drain_timeout: {
    type: values.seconds,
    default: "60",
    flags: ["--drain-timeout"],
    variables: ["HOMCCD_DRAIN_TIMEOUT"],
    key: "drain_timeout",
    setBy: "administrator",
    paragraph:
      "How long a homccd that is told to end (SIGTERM, `homccd drain`) goes on with the jobs that run. It begins no others meanwhile. Those that are not finished then are compiled elsewhere. A second signal ends it at once. TimeoutStopSec of a systemd unit has to be longer.",
  },
  log_level: {
    type: values.logLevel,
    computedDefault: "INFO, with verbose DEBUG",
    flags: ["--log-level"],
    variables: ["HOMCCD_LOG_LEVEL"],
    key: "log_level",
    setBy: "administrator",
    paragraph: "Least important messages that are printed.",
  },
  verbose: {
    type: values.boolean,
    default: "false",
    flags: ["--verbose"],
    variables: ["HOMCCD_VERBOSE"],
    key: "verbose",
    setBy: "administrator",
    paragraph: "Print details about each job. Means the log level DEBUG unless one is given.",
  },
  no_config: {
    type: values.boolean,
    default: "false",
    flags: ["--no-config"],
    variables: [],
    setBy: "administrator",
    paragraph: "Do not read homcc.conf. Environment variables still count.",
  },
  directory: {
    type: values.path,
    flags: [],
    variables: ["HOMCC_DIR"],
    setBy: "administrator",
    paragraph: "Folder in which `homcc.conf` is looked up first, and below which the store (`server`) lies.",
  },
} as const satisfies Record<string, Option>;

export type Program = "homcc" | "homccd";

/** Every name that the option has in a file, strongest first. */
export function keysOf({ key, keyAlias }: Option): readonly string[] {
  return [key, keyAlias].filter((name) => name !== undefined);
}

/** Every option of a program with its name, in the order of `--help`. */
export function optionsOf(program: Program): readonly (readonly [name: string, option: Option])[] {
  return Object.entries(program === "homcc" ? clientOptions : serverOptions);
}

/** The type of an option's value; `undefined` is possible where the table has no default. */
export type ValueOf<O> = O extends { readonly type: values.ValueType<infer T> }
  ? O extends { readonly default: string }
    ? T
    : T | undefined
  : never;
