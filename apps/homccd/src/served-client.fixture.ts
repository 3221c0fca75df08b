import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Action, ActionResult, InputEntry } from "@homcc/cas/action";
import type { BlobStore, Pin } from "@homcc/cas/blob-store";
import { digestOf, type Digest } from "@homcc/cas/digest";
import { LocalFileAdoption } from "@homcc/cas/local-file-adoption";
import { MemoryBlobStore } from "@homcc/cas/memory-blob-store";
import type { Toolchain } from "@homcc/compiler/toolchain";
import { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import type { ExecutorSession } from "@homcc/execution/executor";
import { systemClock } from "@homcc/observability/clock";
import { HomccError } from "@homcc/observability/error";
import { createLogger } from "@homcc/observability/log";
import type { ClientMessage, Inventory, JobMessage, ServerMessage } from "@homcc/protocol/messages";
import { EntryBudget } from "@homcc/protocol/entry-budget";
import { MentionsByDigest } from "@homcc/results/mentions";
import type { Drain } from "@homcc/protocol/drain";
import { EntryNumbering } from "@homcc/protocol/session-entries";
import { SlotQueue } from "@homcc/scheduler/slots";
import type { ClientChannel, ServerChannel } from "@homcc/transport/channel";
import type { ClientIdentity } from "@homcc/transport/client-identity";
import { connectPair } from "@homcc/transport/fixtures/loopback-server";
import { ClientSession, type ServerServices } from "./client-session.ts";
import type { JobRecord } from "./operations/activity.ts";
import { ClientAccounts, type ClientLimits } from "./operations/client-accounts.ts";
import { Executions } from "./executions.ts";
import { OutputCoding } from "./output-coding.ts";
import { ResultReuse } from "./result-reuse.ts";
import { StoreFence } from "./store-fence.ts";
import { ToolchainRegistry } from "./toolchain-registry.ts";
import type { ToolchainShipping } from "./toolchains/toolchain-intake.ts";

const path = "/usr/bin:/bin";
const inspector = new ToolchainInspector();

/** This machine's gcc as a client with the same one describes it; skips the test where there is none. */
export async function gccOf(t: TestContext): Promise<Toolchain | undefined> {
  const driver = await realpath("/usr/bin/gcc").catch(() => undefined);
  if (driver !== undefined) return await inspector.inspect(driver, { family: "gcc", path });
  t.skip("needs gcc");
  return undefined;
}

/** A store that knows how many jobs keep something in it. */
class WatchedStore implements BlobStore {
  pins = 0;
  readonly #inner: BlobStore;

  constructor(inner: BlobStore) {
    this.#inner = inner;
  }

  findMissing(digests: Iterable<Digest>): Promise<Digest[]> {
    return this.#inner.findMissing(digests);
  }

  put(
    digest: Digest,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    client?: string,
  ): Promise<void> {
    return this.#inner.put(digest, content, client);
  }

  putHashed(digest: Digest, bytes: Uint8Array, client?: string): Promise<void> {
    return this.#inner.putHashed(digest, bytes, client);
  }

  read(digest: Digest): Promise<Uint8Array | undefined> {
    return this.#inner.read(digest);
  }

  copyTo(digest: Digest, to: string): Promise<boolean> {
    return this.#inner.copyTo(digest, to);
  }

  fileOf(digest: Digest): Promise<string | undefined> {
    return this.#inner.fileOf(digest);
  }

  pin(digests: Iterable<Digest>): Pin {
    const pin = this.#inner.pin(digests);
    this.pins += 1;
    let held = true;
    return {
      release: () => {
        pin.release();
        if (held) this.pins -= 1;
        held = false;
      },
    };
  }
}

export interface ServedOptions {
  /** What an action comes to; the default is a success without output. */
  readonly execute?: ExecutorSession["execute"];
  readonly slots?: number;
  readonly maxBytes?: number;
  readonly locales?: readonly string[];
  readonly adoptedFolders?: readonly string[];
  readonly inventory?: Inventory;
  readonly identity?: ClientIdentity;
  readonly limits?: Partial<ClientLimits>;
  readonly uploadWindowMs?: number;
  readonly lostClientGraceMs?: number;
  /** The server of another client; then only `execute` and `capabilities` count. */
  readonly sharing?: Pick<Served, "services" | "store">;
  /** Toolchains of clients are taken. */
  readonly shipping?: (store: BlobStore) => ToolchainShipping;
  /** What the server can do beyond the base; everything when absent. */
  readonly capabilities?: readonly string[];
}

const emptyInventory: Inventory = { toolchains: [], profiles: [], containers: [], problems: [], omitted: 0 };

/** A client session on a real connection, and a client that says what a test wants. */
export interface Served extends AsyncDisposable {
  readonly client: ClientChannel;
  readonly server: ServerChannel;
  /** Ends the connection without a word. */
  readonly cut: () => void;
  readonly store: WatchedStore;
  readonly services: ServerServices;
  readonly log: string[];
  /** Actions that were executed. */
  readonly executed: Action[];
  /** Results that are not disposed yet. */
  readonly openResults: () => number;
  readonly executorClosed: () => boolean;
  /** For the access log, unless the services are another's. */
  readonly records: readonly JobRecord[];
  /** What the store is told to count for whom, beside what is put; unless the services are another's. */
  readonly counted: readonly { readonly client: string; readonly digest: Digest }[];
  /** As at the end of homccd. */
  drain(drain: Drain): Promise<void>;
  /** Resolves when the session has ended. */
  readonly ended: Promise<void>;
}

export async function serveClient(options: ServedOptions = {}): Promise<Served> {
  const { capabilities } = options;
  const pair = await connectPair(capabilities === undefined ? {} : { capabilities });
  const store =
    options.sharing?.store ??
    new WatchedStore(
      new MemoryBlobStore(options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }),
    );
  const log: string[] = [];
  const logger = createLogger(
    "DEBUG",
    (level, text) => `${level} ${text}`,
    (line) => log.push(line),
  );
  const records: JobRecord[] = [];
  const counted: { client: string; digest: Digest }[] = [];
  const services: ServerServices = options.sharing?.services ?? {
    store,
    countFor: (client, digest) => counted.push({ client, digest }),
    adoption: new LocalFileAdoption({ store, logger, folders: options.adoptedFolders ?? [] }),
    toolchains: new ToolchainRegistry(inspector, new StoreFence("/none/store")),
    shipping: options.shipping?.(store),
    sandboxes: {
      enter: async () => {
        throw new HomccError("ERR_HOMCC_SANDBOX", "no sandboxes", { hint: "start one" });
      },
    },
    results: new ResultReuse(undefined, new MentionsByDigest(store), { add: () => {} }),
    inventory: { take: async () => options.inventory ?? emptyInventory },
    outputs: new OutputCoding(store),
    executions: new Executions(),
    accounts: new ClientAccounts(
      () => ({ maxConnections: 10, maxJobs: 4096, maxBytesPerSecond: undefined, ...options.limits }),
      systemClock,
    ),
    activity: { begun: () => {}, ended: (record) => records.push(record) },
    ...(options.uploadWindowMs === undefined ? {} : { uploadWindowMs: options.uploadWindowMs }),
    lostClientGraceMs: options.lostClientGraceMs ?? 30_000,
    slots: new SlotQueue(options.slots ?? 4),
    entryBudget: new EntryBudget(Infinity),
    executor: "namespace",
    locales: new Set(options.locales ?? []),
    logger,
  };
  const executed: Action[] = [];
  let openResults = 0;
  let closed = false;
  const session = new ClientSession(
    {
      channel: pair.server,
      identity: options.identity ?? { kind: "address", address: "127.0.0.1" },
      credential: undefined,
    },
    {
      async execute(action, signal) {
        executed.push(action);
        const made = await (options.execute ?? (() => Promise.resolve(actionResult())))(action, signal);
        openResults += 1;
        return {
          ...made,
          [Symbol.asyncDispose]: async () => {
            openResults -= 1;
            await made[Symbol.asyncDispose]();
          },
        };
      },
      close: () => {
        closed = true;
        return Promise.resolve();
      },
    },
    services,
  );
  const ended = session.run();
  return {
    client: pair.client,
    server: pair.server,
    cut: () => pair.cut(),
    store,
    services,
    log,
    records,
    counted,
    executed,
    openResults: () => openResults,
    executorClosed: () => closed,
    drain: (drain) => session.drain(drain),
    ended,
    async [Symbol.asyncDispose]() {
      await pair[Symbol.asyncDispose]();
      await ended;
    },
  };
}

