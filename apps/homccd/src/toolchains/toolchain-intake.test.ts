import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { BlobStore } from "@homcc/cas/blob-store";
import { type Digest, digestOf } from "@homcc/cas/digest";
import { encodeManifest } from "@homcc/compiler/toolchain-manifest";
import type { ToolchainEntry } from "@homcc/compiler/toolchain";
import { ShippedLayers } from "@homcc/execution/shipped-layers";
import { silentLogger } from "@homcc/observability/log";
import type { ClientMessage, JobMessage, ServerMessage } from "@homcc/protocol/messages";
import { PossessionProof } from "@homcc/protocol/possession-proof";
import { knownCapabilities } from "@homcc/protocol/hello";
import {
  Client,
  fileOf,
  openStream,
  type Served,
  serveClient,
  type ServedOptions,
} from "../served-client.fixture.ts";
import { recordHostileRequest } from "../../../../test/support/reliability.ts";
import { HomeFiles } from "./home-files.ts";
import { manifestBounds, type ToolchainShipping } from "./toolchain-intake.ts";

const driver = "/usr/bin/x86_64-linux-gnu-gcc-15";
const source = Buffer.from("int x;\n");

/** A compiler that no machine of the test has, and its bytes. */
class Compiler {
  readonly contents = new Map<Digest, Buffer>();
  readonly entries: readonly ToolchainEntry[];
  readonly manifest: Buffer;
  readonly offered: JobMessage["toolchain"];

  constructor(files: Readonly<Record<string, Buffer>>, changes: Partial<JobMessage["toolchain"]> = {}) {
    this.entries = Object.entries(files)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([path, bytes]): ToolchainEntry => {
        this.contents.set(digestOf(bytes), bytes);
        return { kind: "file", path, digest: digestOf(bytes), executable: path.startsWith("/usr/bin/") };
      });
    this.manifest = Buffer.from(encodeManifest(this.entries));
    this.contents.set(digestOf(this.manifest), this.manifest);
    this.offered = { digest: digestOf(this.manifest), driver, family: "gcc", version: "gcc 15", ...changes };
  }
}

const files = (): Record<string, Buffer> => ({
  [driver]: randomBytes(50),
  "/usr/lib/gcc/cc1": randomBytes(5000),
  "/usr/lib/libc.so.6": randomBytes(300),
});

/** One client; what it is asked to prove it proves with what it has. */
class Peer {
  readonly served: Served;
  readonly proofs: Digest[][] = [];

  readonly #client: Client;

  constructor(served: Served) {
    this.served = served;
    // One, since it numbers what it sends.
    this.#client = new Client(served.client, new Compiler({}).offered);
  }

  async ask(message: ClientMessage, have: ReadonlyMap<Digest, Buffer> = new Map()): Promise<ServerMessage> {
    const { client } = this.served;
    const answered = Promise.withResolvers<ServerMessage>();
    const stream = client.openStream({
      onMessage: (answer) => {
        if (answer.kind !== "prove") {
          answered.resolve(answer);
          return;
        }
        const { nonce, digests } = answer;
        this.proofs.push([...digests]);
        const proof = new PossessionProof(nonce);
        for (const digest of digests) proof.update(have.get(digest) ?? Buffer.alloc(0));
        const changed = digests.filter((digest) => !have.has(digest));
        client.send(stream, { kind: "proof", hash: proof.finish(), changed });
      },
      onClose: answered.reject,
    });
    client.send(stream, message);
    return await answered.promise;
  }

  offer(compiler: Compiler, have: ReadonlyMap<Digest, Buffer> = new Map()): ReturnType<Peer["ask"]> {
    return this.ask({ kind: "toolchain", toolchain: compiler.offered }, have);
  }

