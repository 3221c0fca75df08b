import { parseDigest } from "@homcc/cas/digest";
import {
  maxArgumentLength,
  maxArguments,
  maxDeclaredEntries,
  maxDeltaBytes,
  maxEnvironmentVariables,
  maxFilePieces,
  maxJobEntries,
  maxNameLength,
  maxOutputBytes,
  maxOutputs,
  maxPathLength,
  maxProblems,
  maxProvenDigests,
  maxSandboxes,
  maxSessionEntries,
  maxSteps,
  maxTextLength,
  maxTimeoutMs,
  maxToolchainNames,
  maxToolchains,
  maxUndeclared,
  maxUnlisted,
} from "./limits.ts";
import {
  array,
  bool,
  converted,
  dictionary,
  int,
  oneOf,
  optional,
  prose,
  record,
  string,
  type TypeOf,
  union,
} from "./schema.ts";

const name = string({ maxLength: maxNameLength });
const text = prose(maxTextLength);
/** A name that is shown, and looked up nowhere. */
const label = prose(maxNameLength);
const argument = string({ maxLength: maxArgumentLength });
const digest = converted("a digest (64 hexadecimal digits/size)", parseDigest);

/** 256 bits: a nonce, or what a proof comes to. */
const hash = string({
  maxLength: 64,
  where: { description: "64 hexadecimal digits", test: (text) => /^[0-9a-f]{64}$/.test(text) },
});

const absolutePath = string({
  maxLength: maxPathLength,
  where: { description: "an absolute path", test: (path) => path.startsWith("/") },
});

/** Nothing below may climb out of the job's root, so `.`, `..` and empty components are refused here, once. */
const normalPath = string({
  maxLength: maxPathLength,
  where: {
    description: "an absolute path without '.', '..', '//' or a slash at the end",
    test: (path) => path === "/" || /^(?:\/(?!\.{1,2}(?:\/|$))[^/]+)+$/.test(path),
  },
});

const variableName = string({
  maxLength: maxNameLength,
  where: { description: "a name without '='", test: (text) => text !== "" && !text.includes("=") },
});

const environment = dictionary(variableName, argument, maxEnvironmentVariables);

const terminalSize = record({ columns: int(0, 65_535), rows: int(0, 65_535) });

/**
 * An entry of the session, numbered by counting: the first one declared on a connection is 0. `absent` is a path that
 * does not exist at home and that a compiler may probe. `mtimeNs` is decimal, as it has more digits than a JSON number.
 */
const sessionEntry = union("kind", {
  file: record({
    path: normalPath,
    digest,
    mtimeNs: converted("nanoseconds in decimal", (text) =>
      /^(?:0|-?[1-9][0-9]{0,18})$/.test(text) ? text : undefined,
    ),
  }),
  directory: record({ path: normalPath }),
  symlink: record({ path: normalPath, target: string({ maxLength: maxPathLength }) }),
  absent: record({ path: normalPath }),
});

const toolchain = record({
  /** Digest of the toolchain manifest: the identity that is compared. */
  digest,
  /** Absolute path by which the client calls the driver. */
  driver: absolutePath,
  family: oneOf(["gcc", "clang"]),
  /** First line of `--version`, for messages. */
  version: text,
});

const step = record({ program: absolutePath, argv: array(argument, maxArguments) });

const sandboxName = string({
  maxLength: maxNameLength,
  where: {
    description: "a name of letters, digits and '_.:-' that begins with none of ':-'",
    test: isSandboxName,
  },
});

/** A profile or container of another name cannot be asked for. */
export function isSandboxName(text: string): boolean {
  return text.length <= maxNameLength && /^[\w.][\w.:-]*$/.test(text);
}

/** An environment of the server that the user named; its own compiler and system headers are meant. */
const sandbox = union("kind", {
  schroot: record({ profile: sandboxName }),
  docker: record({ container: sandboxName }),
});