/** A result of a fake execution. */
export function actionResult(changes: Partial<ActionResult> = {}): ActionResult {
  return {
    termination: { kind: "exited", status: 0 },
    stdout: Buffer.alloc(0),
    stderr: Buffer.alloc(0),
    outputs: [],
    undeclared: [],
    usage: { wallMs: 1.5, cpuMs: 1.5, maxRssKiB: 1.5 },
    [Symbol.asyncDispose]: () => Promise.resolve(),
    ...changes,
  };
}

/** A result with one output of `bytes`, in a file that goes with it. */
export async function resultWriting(output: string, bytes: Uint8Array): Promise<ActionResult> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  const file = join(folder, "output");
  await writeFile(file, bytes);
  return actionResult({
    outputs: [{ kind: "written", path: output, file, sizeBytes: bytes.byteLength, mode: 0o644 }],
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  });
}

/** One stream of a client, with all that came on it. */
export interface ClientStream {
  readonly stream: number;
  readonly messages: ServerMessage[];
  readonly bytes: () => Buffer;
  /** Resolves with the message once it is there; rejects when the stream ends without it. */
  until<Kind extends ServerMessage["kind"]>(kind: Kind): Promise<Extract<ServerMessage, { kind: Kind }>>;
  readonly ended: Promise<void>;
}

