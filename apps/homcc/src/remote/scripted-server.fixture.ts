import type { InputEntry } from "@homcc/cas/action";
import type { Digest } from "@homcc/cas/digest";
import type { Host } from "@homcc/config/hosts";
import type { ClientMessage, JobMessage, ResultMessage, ServerMessage } from "@homcc/protocol/messages";
import { EntryTable } from "@homcc/protocol/session-entries";
import type { ServerChannel } from "@homcc/transport/channel";
import { bareResult } from "@homcc/transport/fixtures/example-messages";
import { startLoopbackServer } from "@homcc/transport/fixtures/loopback-server";

/** One job as a test's script sees it. */
export interface ScriptedJob {
  readonly message: JobMessage;
  readonly inputs: readonly InputEntry[];
  readonly absent: readonly string[];
  readonly channel: ServerChannel;
  /** Which connection of this server it came on, from 0. */
  readonly connection: number;
  /** Resolves when the client cancels it. */
  readonly cancelled: Promise<void>;
  /** Resolves with the client's first answer to a `prove`. */
  readonly proof: Promise<Extract<ClientMessage, { kind: "proof" }>>;
  /** Asks for the blobs and resolves once all of them came. */
  ask(digests: readonly Digest[]): Promise<void>;
  send(message: ServerMessage, options?: { readonly end: boolean }): void;
  /** Announces a result and sends its `bytes`. */
  finish(changes?: Partial<ResultMessage>, bytes?: readonly Uint8Array[]): Promise<void>;
}

export interface ScriptedUpload {
  readonly digest: Digest;
  /** With it, `bytes` are how it differs from that. */
  readonly base: Digest | undefined;
  readonly bytes: Buffer;
}

export interface ScriptedServer extends AsyncDisposable {
  readonly port: number;
  readonly host: Host;
  readonly jobs: ScriptedJob[];
  /** Blobs that were uploaded, as they came; one entry an upload. */
  readonly uploads: ScriptedUpload[];
  readonly connections: ServerChannel[];
  /** Ends all connections without a word. */
  cut(): void;
}

export interface ScriptOptions {
  readonly executors?: readonly string[];
  /** What the server can do beyond the base; everything when absent. */
  readonly capabilities?: readonly string[];
  /** The answer to an upload; stored unless it says otherwise. */
  readonly answerUpload?: (
    digest: Digest,
    base: Digest | undefined,
  ) => ServerMessage | Promise<ServerMessage>;
}

/** A homccd on a port of its own whose answers are the test's: real sockets, the real handshake, the real channel. */
export async function startScriptedServer(
  script: (job: ScriptedJob) => void | Promise<void>,
  options: ScriptOptions = {},
): Promise<ScriptedServer> {
  const listening = await startLoopbackServer({
    welcome: () => ({
      server: "homccd 2.0.0",
      executors: [...(options.executors ?? ["namespace"])],
      slots: 4,
    }),
    ...(options.capabilities === undefined ? {} : { capabilities: options.capabilities }),
  });
  const server = {
    port: listening.port,
    host: {
      name: "127.0.0.1",
      port: listening.port,
      limit: 8,
      compression: undefined,
      text: "",
      source: "test",
    },
    jobs: [] as ScriptedJob[],
    uploads: [] as ScriptedUpload[],
    connections: [] as ServerChannel[],
    cut: () => listening.cut(),
    [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose](),
  };
  void (async () => {
    for (;;) {
      const accepted = await listening.next();
      if (accepted.kind === "v2") serve(accepted.channel, server, script, options);
    }
  })();
  return server;
}

function serve(
  channel: ServerChannel,
  server: Omit<ScriptedServer, typeof Symbol.asyncDispose>,
  script: (job: ScriptedJob) => void | Promise<void>,
  options: ScriptOptions,
): void {
  const connection = server.connections.push(channel) - 1;
  const table = new EntryTable();
  const arrivals = new Set<() => void>();
  const received = new Set<Digest>();
  channel.serve((stream, message) => {
    if (message.kind !== "job" && message.kind !== "blob") return undefined;
    if (message.kind === "blob") {
      const chunks: Uint8Array[] = [];
      return {
        onMessage: () => {},
        onData: (bytes) => {
          chunks.push(bytes);
        },
        onEnd: () => {
          const { digest, base } = message;
          server.uploads.push({ digest, base, bytes: Buffer.concat(chunks) });
          const answer = options.answerUpload?.(digest, base) ?? { kind: "stored" };
          if (!("kind" in answer && answer.kind === "rejected")) received.add(digest);
          const send = (final: ServerMessage): void => channel.send(stream, final, { end: true });
          if (answer instanceof Promise) void answer.then(send);
          else send(answer);
          for (const look of arrivals) look();
        },
      };
    }
    const cancelled = Promise.withResolvers<void>();
    const proof = Promise.withResolvers<Extract<ClientMessage, { kind: "proof" }>>();
    const job: ScriptedJob = {
      message,
      ...table.resolve(message),
      channel,
      connection,
      cancelled: cancelled.promise,
      proof: proof.promise,
      send: (answer, sendOptions) => channel.send(stream, answer, sendOptions),
      ask(digests) {
        channel.send(stream, { kind: "missing", digests: [...digests] });
        return new Promise((resolve) => {
          const look = (): void => {
            if (!digests.every((digest) => received.has(digest))) return;
            arrivals.delete(look);
            resolve();
          };
          arrivals.add(look);
        });
      },
      async finish(changes = {}, bytes = []) {
        channel.send(stream, { ...bareResult, ...changes });
        await channel.sendData(stream, bytes, { priority: "large", end: true });
      },
    };
    server.jobs.push(job);
    void runScript(script, job);
    return {
      onMessage: (next) => {
        if (next.kind === "cancel") cancelled.resolve();
        else if (next.kind === "proof") proof.resolve(next);
      },
      onClose: () => cancelled.resolve(),
    };
  });
}

/** A client may end while it is answered; any other failure is the test's. */
async function runScript(
  script: (job: ScriptedJob) => void | Promise<void>,
  job: ScriptedJob,
): Promise<void> {
  try {
    await script(job);
  } catch (error) {
    if (job.channel.isOpen) throw error;
  }
}