  async upload(bytes: Buffer, digest = digestOf(bytes)): Promise<string | undefined> {
    return (await this.#client.upload(bytes, digest)).messages.at(-1)?.kind;
  }

  async send(compiler: Compiler): Promise<readonly Digest[]> {
    const sent: Digest[] = [];
    for (let round = 0; round < 4; round++) {
      const answer = await this.offer(compiler, compiler.contents);
      if (answer.kind === "stored") return sent;
      assert.equal(answer.kind, "missing", JSON.stringify(answer));
      for (const digest of answer.kind === "missing" ? answer.digests : []) {
        const bytes = compiler.contents.get(digest);
        assert.ok(bytes);
        assert.equal(await this.upload(bytes), "stored");
        sent.push(digest);
      }
    }
    throw new Error("never complete");
  }

  async compile(compiler: Compiler, changes: Partial<JobMessage> = {}): Promise<ServerMessage | undefined> {
    const job = this.#client.compile([fileOf(source)], {
      toolchain: compiler.offered,
      steps: [{ program: driver, argv: ["gcc", "-c", "a.c"] }],
      ...changes,
    });
    if ((await Promise.race([job.until("missing").catch(() => undefined), job.ended])) !== undefined)
      await this.upload(source);
    await job.ended;
    return job.messages.at(-1);
  }
}

interface SiteOptions extends Partial<Pick<ToolchainShipping, "choice" | "maxBytes">> {
  readonly folders?: readonly string[];
  readonly registered?: readonly string[];
  readonly capabilities?: readonly string[];
  readonly storeBytes?: number;
}

interface Site {
  readonly layers: ShippedLayers;
  readonly store: BlobStore;
  /** Each is a client of the same server. */
  readonly peer: (options?: Pick<ServedOptions, "capabilities">) => Promise<Peer>;
}

async function onSite(options: SiteOptions, body: (site: Site) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  await using ended = new AsyncDisposableStack();
  ended.defer(() => rm(folder, { recursive: true }));
  let layers: ShippedLayers | undefined;
  const inner: { store?: BlobStore } = {};
  // Filled in when the store is there.
  const late: Pick<BlobStore, "copyTo" | "pin"> = {
    copyTo: async (digest, path) => (await inner.store?.copyTo(digest, path)) ?? false,
    pin: (digests) => inner.store?.pin(digests) ?? { release: () => {} },
  };
  layers = await ShippedLayers.open({
    folder: join(folder, "toolchains"),
    manifests: join(folder, "manifests"),
    maxBytes: 1 << 30,
    blobs: late,
    bounds: manifestBounds,
    logger: silentLogger,
  });
  const opened = layers;
  const shipping = (store: BlobStore): ToolchainShipping => {
    inner.store = store;
    const registered = async (): Promise<readonly string[]> => options.registered ?? [];
    return {
      layers: opened,
      home: new HomeFiles({ store, registered, logger: silentLogger, folders: options.folders ?? [] }),
      registered,
      choice: options.choice ?? "shipped",
      maxBytes: options.maxBytes ?? 1 << 30,
      storeBytes: options.storeBytes ?? 1 << 30,
      store,
      logger: silentLogger,
    };
  };
  let first: Served | undefined;
  const peer: Site["peer"] = async ({ capabilities } = {}) => {
    const served = ended.use(
      await serveClient({
        shipping,
        ...(options.storeBytes === undefined ? {} : { maxBytes: options.storeBytes }),
        ...(capabilities === undefined ? {} : { capabilities }),
        ...(first === undefined ? {} : { sharing: first }),
      }),
    );
    first ??= served;
    return new Peer(served);
  };
  const one = await peer();
  await body({
    layers,
    store: one.served.store,
    peer: (() => {
      let isGiven = false;
      return async (more) => {
        if (isGiven || more !== undefined) return await peer(more);
        isGiven = true;
        return one;
      };
    })(),
  });
}

test("sent once: the manifest, its files, and then jobs run in it", async () => {
  await onSite({}, async ({ layers, peer }) => {
    const compiler = new Compiler(files());
    const client = await peer();
    const before = await client.compile(compiler);
    assert.ok(before?.kind === "refused" && before.reason === "toolchain-missing", JSON.stringify(before));
    assert.equal(before.identities?.client.digest, compiler.offered.digest);
    const sent = await client.send(compiler);
    assert.deepEqual(new Set(sent), new Set(compiler.contents.keys()));
    assert.equal(layers.has(compiler.offered.digest), true);
    assert.equal((await client.compile(compiler))?.kind, "result");
    assert.equal(client.served.executed.at(-1)?.toolchain, compiler.offered.digest);
    assert.equal(client.served.store.pins, 0);
  });
});