export function openStream(client: ClientChannel, first: ClientMessage): ClientStream {
  const messages: ServerMessage[] = [];
  const chunks: Uint8Array[] = [];
  const lookers = new Set<() => void>();
  const ended = Promise.withResolvers<void>();
  let isOver = false;
  const end = (): void => {
    isOver = true;
    for (const look of lookers) look();
    ended.resolve();
  };
  const stream = client.openStream({
    onMessage: (message) => {
      messages.push(message);
      for (const look of lookers) look();
    },
    onData: (bytes) => {
      chunks.push(bytes);
    },
    onEnd: end,
    onClose: end,
  });
  client.send(stream, first);
  return {
    stream,
    messages,
    bytes: () => Buffer.concat(chunks),
    ended: ended.promise,
    until: (kind) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = messages.find((message) => message.kind === kind);
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- found by its kind
          if (found !== undefined) resolve(found as Extract<ServerMessage, { kind: typeof kind }>);
          else if (isOver) reject(new Error(`no ${kind} in ${JSON.stringify(messages)}`));
          else return;
          lookers.delete(look);
        };
        lookers.add(look);
        look();
      }),
  };
}

/** Sends a job of this client. */
export class Client {
  readonly #channel: ClientChannel;
  readonly #toolchain: JobMessage["toolchain"];
  readonly #numbering = new EntryNumbering();

  constructor(channel: ClientChannel, toolchain: JobMessage["toolchain"]) {
    this.#channel = channel;
    this.#toolchain = toolchain;
  }

  compile(inputs: readonly InputEntry[], changes: Partial<JobMessage> = {}): ClientStream {
    const { digest, driver, family, version } = this.#toolchain;
    let stream: ClientStream | undefined;
    this.#numbering.encode(
      inputs,
      () => [],
      (coded) => {
        stream = openStream(this.#channel, {
          kind: "job",
          toolchain: { digest, driver, family, version },
          steps: [{ program: driver, argv: ["gcc", "-c", "a.c"] }],
          cwd: "/w",
          environment: { PATH: path },
          umask: 0o022,
          terminal: {},
          ...coded,
          outputs: [{ path: "/w/a.o", exists: false }],
          timeoutMs: 10_000,
          label: "a.c",
          ...changes,
        });
      },
    );
    if (stream === undefined) throw new Error("not sent");
    return stream;
  }

  /** Uploads `bytes` as the blob `digest`, or as how it differs from `base`. */
  async upload(bytes: Uint8Array, digest: Digest = digestOf(bytes), base?: Digest): Promise<ClientStream> {
    const upload = openStream(this.#channel, {
      kind: "blob",
      digest,
      ...(base === undefined ? {} : { base }),
    });
    await this.#channel.sendData(upload.stream, [bytes], { priority: "small", end: true });
    await upload.ended;
    return upload;
  }

  answer(job: ClientStream, proof: Omit<Extract<ClientMessage, { kind: "proof" }>, "kind">): void {
    this.#channel.send(job.stream, { kind: "proof", ...proof });
  }

  cancel(job: ClientStream): void {
    this.#channel.send(job.stream, { kind: "cancel" });
  }
}

export function fileOf(bytes: Uint8Array, name = "/w/a.c"): Extract<InputEntry, { kind: "file" }> {
  return { kind: "file", path: name, digest: digestOf(bytes), mtimeNs: 1n };
}

/** Resolves once `holds` does; a session's reaction to what a client did has no answer to wait for. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  const endMs = Date.now() + 5000;
  while (!holds()) {
    if (Date.now() > endMs) throw new Error(`not within 5 s: ${what}`);
    await new Promise(setImmediate);
  }
}

export type ServedBody = (client: Client, session: Served) => Promise<void>;

/** Runs `body` with a client of this machine's toolchain. */
export async function served(t: TestContext, options: ServedOptions, body: ServedBody): Promise<void> {
  const toolchain = await gccOf(t);
  if (toolchain === undefined) return;
  await using session = await serveClient(options);
  await body(new Client(session.client, toolchain), session);
}
