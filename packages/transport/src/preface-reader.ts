import type { Duplex } from "node:stream";
import { type Preface, readPreface, v1PrefixBytes } from "@homcc/protocol/hello";
import type { HomccError } from "@homcc/observability/error";

/** What a connection began with. */
export type FirstMessage =
  | { readonly kind: "json"; readonly json: Buffer; /** Bytes that came with it. */ readonly rest: Buffer }
  /** `bytes` are all that was read: they belong to TLS. */
  | { readonly kind: "tls"; readonly bytes: Buffer }
  | { readonly kind: "unknown"; readonly why: string }
  /** The peer closed before its message was complete. */
  | { readonly kind: "closed"; readonly receivedBytes: number; readonly cause: Error | undefined };

export interface FirstMessageOptions {
  readonly maxJsonBytes: number;
  /** Judges the beginning of a message above `alwaysAllowedBytes`: false ends it before the rest is taken in. */
  readonly mayBeLong?: (start: Uint8Array) => boolean;
  readonly alwaysAllowedBytes?: number;
  /** Rejects with the signal's reason when it is aborted; the timeout of the handshake is one. */
  readonly signal: AbortSignal;
}

/** How many first bytes `mayBeLong` is shown. */
const judgedBytes = 64;

/**
 * Reads one v1-shaped frame and leaves the socket paused. Memory grows with the bytes that come, not with what their
 * prefix promises.
 */
export async function readFirstMessage(socket: Duplex, options: FirstMessageOptions): Promise<FirstMessage> {
  options.signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<FirstMessage>();
  // At once, not when the promise is looked at: what the socket says in between belongs to the next reader.
  const stop = (): void => {
    socket.pause();
    socket.off("data", onData).off("error", onError).off("end", onGone).off("close", onGone);
    options.signal.removeEventListener("abort", onAbort);
  };
  const finish = (message: FirstMessage): void => {
    stop();
    resolve(message);
  };
  const chunks: Buffer[] = [];
  let receivedBytes = 0;
  let failure: Error | undefined;
  let preface: Preface | undefined;

  const judge = (): void => {
    if (receivedBytes < v1PrefixBytes) return;
    preface ??= readPreface(start(chunks, v1PrefixBytes), options.maxJsonBytes);
    if (preface.kind !== "json") {
      finish(preface.kind === "tls" ? { kind: "tls", bytes: Buffer.concat(chunks) } : preface);
      return;
    }
    const { jsonBytes } = preface;
    const isLong = jsonBytes > (options.alwaysAllowedBytes ?? options.maxJsonBytes);
    const seen = start(chunks, v1PrefixBytes + judgedBytes).subarray(v1PrefixBytes);
    if (isLong && options.mayBeLong?.(seen) !== true) {
      finish({ kind: "unknown", why: `a first message of ${jsonBytes} bytes that is not a homcc 1.x call` });
    } else if (receivedBytes >= v1PrefixBytes + jsonBytes) {
      const bytes = Buffer.concat(chunks);
      const end = v1PrefixBytes + jsonBytes;
      finish({ kind: "json", json: bytes.subarray(v1PrefixBytes, end), rest: bytes.subarray(end) });
    }
  };
  const onData = (chunk: Buffer): void => {
    // A copy: the reader of the socket uses its buffer again.
    chunks.push(Buffer.from(chunk));
    receivedBytes += chunk.byteLength;
    // One byte at a time costs an object for each: join them before they cost more than they hold.
    if (chunks.length > 64) chunks.splice(0, chunks.length, Buffer.concat(chunks));
    judge();
  };
  const onError = (error: Error): void => {
    failure = error;
  };
  const onGone = (): void => finish({ kind: "closed", receivedBytes, cause: failure });
  const onAbort = (): void => {
    stop();
    reject(options.signal.reason);
  };

  socket.on("data", onData).on("error", onError).on("end", onGone).on("close", onGone);
  options.signal.addEventListener("abort", onAbort, { once: true });
  // Listeners start a socket, but not one that was accepted with `pauseOnConnect`.
  if (socket.destroyed) onGone();
  else socket.resume();
  return await promise;
}

/** The timeout of a handshake, as a signal that also follows `outer`. */
export function handshakeSignal(
  timeoutMs: number,
  error: () => HomccError,
  outer?: AbortSignal,
): HandshakeSignal {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(error()), timeoutMs);
  const follow = (): void => controller.abort(outer?.reason);
  if (outer?.aborted === true) follow();
  outer?.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      outer?.removeEventListener("abort", follow);
    },
  };
}

export interface HandshakeSignal extends Disposable {
  readonly signal: AbortSignal;
}

function start(chunks: readonly Buffer[], length: number): Buffer {
  const [first, second] = chunks;
  const isEnough = first !== undefined && (second === undefined || first.byteLength >= length);
  return (isEnough ? first : Buffer.concat(chunks)).subarray(0, length);
}