test("whoever has the manifest has a complete toolchain, and nobody else", async () => {
  await onSite({}, async ({ peer }) => {
    const compiler = new Compiler(files());
    await (await peer()).send(compiler);
    const second = await peer();
    const foreign = await second.compile(compiler);
    assert.ok(foreign?.kind === "refused" && foreign.reason === "toolchain-missing", "a digest is no proof");
    recordHostileRequest("a job with somebody else's toolchain", { tried: 1, refused: 1 });
    const nothing = await second.offer(compiler);
    assert.deepEqual(nothing, { kind: "missing", digests: [compiler.offered.digest] });
    const manifestOnly = new Map([[compiler.offered.digest, compiler.manifest]]);
    assert.equal((await second.offer(compiler, manifestOnly)).kind, "stored");
    assert.deepEqual(second.proofs, [[compiler.offered.digest], [compiler.offered.digest]]);
    assert.equal((await second.compile(compiler))?.kind, "result");
  });
});

test("a file of somebody else comes into a toolchain only with a proof", async () => {
  await onSite({}, async ({ layers, peer }) => {
    const secret = Buffer.from("the colleague's source");
    await (await peer()).upload(secret);
    const thief = await peer();
    const compiler = new Compiler({ ...files(), "/usr/lib/gcc/include/stolen.h": secret });
    const theirs = new Map(compiler.contents);
    theirs.delete(digestOf(secret));
    await thief.upload(compiler.manifest);
    for (const digest of [...compiler.entries].flatMap((entry) =>
      entry.kind === "file" ? [entry.digest] : [],
    )) {
      const bytes = theirs.get(digest);
      if (bytes !== undefined) await thief.upload(bytes);
    }
    assert.deepEqual(await thief.offer(compiler, theirs), { kind: "missing", digests: [digestOf(secret)] });
    // A wrong proof, which claims to have all.
    const guess = new Map(compiler.contents).set(digestOf(secret), Buffer.from("the colleague's sourcf"));
    assert.deepEqual(await thief.offer(compiler, guess), { kind: "missing", digests: [digestOf(secret)] });
    assert.equal(layers.has(compiler.offered.digest), false);
    const refused = await thief.compile(compiler);
    assert.ok(refused?.kind === "refused");
    assert.equal((await thief.offer(compiler, compiler.contents)).kind, "stored");
  });
  recordHostileRequest("somebody else's file as a part of a toolchain", { tried: 2, refused: 2 });
});

test("another release needs only what differs, also when the store has forgotten the first one's files", async () => {
  await onSite({ storeBytes: 200_000 }, async ({ peer, store }) => {
    const client = await peer();
    const old = files();
    await client.send(new Compiler(old));
    const noise = randomBytes(190_000);
    await client.upload(noise);
    assert.equal(
      (await store.findMissing([digestOf(old["/usr/lib/gcc/cc1"] ?? noise)])).length,
      1,
      "evicted",
    );
    const point = new Compiler({ ...old, [driver]: randomBytes(50) });
    const sent = await client.send(point);
    assert.deepEqual(
      new Set(sent),
      new Set([
        point.offered.digest,
        digestOf(
          point.entries[0]?.kind === "file" ? (point.contents.get(point.entries[0].digest) ?? noise) : noise,
        ),
      ]),
    );
  });
});

test("a manifest that breaks the rules, a driver that is none, and another family are refused", async () => {
  await onSite({}, async ({ peer, layers }) => {
    const client = await peer();
    const outside = Buffer.from(`homcc toolchain 1\n["symlink","/a/../b","/etc"]\n`);
    const bad = new Compiler(files());
    const cases: readonly (readonly [Partial<JobMessage["toolchain"]>, Buffer, string])[] = [
      [{ digest: digestOf(outside) }, outside, "bad-job"],
      [{ driver: "/usr/bin/gcc-99" }, bad.manifest, "bad-job"],
      [{ driver: "/usr/bin/clang-19" }, bad.manifest, "bad-job"],
      [{ driver: "/usr/bin/sh" }, bad.manifest, "toolchain-differs"],
    ];
    for (const [changes, manifest, reason] of cases) {
      await client.upload(manifest);
      const offered = { ...bad.offered, ...changes };
      const answer = await client.ask({ kind: "toolchain", toolchain: offered }, bad.contents);
      assert.ok(answer.kind === "refused" && answer.reason === reason, JSON.stringify([changes, answer]));
    }
    assert.deepEqual(layers.digests(), []);
  });
});