const job = record({
  toolchain,
  /** Run in order, the first failure ends the job. */
  steps: array(step, maxSteps),
  cwd: normalPath,
  environment,
  umask: int(0, 0o777),
  terminal: record({
    stdin: optional(terminalSize),
    stdout: optional(terminalSize),
    stderr: optional(terminalSize),
  }),
  /** Entries declared on this connection before: both ends must agree, or numbers would name other files. */
  declareFrom: int(0, maxSessionEntries),
  /** Entries that the session does not have yet; they get the next numbers. */
  declare: array(sessionEntry, maxDeclaredEntries),
  /** Numbers of the entries of this job, ascending: the first as it is, then the differences. */
  inputs: array(int(0, maxSessionEntries), maxJobEntries),
  outputs: array(
    record({
      path: normalPath,
      exists: bool,
      mode: optional(int(0, 0o777)),
      /** What the client has and an output may be told by, be it that output's last contents or another's. */
      base: optional(digest),
    }),
    maxOutputs,
  ),
  timeoutMs: int(1, maxTimeoutMs),
  /** The client's LC_MESSAGES locale, when it is not C: the server says whether it has it. */
  locale: optional(name),
  /** Run it there. Inputs below /usr/include and /usr/lib are then not declared, and the driver is found by its name. */
  sandbox: optional(sandbox),
  /** With a sandbox: why it must not run where paths can only be mapped. */
  mappedVeto: optional(text),
  /** Name of the source, for logs and monitors. */
  label: text,
});

/** Client to server. Each opens a stream of its own, except `proof` and `cancel`. */
export const clientMessages = union("kind", {
  /** Compile this. Answered on the same stream by `missing`?, `prove`?, `queued`?, `started`?, then `result` or `refused`. */
  job,
  /** The bytes of this digest follow as data frames on this stream; answered by `stored` or `rejected`. */
  blob: record({
    digest,
    /** The data is how the bytes differ from this blob; only with the capability `delta`, and of no great size. */
    base: optional(digest),
  }),
  /**
   * Have this toolchain for the jobs of this connection. Only to servers with the capability `toolchains`. Answered by
   * `prove`?, then `missing` (send these, and ask again), `stored` or `refused`, which close the stream.
   */
  toolchain: record({ toolchain }),
  /**
   * The file `digest` of a toolchain consists of these blobs, one behind the other. Only with the capability `toolchains`.
   * Answered like `toolchain`.
   */
  pieces: record({ digest, pieces: array(digest, maxFilePieces) }),
  /** Sent on the stream of a job, a toolchain or pieces, for each `prove`. */
  proof: record({
    /** Over the nonce and the contents of all digests but those of `changed`, in order (`possession-proof.ts`). */
    hash,
    /** What the client does not have any more: it counts as missing. */
    changed: array(digest, maxProvenDigests),
  }),
  /** Sent on a job's stream: end the job, its processes included; nobody reads the answer. */
  cancel: record({}),
  /** What compilers and sandboxes do you have? Only to servers with the capability `inventory`, which answer with one. */
  survey: record({}),
});

const termination = union("kind", {
  exited: record({ status: int(0, 255) }),
  signalled: record({ signal: int(1, 127) }),
  "timed-out": record({}),
  limited: record({ limit: label }),
});

const permissions = int(0, 0o7777);
const outputIndex = int(0, maxOutputs - 1);

const outputChange = union("kind", {
  /** All bytes follow. `digest` for a client that may name them as a base. */
  written: record({
    path: normalPath,
    sizeBytes: int(0, maxOutputBytes),
    mode: permissions,
    digest: optional(digest),
  }),
  removed: record({ path: normalPath }),
  /** Written, and the bytes are those of the base that the job named for `outputs[output]`: none follow. */
  unchanged: record({ output: outputIndex, mode: permissions }),
  /** Written; what follows is how it differs from that base. */
  delta: record({
    output: outputIndex,
    mode: permissions,
    digest,
    deltaBytes: int(1, maxDeltaBytes),
  }),
});

const usage = record({
  wallMs: int(0, Number.MAX_SAFE_INTEGER),
  cpuMs: int(0, Number.MAX_SAFE_INTEGER),
  maxRssKiB: int(0, Number.MAX_SAFE_INTEGER),
});

/** Why a server does not give a result; a reason of a newer server reads as `refused`. */
export const refusalReasons = [
  /** The server's toolchain under that path has another digest; `identities` has both. */
  "toolchain-differs",
  /** As that, and the server takes the client's toolchain. Only with the capability `toolchains`. */
  "toolchain-missing",
  /** An option, a path or a program that the server does not run. */
  "refused",
  /** No room for inputs or outputs, even after evicting. */
  "server-full",
  /** The server can only map paths, and the result would show it. */
  "mapped-unsupported",
  /** The sandbox does not exist, may not be used, or cannot compile; `hint` says what to change. */
  "sandbox-unavailable",
  /** More jobs of this client than the server queues. */
  "limited",
  /** The message contradicts itself: an error of ours. */
  "bad-job",
  /** An uploaded blob was not what its digest says: the file changed while it was sent. */
  "input-changed",
  /** The executor could not run the job. */
  "executor-failed",
  /** The server ends; jobs that run are finished, this one is not begun. */
  "shutting-down",
] as const;
export type RefusalReason = (typeof refusalReasons)[number];

