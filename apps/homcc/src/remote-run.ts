import { createReadStream } from "node:fs";
import type { Action } from "@homcc/cas/action";
import { type Digest, sizeBytesOf } from "@homcc/cas/digest";
import { HomccError } from "@homcc/observability/error";
import type { ServerMessage } from "@homcc/protocol/messages";
import type { CodedEntries } from "@homcc/protocol/session-entries";
import type { ClientChannel, StreamHandler } from "@homcc/transport/channel";
import type { StreamBytes } from "@homcc/transport/inbound-stream";
import { RefusedByServer } from "./refusal.ts";
import { ResultReceiver } from "./result-receiver.ts";
import type { JobDescription } from "./server-session.ts";

/** Sends a blob the server lacks; resolves to the bytes it took, 0 when another job sends it already. */
export type Upload = (digest: Digest) => Promise<number>;

/** One job on its stream, from the job message to the last byte of its result. */
export class RemoteRun {
  /** The complete result; rejects when the job was refused, cancelled, or the connection ended. */
  readonly finished: Promise<ResultReceiver>;
  readonly #action: Action;
  readonly #channel: ClientChannel;
  readonly #upload: Upload;
  readonly #resolve: (receiver: ResultReceiver) => void;
  readonly #reject: (reason: unknown) => void;
  #stream = 0;
  #bytes: Readonly<StreamBytes> = { sent: 0, received: 0 };
  #uploadedBytes = 0;
  #receiver: ResultReceiver | undefined;

  constructor(action: Action, channel: ClientChannel, upload: Upload) {
    this.#action = action;
    this.#channel = channel;
    this.#upload = upload;
    const finished = Promise.withResolvers<ResultReceiver>();
    this.finished = finished.promise;
    this.#resolve = finished.resolve;
    this.#reject = finished.reject;
  }

  /** Wire bytes of this job, the blobs it had sent included. */
  get cost(): { readonly sentBytes: number; readonly receivedBytes: number } {
    return { sentBytes: this.#bytes.sent + this.#uploadedBytes, receivedBytes: this.#bytes.received };
  }

  /** Puts the job on the wire before it returns: the session's numbers depend on the order of jobs. */
  start(job: JobDescription, coded: CodedEntries): void {
    const { steps, cwd, environment, umask, terminal, outputs, timeoutMs } = this.#action;
    this.#stream = this.#channel.openStream(this.#handler());
    this.#bytes = this.#channel.bytesOf(this.#stream);
    try {
      this.#channel.send(this.#stream, {
        kind: "job",
        toolchain: job.toolchain,
        steps: steps.map(({ program, argv }) => ({ program, argv: [...argv] })),
        cwd,
        environment: { ...environment },
        umask,
        terminal,
        ...coded,
        outputs: [...outputs],
        timeoutMs,
        ...(job.locale === undefined ? {} : { locale: job.locale }),
        label: job.label,
      });
    } catch (error) {
      this.#channel.closeStream(this.#stream);
      throw error;
    }
  }

  /** Ends the job on the server too, its processes included. */
  cancel(reason: unknown): void {
    this.#channel.send(this.#stream, { kind: "cancel" });
    this.#abandon(reason);
  }

  #handler(): StreamHandler<ServerMessage> {
    return {
      onMessage: (message) => this.#receive(message),
      onData: (bytes) => this.#attempt(() => this.#receiverOrThrow().data(bytes)),
      onEnd: () => {
        void this.#attempt(async () => {
          const receiver = this.#receiverOrThrow();
          await receiver.end();
          this.#resolve(receiver);
        });
      },
      onClose: (reason) => this.#abandon(reason),
    };
  }

  #receive(message: ServerMessage): void {
    switch (message.kind) {
      case "missing":
        void this.#attempt(async () => {
          const sizes = await Promise.all(message.digests.map((digest) => this.#upload(digest)));
          this.#uploadedBytes += sizes.reduce((sum, bytes) => sum + bytes, 0);
        });
        break;
      case "result":
        void this.#attempt(async () => {
          this.#receiver = new ResultReceiver(message, new Set(this.#action.outputs.map(({ path }) => path)));
        });
        break;
      case "refused":
        this.#abandon(new RefusedByServer(message));
        break;
      case "queued":
      case "started":
      case "stored":
      case "rejected":
        break;
    }
  }

  /** A failure of this job ends this job, not the connection that others share. */
  async #attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.cancel(error);
    }
  }

  #abandon(reason: unknown): void {
    this.#channel.closeStream(this.#stream);
    this.#reject(reason);
    void this.#receiver?.discard();
  }

  #receiverOrThrow(): ResultReceiver {
    if (this.#receiver === undefined)
      throw new HomccError("ERR_HOMCC_PROTOCOL", "data before the result it belongs to");
    return this.#receiver;
  }
}

/** Below this a blob is a header that jobs wait for; it overtakes objects and large sources. */
const smallBlobBytes = 64 << 10;

/** Uploads the file at `path` and resolves to the wire bytes it took; rejects with ERR_HOMCC_INPUT_CHANGED when it no longer has the bytes of `digest`. */
export function sendBlob(channel: ClientChannel, digest: Digest, path: string): Promise<number> {
  const answered = Promise.withResolvers<number>();
  const stream = channel.openStream({
    onMessage: (message) => {
      if (message.kind === "stored") answered.resolve(bytes.sent);
      if (message.kind === "rejected") answered.reject(rejection(path, message.reason, message.message));
    },
    onClose: (reason) => answered.reject(reason),
  });
  const bytes = channel.bytesOf(stream);
  channel.send(stream, { kind: "blob", digest });
  const priority = sizeBytesOf(digest) <= smallBlobBytes ? "small" : "large";
  const sent = channel.sendData(stream, createReadStream(path), { priority, end: true });
  sent.catch((error: unknown) => {
    channel.closeStream(stream);
    answered.reject(
      new HomccError("ERR_HOMCC_INPUT_CHANGED", `${path} cannot be read any more`, { cause: error }),
    );
  });
  return answered.promise;
}

function rejection(
  path: string,
  reason: "digest-mismatch" | "server-full" | "failed",
  message: string,
): HomccError {
  if (reason === "digest-mismatch") {
    return new HomccError("ERR_HOMCC_INPUT_CHANGED", `${path} changed while it was sent`);
  }
  return new HomccError(reason === "server-full" ? "ERR_HOMCC_STORE_FULL" : "ERR_HOMCC_REFUSED", message);
}