test("bytes that are not those of the digest are no manifest and no file", async () => {
  await onSite({}, async ({ peer, layers }) => {
    const client = await peer();
    const compiler = new Compiler(files());
    const evil = new Compiler({ ...files(), "/usr/lib/gcc/cc1": Buffer.from("evil") });
    assert.equal(await client.upload(evil.manifest, compiler.offered.digest), "rejected");
    await client.upload(compiler.manifest);
    for (const digest of compiler.contents.keys()) {
      if (digest !== compiler.offered.digest)
        assert.equal(await client.upload(Buffer.from("evil"), digest), "rejected");
    }
    assert.equal((await client.offer(compiler)).kind, "missing");
    assert.deepEqual(layers.digests(), []);
  });
});

test("a toolchain above the bound is refused with the option", async () => {
  await onSite({ maxBytes: 5000 }, async ({ peer }) => {
    const client = await peer();
    const compiler = new Compiler(files());
    await client.upload(compiler.manifest);
    const answer = await client.offer(compiler);
    assert.ok(answer.kind === "refused" && answer.reason === "toolchain-differs");
    assert.match(answer.hint ?? "", /max_toolchain_size/);
  });
});

test("a toolchain for which the store has no room is refused before anything of it is sent", async () => {
  await onSite({ storeBytes: 12_000 }, async ({ peer }) => {
    const client = await peer();
    const compiler = new Compiler(files());
    await client.upload(compiler.manifest);
    const answer = await client.offer(compiler);
    assert.ok(answer.kind === "refused" && answer.reason === "toolchain-differs");
    assert.match(answer.hint ?? "", /max_dependency_cache_size/);
  });
});

test("own: nothing is offered without folders, and only files of this machine are taken with some", async () => {
  const compiler = new Compiler(files());
  await onSite({ choice: "own" }, async ({ peer }) => {
    const refused = await (await peer()).compile(compiler);
    assert.ok(refused?.kind === "refused" && refused.reason === "toolchain-differs", JSON.stringify(refused));
  });
  await onSite({ choice: "own", registered: ["/nowhere"] }, async ({ peer, layers }) => {
    const client = await peer();
    const refused = await client.compile(compiler);
    assert.ok(refused?.kind === "refused" && refused.reason === "toolchain-missing");
    for (const bytes of compiler.contents.values()) await client.upload(bytes);
    const answer = await client.offer(compiler, compiler.contents);
    assert.ok(
      answer.kind === "refused" && answer.reason === "toolchain-differs",
      "uploaded is not this server's",
    );
    assert.match(answer.message, /^3 files/);
    assert.equal(layers.has(compiler.offered.digest), false);
    const [file] = compiler.contents.keys();
    assert.ok(file);
    const pieces = await client.ask({ kind: "pieces", digest: file, pieces: [file] });
    assert.equal(pieces.kind, "refused");
  });
});

test("a large file comes in pieces, those that are there are not sent again", async () => {
  await onSite({}, async ({ peer, store }) => {
    const large = randomBytes(5_000);
    const pieces = [large.subarray(0, 2000), large.subarray(2000, 4000), large.subarray(4000)];
    const digests = pieces.map((piece) => digestOf(piece));
    const have = new Map(pieces.map((piece) => [digestOf(piece), piece]));
    const question = { kind: "pieces", digest: digestOf(large), pieces: digests } as const;
    const first = await peer();
    assert.deepEqual(await first.ask(question), { kind: "missing", digests });
    await first.upload(pieces[0] ?? large);
    // The connection is another one now: what arrived has to be proven.
    const again = await peer();
    assert.deepEqual(await again.ask(question, have), { kind: "missing", digests: digests.slice(1) });
    assert.deepEqual(await again.ask(question), { kind: "missing", digests: digests.slice(1) });
    for (const piece of pieces.slice(1)) await again.upload(piece);
    assert.deepEqual(await again.ask(question), { kind: "stored" });
    assert.deepEqual(await store.findMissing([digestOf(large)]), []);
    const colleague = await peer();
    assert.deepEqual(await colleague.ask(question), { kind: "missing", digests });
    assert.deepEqual(await colleague.ask(question, new Map([[digestOf(large), large]])), { kind: "stored" });
  });
});

