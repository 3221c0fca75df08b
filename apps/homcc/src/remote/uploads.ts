import { createReadStream } from "node:fs";
import { type Digest, sizeBytesOf } from "@homcc/cas/digest";
import { HomccError } from "@homcc/observability/error";
import { encodeDelta } from "@homcc/protocol/delta";
import type { blobRejections } from "@homcc/protocol/messages";
import type { Slot } from "@homcc/scheduler/slots";
import type { ClientChannel } from "@homcc/transport/channel";
import type { BaseContent, RecentContents } from "./recent-contents.ts";
import { readSmallFile, smallBlobBytes } from "./small-file.ts";
import { UnwantedUpload, UploadOrder } from "./upload-order.ts";

/** An upload holds a file and a stream; a first build has thousands of them, and more at once are not faster. */
const maxUploadsAtOnce = 32;

/** Sources and headers with zstd are 0.2 to 0.35 of themselves; what is assumed counts as so much that was seen. */
const assumed = { rawBytes: 100_000, wireBytes: 30_000 };

export interface UploadFile {
  readonly digest: Digest;
  readonly path: string;
}

/** The blobs on their way to one server: each is sent once, however many jobs wait for it. */
export class Uploads {
  readonly #channel: ClientChannel;
  readonly #contents: RecentContents | undefined;
  readonly #isNamed: (digest: Digest) => boolean;
  readonly #order: UploadOrder;
  readonly #unanswered = new Map<Digest, Promise<number>>();
  #sendingBytes = 0;
  readonly #sent = { ...assumed };
  /** Who waits, and for how many blobs. */
  readonly #waiting = new Map<() => void, number>();

  /** `isNamed`: whether the server knows a blob from this connection. */
  constructor(channel: ClientChannel, contents: RecentContents, isNamed: (digest: Digest) => boolean) {
    this.#channel = channel;
    this.#order = new UploadOrder(maxUploadsAtOnce, channel.signal);
    this.#contents = channel.usesDeltas ? contents : undefined;
    this.#isNamed = isNamed;
  }

  /** Whether the file takes little on the wire, being small or much like what the server has. */
  isQuick(digest: Digest, path: string): boolean {
    return sizeBytesOf(digest) <= smallBlobBytes || this.#baseOf(digest, path) !== undefined;
  }

  /** Whether the blob is on its way. */
  isSending(digest: Digest): boolean {
    return this.#unanswered.has(digest);
  }

  /** What a byte of a file takes on the wire, by those that were sent. */
  get wireShare(): number {
    return this.#sent.wireBytes / this.#sent.rawBytes;
  }

  /** Sizes of all that are on their way, before compression. */
  get sendingBytes(): number {
    return this.#sendingBytes;
  }

  /**
   * Uploads the files; `count` is told the wire bytes of each, 0 when it was on its way already. Rejects with
   * ERR_HOMCC_INPUT_CHANGED when a file no longer has the bytes of its digest, and when the server does not store one. Until
   * then `onProgress` is called whenever a piece of any blob has left: these wait for those before them. With `signal`
   * aborted they are not sent for this caller's sake any more. 200 jobs of a first build wait for 40,000: one promise each.
   */
  async send(
    files: readonly UploadFile[],
    count: (bytes: number) => void,
    onProgress: () => void = () => {},
    signal?: AbortSignal,
  ): Promise<void> {
    using _waiting = this.#tell(onProgress);
    const wants = new Map(files.map(({ digest }) => [digest, this.#order.want(digest)]));
    const giveUp = (): void => {
      for (const want of wants.values()) want[Symbol.dispose]();
      wants.clear();
    };
    signal?.addEventListener("abort", giveUp, { once: true });
    try {
      await Promise.all(files.map((file) => this.#sendWanted(file, wants, count)));
    } finally {
      signal?.removeEventListener("abort", giveUp);
      giveUp();
    }
  }

  async #sendWanted(
    { digest, path }: UploadFile,
    wants: Map<Digest, Disposable>,
    count: (bytes: number) => void,
  ): Promise<void> {
    for (;;) {
      try {
        count(await this.#sendOnce(digest, path));
        wants.get(digest)?.[Symbol.dispose]();
        wants.delete(digest);
        return;
      } catch (error) {
        // Those who wanted it gave up just before this caller came.
        if (!(error instanceof UnwantedUpload) || !wants.has(digest)) throw error;
      }
    }
  }

  #sendOnce(digest: Digest, path: string): Promise<number> {
    const unanswered = this.#unanswered.get(digest);
    if (unanswered !== undefined) return unanswered.then(() => 0);
    const upload: Promise<number> = this.#sendInTurn(digest, path, () => {
      if (this.#unanswered.get(digest) !== upload) return;
      this.#unanswered.delete(digest);
      this.#sendingBytes -= sizeBytesOf(digest);
    });
    this.#unanswered.set(digest, upload);
    this.#sendingBytes += sizeBytesOf(digest);
    return upload;
  }

  async #sendInTurn(digest: Digest, path: string, answered: () => void): Promise<number> {
    using _slot = await this.#turn(digest, answered);
    const moved = (): void => {
      for (const onProgress of this.#waiting.keys()) onProgress();
    };
    const blob = { digest, path };
    let wireBytes: number;
    try {
      const base = this.#baseOf(digest, path);
      wireBytes = await sendBlob(this.#channel, { ...blob, base }, answered, moved);
    } catch (error) {
      if (!(error instanceof BaseMissing)) throw error;
      const whole = await sendBlob(this.#channel, { ...blob, base: undefined }, answered, moved);
      wireBytes = error.sentBytes + whole;
    }
    this.#sent.rawBytes += sizeBytesOf(digest);
    this.#sent.wireBytes += wireBytes;
    return wireBytes;
  }

  #baseOf(digest: Digest, path: string): BaseContent | undefined {
    return this.#contents?.baseOf(path, digest, this.#isNamed);
  }

  async #turn(digest: Digest, dropped: () => void): Promise<Slot> {
    try {
      return await this.#order.acquire(digest, sizeBytesOf(digest));
    } catch (error) {
      dropped();
      throw error;
    }
  }

  #tell(onProgress: () => void): Disposable {
    this.#waiting.set(onProgress, (this.#waiting.get(onProgress) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#waiting.get(onProgress) ?? 0) - 1;
        if (left > 0) this.#waiting.set(onProgress, left);
        else this.#waiting.delete(onProgress);
      },
    };
  }
}

