import type { Action, Termination } from "@homcc/cas/action";
import type { V1Command } from "@homcc/compiler/v1-command";
import type { Toolchain } from "@homcc/compiler/toolchain";
import type { Compression } from "@homcc/config/values";
import { HomccError } from "@homcc/observability/error";
import type { ResultMessage } from "@homcc/protocol/messages";
import type { HostId } from "@homcc/scheduler/host";
import type { MadeResult } from "../own-results.ts";
import type { RemoteCost } from "../conclusion.ts";
import type { JobPhase } from "../records/state-layout.ts";
import type { ProducedOutput } from "./produced-output.ts";
import type { ServerDescription } from "./server-status.ts";
import type { PendingUpload } from "./upload-progress.ts";

/** What a job says about itself besides the action. */
export interface JobDescription {
  readonly toolchain: Pick<Toolchain, "digest" | "driver" | "family" | "version">;
  /** All of it, for a server that lacks it and takes it. */
  readonly offered?: Toolchain;
  /** It may be compiled nowhere else: it waits for whatever a server lacks. */
  readonly isPatient?: boolean;
  /** The locale of the compiler's messages, when it is not C. */
  readonly locale: string | undefined;
  /** Name of the source, for logs and monitors. */
  readonly label: string;
  /** Why a server that can only map paths must not run it. */
  readonly mappedVeto: string | undefined;
  /** The same compilation for a server of homcc 1.x. */
  readonly forV1: () => V1Command;
  /** For a server of homcc 1.x, as the hosts file or the configuration has it. */
  readonly compression?: Compression;
  /** Called soon after the job was sent, each time it is sent: for what need not hold it up. */
  readonly onSent?: () => void;
  /** Called whenever bytes of the job move: of its result, then with their number, or of blobs while it waits for some. */
  readonly onProgress?: (receivedBytes?: number) => void;
  /** Called at each step on the way to a result, for monitors. */
  readonly onPhase?: (phase: JobPhase) => void;
  /** Called when it waits for a slot of the server, with the number of jobs before it. */
  readonly onQueued?: (ahead: number) => void;
  /** Called when the job begins to wait for an upload; what it returns is disposed when the files are there. */
  readonly onUpload?: (upload: PendingUpload) => Disposable;
}

/** A server's result, its outputs complete under temporary names. */
export interface RemoteResult {
  readonly termination: Termination;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly undeclared: readonly string[];
  /** Files that the compiler read there and that the job did not name. */
  readonly unlisted: readonly string[];
  readonly executor: string;
  readonly localeKnown: boolean;
  /** The compiler of the job's sandbox, where it is another than this machine's. */
  readonly sandboxToolchain: ResultMessage["sandboxToolchain"];
  /** Absent from servers that keep no results. */
  readonly reuse: ResultMessage["reuse"];
  /** Files that the result wrote, as far as the server said what they are. */
  readonly written: MadeResult["written"];
  readonly produced: readonly ProducedOutput[];
  readonly cost: RemoteCost;
  commit(): Promise<void>;
  discard(): Promise<void>;
}

/** The job was sent on a connection that has said nothing since: nobody can have begun it, and it may go anywhere else. */
export class UnheardJob extends HomccError {
  constructor(hostId: HostId) {
    super("ERR_HOMCC_CONNECTION_LOST", `the connection to ${hostId} leads nowhere any more`);
  }
}

/** The line dropped while the server had the job: it may go on with it there when it is sent again. */
export class DroppedJob extends HomccError {
  constructor(reason: Error) {
    super("ERR_HOMCC_CONNECTION_LOST", reason.message, { cause: reason.cause });
  }
}

/** What carries connections, and ends when nobody uses it for a while. */
export interface ServerWay {
  use(): Disposable;
}

/** What a connection says of a job that has no result yet. Bytes on the wire; `undefined` is what it has not measured. */
export interface Outlook {
  /** A LAN, or this machine: nothing of it is measured. */
  readonly isNear: boolean;
  readonly uploadBytesPerSecond: number | undefined;
  readonly downloadBytesPerSecond: number | undefined;
  /** Not of a few pings alone. */
  readonly roundTripMs: number | undefined;
  /** Of a few. */
  readonly likelyRoundTripMs: number | undefined;
  /** Jobs that the server runs at once. */
  readonly slots: number | undefined;
  /** Files of the job that the server is believed to lack. */
  readonly missingBytes: number;
  /** What is on its way for other jobs. */
  readonly aheadBytes: number;
  /** Jobs that wait for a slot there. */
  readonly jobsAhead: number;
}

/** The agent's end of its dealings with one server: over one connection, or over one per job as with homcc 1.x. */
export interface Session {
  readonly hostId: HostId;
  readonly description: ServerDescription;
  /** False once it is of no use for further jobs. */
  readonly takesJobs: boolean;
  outlook(action: Pick<Action, "inputs">): Outlook;
  /** Runs the action there. Rejects when it was refused or the connection ended; aborting `signal` cancels the job. */
  run(action: Action, job: JobDescription, signal: AbortSignal): Promise<RemoteResult>;
  /** Ends as soon as its last job has ended. */
  retire(): void;
  /** The machine slept: the server is not believed to be there until it says something. */
  doubtAfterSleep(): void;
  /** The server has spoken. */
  believe(): void;
  /** Silent where an answer is due, and its successor is up or does not come up. */
  giveUp(isReplaced: boolean): void;
  /** Silent for long, and nothing of the server's machine answers. */
  lose(): void;
  close(reason: string): void;
}
