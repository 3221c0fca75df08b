import { once } from "node:events";
import { realpath } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { type Digest, digestOf } from "@homcc/cas/digest";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import type { Toolchain } from "@homcc/compiler/toolchain";
import { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import type { ClientMessage, JobMessage, ServerMessage } from "@homcc/protocol/messages";
import type { ClientChannel } from "@homcc/transport/channel";
import { hasCode } from "@homcc/observability/error";
import { connectToServer } from "@homcc/transport/connect";
import { waitFor } from "./wait-for.ts";

const path = "/usr/bin:/bin";
const inspector = new ToolchainInspector();

/** This machine's compiler of that name, as a client with the same one describes it. */
export async function toolchainOf(name: string, family: CompilerFamily): Promise<Toolchain> {
  return await inspector.inspect(await realpath(`/usr/bin/${name}`), { family, path });
}

export interface HostileJob {
  readonly argv: readonly string[];
  /** Default: the driver. */
  readonly program?: string;
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Contents by path; the folder is /w. Default: a small a.c. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly links?: Readonly<Record<string, string>>;
  readonly outputs?: readonly string[];
  /** More of the job's message. */
  readonly more?: Readonly<Record<string, unknown>>;
}

export interface HostileOutcome {
  readonly kind: "refused" | "result" | "disconnected";
  /** Why; for a result how it ended. */
  readonly said: string;
  /** Everything that came: messages of the compiler and outputs. */
  readonly bytes: Buffer;
  readonly status?: number | undefined;
}

/** Speaks the protocol to a real homccd, and analyses nothing: what it is told to send it sends. */
export class HostileClient implements AsyncDisposable {
  readonly channel: ClientChannel;
  readonly toolchain: Toolchain;
  readonly #port: number;
  #declared = 0;

  private constructor(channel: ClientChannel, port: number, toolchain: Toolchain) {
    this.channel = channel;
    this.#port = port;
    this.toolchain = toolchain;
  }

  static async connect(port: number, toolchain: Toolchain): Promise<HostileClient> {
    const options = { host: "127.0.0.1", port, connectTimeoutMs: 10_000 };
    return new HostileClient((await connectToServer(options)).channel, port, toolchain);
  }

  async run(job: HostileJob): Promise<HostileOutcome> {
    const { driver, digest, family, version } = this.toolchain;
    const files = Object.entries(job.files ?? { "/w/a.c": "int a;\n" });
    const contents = new Map<Digest, Uint8Array>();
    const declare: Record<string, unknown>[] = files.map(([file, content]) => {
      const bytes = Buffer.from(content);
      contents.set(digestOf(bytes), bytes);
      return { kind: "file", path: file, digest: digestOf(bytes), mtimeNs: "1" };
    });
    for (const [link, target] of Object.entries(job.links ?? {}))
      declare.push({ kind: "symlink", path: link, target });
    const declareFrom = this.#declared;
    this.#declared += declare.length;
    const message = {
      kind: "job",
      toolchain: { digest, driver, family, version },
      steps: [{ program: job.program ?? driver, argv: job.argv }],
      cwd: job.cwd ?? "/w",
      environment: { PATH: path, ...job.environment },
      umask: 0o022,
      terminal: {},
      declareFrom,
      declare,
      inputs: declare.map((_, at) => (at === 0 ? declareFrom : 1)), // differences
      outputs: (job.outputs ?? ["/w/a.o"]).map((output) => ({ path: output, exists: false })),
      timeoutMs: 60_000,
      label: "a.c",
      ...job.more,
    };
    try {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what no client of ours would send
      return await this.#converse(message as unknown as JobMessage, contents);
    } catch (error) {
      if (!hasCode(error, "ERR_HOMCC_PROTOCOL")) throw error;
      return await sendUnchecked(this.#port, { ...message, declareFrom: 0, ...job.more }); // our own end would not send it
    }
  }

  async #converse(job: JobMessage, contents: ReadonlyMap<Digest, Uint8Array>): Promise<HostileOutcome> {
    const messages: ServerMessage[] = [];
    const chunks: Uint8Array[] = [];
    let isOver = false;
    const end = (): void => void (isOver = true);
    const stream = this.channel.openStream({
      onMessage: (message) => {
        messages.push(message);
        if (message.kind === "missing")
          for (const digest of message.digests) this.#upload(digest, contents.get(digest));
        if (message.kind === "prove")
          this.channel.send(stream, { kind: "proof", hash: "0".repeat(64), changed: [...message.digests] });
      },
      onData: (bytes) => {
        chunks.push(Buffer.from(bytes));
      },
      onEnd: end,
      onClose: end,
    });
    this.channel.send(stream, job);
    await waitFor("the end of a job", () => isOver, 60_000);
    const refused = messages.find((message) => message.kind === "refused");
    const bytes = Buffer.concat(chunks);
    if (refused !== undefined)
      return { kind: "refused", said: `${refused.reason}: ${refused.message}`, bytes };
    const result = messages.find((message) => message.kind === "result");
    if (result === undefined) return { kind: "disconnected", said: JSON.stringify(messages), bytes };
    const { termination } = result;
    const status = termination.kind === "exited" ? termination.status : undefined;
    return { kind: "result", said: JSON.stringify(result), bytes, status };
  }

  #upload(digest: Digest, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) return;
    const first: ClientMessage = { kind: "blob", digest };
    const stream = this.channel.openStream({ onMessage: () => {} });
    this.channel.send(stream, first);
    this.channel.sendData(stream, [bytes], { priority: "small", end: true }).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.channel.close("the test ends");
  }
}

/** A connection that has greeted, and sends bytes that an end of ours would refuse to send. */
export class RawClient {
  /** Resolves when the server has ended the connection. */
  readonly closed: Promise<unknown>;
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#chunks.push(chunk));
    socket.on("error", () => {}); // a reset is an end as well
    this.closed = once(socket, "close");
  }

  static async connect(port: number, capabilities: readonly string[] = []): Promise<RawClient> {
    const client = new RawClient(connect(port, "127.0.0.1"));
    await once(client.#socket, "connect");
    const hello = { message_type: "HomccV2Hello", versions: [2], agent: "hostile", capabilities };
    const bytes = Buffer.from(JSON.stringify(hello));
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(bytes.byteLength));
    client.#socket.write(Buffer.concat([prefix, bytes]));
    await waitFor("a welcome", () => client.#received().includes("HomccV2Welcome"));
    return client;
  }

  /** What came after the welcome, and some of that. */
  get said(): string {
    return this.#received().toString("latin1");
  }

  send(type: number, flags: number, stream: number, payload: Uint8Array): void {
    const header = Buffer.alloc(12);
    header.writeUInt32LE(payload.byteLength);
    header.writeUInt8(type, 4);
    header.writeUInt8(flags, 5);
    header.writeUInt32LE(stream, 8);
    this.#socket.write(Buffer.concat([header, payload]));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #received(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** One message on a connection of its own, whatever it says. */
async function sendUnchecked(port: number, message: unknown): Promise<HostileOutcome> {
  const client = await RawClient.connect(port);
  client.send(1, 0, 1, Buffer.from(JSON.stringify(message)));
  const answer = (): "refused" | "result" | undefined =>
    (["result", "refused"] as const).find((kind) => client.said.includes(`"kind":"${kind}"`));
  await Promise.race([client.closed, waitFor("an answer to a wrong message", answer, 30_000)]);
  client.destroy();
  return { kind: answer() ?? "disconnected", said: client.said, bytes: Buffer.from(client.said, "latin1") };
}
