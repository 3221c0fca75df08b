import type { LogLevel } from "@homcc/observability/log";
import type { AddressRanges } from "./address-ranges.ts";
import type { TlsSettings } from "./hosts.ts";
import type { SshSettings } from "./ssh-access.ts";
import type { Compression, ExecutorChoice, NameList, ToolchainChoice } from "./values.ts";

/** Where the remote compiler is meant to run inside the server. */
export type Sandbox =
  | { readonly kind: "none" }
  | { readonly kind: "schroot"; readonly profile: string }
  | { readonly kind: "docker"; readonly container: string };

/** Settings of one call of homcc: they belong to the job, not to the agent that works on it. */
export interface ClientSettings {
  /** For peers that speak the format of homcc 1.x; each `Host` already has its own or this one. */
  readonly compression: Compression | undefined;
  readonly sandbox: Sandbox;
  /** Each `Host` with an `@` already has them. */
  readonly ssh: SshSettings;
  /** Each `Host` with `key=` or `tls` already has them. */
  readonly tls: TlsSettings;
  readonly compilationRequestTimeoutMs: number;
  readonly establishConnectionTimeoutMs: number;
  /** Hosts tried for one job, busy ones included; at least 1. */
  readonly remoteCompilationTries: number;
  /** For all servers together; `undefined`: what the links take. */
  readonly uplinkBytesPerSecond: number | undefined;
  /** `verbose` means DEBUG unless a level is set. */
  readonly logLevel: LogLevel;
  readonly verbose: boolean;
  /** A fallback ends with exit status 69 instead of a local compilation: always, or for being in a strict sandbox. */
  readonly noLocalCompilation: boolean;
  /** How long an agent without jobs lives. */
  readonly agentIdleTimeoutMs: number;
  /** Of the agent's own log. */
  readonly agentLogLevel: LogLevel;
  /** State files for the monitors of distcc. */
  readonly stateFiles: boolean;
  /** Of the agent's own store of results; 0 for none. */
  readonly clientCacheBytes: number;
  /** Share of remote compiles that are repeated here and compared, 0 to 1. */
  readonly auditRate: number;
  /** Absolute folder for the texts of jobs; `undefined` writes none. */
  readonly debugFolder: string | undefined;
}

/** Absolute folders of recorded results, and of the client's sources. */
export interface ReplaySettings {
  readonly folder: string;
  readonly root: string;
}

/** Settings of one homccd. */
export interface ServerSettings {
  /** Jobs that run at once. */
  readonly limit: number;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Addresses or names to listen on, without brackets; at least one. */
  readonly addresses: readonly string[];
  readonly logLevel: LogLevel;
  readonly verbose: boolean;
  readonly maxDependencyCacheBytes: number;
  readonly noResultCache: boolean;
  /** Stays free on the store's disk. */
  readonly minFreeBytes: number;
  /** Absolute folder of the blob store. */
  readonly store: string;
  readonly executor: ExecutorChoice;
  /** Of clients whose compiler this server does not have. */
  readonly toolchains: ToolchainChoice;
  /** Of one toolchain that a client sends, and of the layers of all of them. */
  readonly maxToolchainBytes: number;
  readonly toolchainCacheBytes: number;
  /** Of the executor `replay`, and only of it. */
  readonly replay: ReplaySettings | undefined;
  /** Sandboxes that clients may name. */
  readonly allowedProfiles: NameList;
  readonly allowedContainers: NameList;
  /** Absolute folder that they share with this machine. */
  readonly sandboxFolder: string;
  /** Account that a homccd started as root drops to; `undefined` leaves the choice to homccd. */
  readonly user: string | undefined;
  /** Clients from other addresses are refused, unless they prove who they are. */
  readonly allow: AddressRanges;
  /** Nobody is served who does not prove who he is. */
  readonly requiresCertificate: boolean;
  /** Absolute folder of the pool's key. */
  readonly identityFolder: string;
  /** Absolute paths of the company's certificates in PEM. */
  readonly tlsCertificate: string | undefined;
  readonly tlsKey: string | undefined;
  readonly tlsClientAuthorities: string | undefined;
  /** Names in certificates of clients that the company's authority has signed. */
  readonly tlsClientNames: NameList;
  /** Of memory, that has to be available before a job begins beside others; 0: whatever there is. */
  readonly minFreeMemoryBytes: number;
  /** Of one client, over all its connections. */
  readonly maxConnectionsPerClient: number;
  readonly maxJobsPerClient: number;
  /** Received from one client; `undefined`: what the network takes. */
  readonly maxBytesPerSecondPerClient: number | undefined;
  /** Of the store, once it is full; `undefined`: half of it. */
  readonly maxStorageBytesPerClient: number | undefined;
  /** Absolute path; `undefined` writes none. */
  readonly accessLog: string | undefined;
  /** How long jobs that run may go on when homccd is to end. */
  readonly drainTimeoutMs: number;
}