interface Blob {
  readonly digest: Digest;
  readonly path: string;
  /** Earlier contents that the server is believed to have. */
  readonly base: BaseContent | undefined;
}

/** The server does not have what the blob was told by. */
class BaseMissing extends Error {
  readonly sentBytes: number;

  constructor(sentBytes: number) {
    super("the server lacks the earlier contents");
    this.sentBytes = sentBytes;
  }
}

/**
 * `onAnswer` is called at once, not when the promise is looked at: what the server asks for in the very next message
 * it does not have any more, and has to be sent again.
 */
async function sendBlob(
  channel: ClientChannel,
  { digest, path, base }: Blob,
  onAnswer: () => void,
  moved: () => void,
): Promise<number> {
  const answer = Promise.withResolvers<number>();
  const fail = (reason: unknown): void => {
    onAnswer();
    channel.closeStream(stream);
    answer.reject(reason);
  };
  const stream = channel.openStream({
    onMessage: (message) => {
      if (message.kind === "rejected") {
        // Not answered yet: who waits for this blob waits for the whole of it, which follows at once.
        if (message.reason === "base-missing" && base !== undefined) {
          channel.closeStream(stream);
          answer.reject(new BaseMissing(bytes.sent));
        } else fail(rejection(path, message.reason, message.message));
      }
      if (message.kind !== "stored") return;
      onAnswer();
      moved();
      channel.closeStream(stream);
      answer.resolve(bytes.sent);
    },
    onEnd: () => fail(new HomccError("ERR_HOMCC_PROTOCOL", "the server does not say what became of a blob")),
    onClose: fail,
  });
  const bytes = channel.bytesOf(stream);
  channel.send(stream, { kind: "blob", digest, ...(base === undefined ? {} : { base: base.digest }) });
  const sizeBytes = sizeBytesOf(digest);
  // One byte more than it should have: a file that grows is noticed, and not followed to wherever it grows.
  const isSmall = sizeBytes <= smallBlobBytes;
  const file = isSmall
    ? smallFile(path, sizeBytes + 1)
    : watched(createReadStream(path, { end: sizeBytes }), moved);
  const content = base === undefined ? file : differences(file, base);
  const priority = isSmall || base !== undefined ? "small" : "large";
  channel.sendData(stream, content, { priority, end: true }).then(moved, (error: unknown) => {
    fail(
      error instanceof HomccError
        ? error
        : new HomccError("ERR_HOMCC_INPUT_CHANGED", `${path} cannot be read any more`, { cause: error }),
    );
  });
  return await answer.promise;
}

/** Read no faster than the network takes it: each chunk that is asked for means that earlier ones have left. */
async function* watched(
  content: AsyncIterable<Uint8Array>,
  moved: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of content) {
    moved();
    yield chunk;
  }
}

/** A file that changed meanwhile becomes a delta of something else, which the server finds out. */
async function* differences(
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  base: BaseContent,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  yield await encodeDelta(Buffer.concat(chunks), await base.read());
}

function* smallFile(path: string, maxBytes: number): Generator<Uint8Array, void, undefined> {
  yield readSmallFile(path, maxBytes);
}

function rejection(path: string, reason: (typeof blobRejections)[number], message: string): HomccError {
  if (reason === "digest-mismatch") {
    return new HomccError("ERR_HOMCC_INPUT_CHANGED", `${path} changed while it was sent`);
  }
  return new HomccError(reason === "server-full" ? "ERR_HOMCC_STORE_FULL" : "ERR_HOMCC_REFUSED", message);
}