/** A program that compiles. */
const offeredToolchain = record({
  /** Under which PATH has it, such as `gcc` and `gcc-12`. */
  names: array(label, maxToolchainNames),
  /** First line of `--version`. */
  version: text,
  /** Its own target, such as `x86_64-linux-gnu`; empty when it does not say. */
  target: label,
});

/** A sandbox that clients may name, and why it cannot be used at present. */
const offeredSandbox = record({ name: sandboxName, problem: optional(text) });
/** Why a server does not store a blob; a reason of a newer server reads as `failed`. */
export const blobRejections = [
  "digest-mismatch",
  "server-full",
  /** The blob that it was told by is not here (any more): it has to be sent whole. */
  "base-missing",
  "failed",
] as const;

const identity = record({ digest: optional(digest), version: text });

/** Server to client, on the stream of the job or blob that it is about. */
export const serverMessages = union("kind", {
  /** These blobs are needed and not here; all of them in one message. */
  missing: record({ digests: array(digest, maxDeclaredEntries) }),
  /** These are here, from somebody else: show that you have them. Only with the capability `possession`. */
  prove: record({ nonce: hash, digests: array(digest, maxProvenDigests) }),
  /** All inputs are here; this many jobs are served before. For monitors. */
  queued: record({ ahead: int(0, Number.MAX_SAFE_INTEGER) }),
  /** The compiler runs. For monitors. */
  started: record({}),
  /**
   * The compiler ran. Data frames with the bytes of stdout, stderr and every written output follow, in this order and
   * without gaps; the end flag closes the stream.
   */
  result: record({
    termination,
    stdoutBytes: int(0, maxOutputBytes),
    stderrBytes: int(0, maxOutputBytes),
    outputs: array(outputChange, maxOutputs),
    /** Files the job created and nobody declared: a gap in the option table. */
    undeclared: array(text, maxUndeclared),
    /** Files that the compiler says it read and that are no inputs of the job: the client's list was incomplete. */
    unlisted: optional(array(text, maxUnlisted)),
    usage,
    /** Name of the executor, such as `namespace`. */
    executor: label,
    /** False when the job's `locale` is not installed on the server: its messages are in another language. */
    localeKnown: bool,
    /** The compiler of the job's sandbox, where it is another than the client's. */
    sandboxToolchain: optional(identity),
    /** Whether it was made for this job, and whether the same action may get it again. */
    reuse: optional(
      record({
        /** It was made by an earlier job; `usage` is then 0. */
        fromCache: bool,
        /** The same action would have the same result another day: the client may keep it. */
        reusable: bool,
        /** Why it is not, or why the result of another checkout did not serve. */
        note: optional(text),
      }),
    ),
  }),
  /** There will be no result; closes the stream. */
  refused: record({
    reason: oneOf(refusalReasons, "refused"),
    message: text,
    hint: optional(text),
    identities: optional(record({ client: identity, server: identity })),
  }),
  /** What this server can compile with; closes the stream. */
  inventory: record({
    toolchains: array(offeredToolchain, maxToolchains),
    profiles: array(offeredSandbox, maxSandboxes),
    containers: array(offeredSandbox, maxSandboxes),
    /** Why something may be missing: an engine that does not answer. */
    problems: array(text, maxProblems),
    /** Members of the three lists that had no room. */
    omitted: int(0, Number.MAX_SAFE_INTEGER),
  }),
  /** The blob of this stream is in the store; closes the stream. */
  stored: record({}),
  /** The blob of this stream was not stored; closes the stream. */
  rejected: record({ reason: oneOf(blobRejections, "failed"), message: text }),
});

export type ClientMessage = TypeOf<typeof clientMessages>;
export type ServerMessage = TypeOf<typeof serverMessages>;
export type JobMessage = Extract<ClientMessage, { kind: "job" }>;
export type ResultMessage = Extract<ServerMessage, { kind: "result" }>;
export type RefusedMessage = Extract<ServerMessage, { kind: "refused" }>;
export type Inventory = Omit<Extract<ServerMessage, { kind: "inventory" }>, "kind">;
export type SessionEntry = TypeOf<typeof sessionEntry>;