test("pieces that do not make the file are refused, and make none", async () => {
  await onSite({}, async ({ peer, store }) => {
    const client = await peer();
    const large = randomBytes(4_000);
    const pieces = [large.subarray(0, 2000), large.subarray(2000)];
    for (const piece of pieces) await client.upload(piece);
    const [first, second] = pieces.map((piece) => digestOf(piece));
    assert.ok(first !== undefined && second !== undefined);
    const cases: readonly (readonly [readonly Digest[], string])[] = [
      [[second, first], "input-changed"],
      [[first], "bad-job"],
      [[], "bad-job"],
    ];
    for (const [named, reason] of cases) {
      const answer = await client.ask({ kind: "pieces", digest: digestOf(large), pieces: [...named] });
      assert.ok(answer.kind === "refused" && answer.reason === reason, JSON.stringify(answer));
    }
    const long = digestOf(Buffer.alloc((4 << 20) + 1));
    const answer = await client.ask({ kind: "pieces", digest: long, pieces: [long] });
    assert.ok(answer.kind === "refused" && answer.reason === "bad-job");
    assert.equal((await store.findMissing([digestOf(large)])).length, 1);
  });
});

test("a file that the store lost before the toolchain was complete is asked for again", async () => {
  await onSite({ storeBytes: 40_000 }, async ({ peer, store }) => {
    const client = await peer();
    const compiler = new Compiler(files());
    await client.upload(compiler.manifest);
    for (const bytes of compiler.contents.values()) await client.upload(bytes);
    await client.upload(randomBytes(36_000));
    assert.ok((await store.findMissing(compiler.contents.keys())).length > 0, "evicted");
    await client.send(compiler);
    assert.equal((await client.compile(compiler))?.kind, "result");
  });
});

test("a client of before is refused as before, and its questions too", async () => {
  await onSite({}, async ({ peer }) => {
    const old = await peer({ capabilities: knownCapabilities.filter((name) => name !== "toolchains") });
    const compiler = new Compiler(files());
    const refused = await old.compile(compiler);
    assert.ok(refused?.kind === "refused" && refused.reason === "toolchain-differs");
    const answer = await old.offer(compiler);
    assert.equal(answer.kind, "refused");
  });
});

test("a client that goes while it is asked for a proof holds nothing", async () => {
  await onSite({}, async ({ peer }) => {
    const compiler = new Compiler(files());
    await (await peer()).send(compiler);
    const second = await peer();
    const stream = openStream(second.served.client, { kind: "toolchain", toolchain: compiler.offered });
    await stream.until("prove");
    second.served.cut();
    await second.served.ended;
    assert.equal(second.served.store.pins, 0);
    // Nor does it hold up others.
    const third = await peer();
    assert.equal((await third.offer(compiler, compiler.contents)).kind, "stored");
  });
});

test("only programs of the toolchain run, and a hostile manifest's are behind the same walls", async () => {
  await onSite({}, async ({ peer }) => {
    const client = await peer();
    const compiler = new Compiler(files());
    await client.send(compiler);
    for (const program of ["/bin/sh", "/usr/lib/gcc/cc1", "/usr/lib/libc.so.6"]) {
      const answer = await client.compile(compiler, { steps: [{ program, argv: ["x"] }] });
      assert.ok(answer?.kind === "refused" && answer.reason === "refused", program);
    }
    // The family decides how options are read, and what others may get of the result.
    for (const [changes, reason] of [
      [{ family: "clang" }, "bad-job"],
      [{ family: "clang", driver: "/usr/bin/clang-19" }, "bad-job"],
      [{ driver: "/bin/sh" }, "toolchain-differs"],
    ] as const) {
      const answer = await client.compile(compiler, { toolchain: { ...compiler.offered, ...changes } });
      assert.ok(answer?.kind === "refused" && answer.reason === reason, JSON.stringify(answer));
    }
    assert.equal(client.served.executed.length, 0);
  });
});
