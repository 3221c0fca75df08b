import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import type { ActionResult } from "@homcc/cas/action";
import { type Digest, digestOf } from "@homcc/cas/digest";
import { MemoryBlobStore } from "@homcc/cas/memory-blob-store";
import { decodeDelta } from "@homcc/protocol/delta";
import { maxDeltaBytes } from "@homcc/protocol/limits";
import type { JobMessage } from "@homcc/protocol/messages";
import { type CodingOptions, OutputCoding, plainOutputs } from "./output-coding.ts";
import { OutputFiles, OutputMemory } from "./output-files.ts";
import { packOutput } from "./packed-output.ts";
import { SentOutputs } from "./sent-outputs.ts";

class Outputs implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<Outputs> {
    return new Outputs(await mkdtemp(join(tmpdir(), "homcc-test-")));
  }

  /** What a compiler wrote, as the executor tells it. */
  async written(name: string, bytes: Uint8Array): Promise<ActionResult["outputs"][number]> {
    const file = join(this.folder, name);
    await writeFile(file, bytes);
    return { kind: "written", path: `/w/${name}`, file, sizeBytes: bytes.byteLength, mode: 0o644 };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.folder, { recursive: true });
  }
}

function declared(name: string, base?: Digest): JobMessage["outputs"][number] {
  return { path: `/w/${name}`, exists: false, ...(base === undefined ? {} : { base }) };
}

/** A client that has shown to have whatever it names. */
const anything: CodingOptions = {
  possession: { isProven: () => true, note: () => {} },
  sent: new SentOutputs(),
  takesPacked: true,
  isHurried: false,
};

const before = randomBytes(100_000);
const after = Buffer.concat([before.subarray(0, 40_000), Buffer.from("new"), before.subarray(40_001)]);

test("without a base an output comes whole with its digest, and is kept for the next one", async () => {
  await using outputs = await Outputs.create();
  const store = new MemoryBlobStore();
  const coding = new OutputCoding(store);
  const output = await outputs.written("a.o", before);
  const coded = await coding.code([output, { kind: "removed", path: "/w/a.d" }], [declared("a.o")], anything);
  assert.deepEqual(coded.messages, [
    { kind: "written", path: "/w/a.o", sizeBytes: 100_000, mode: 0o644, digest: digestOf(before) },
    { kind: "removed", path: "/w/a.d" },
  ]);
  assert.deepEqual(coded.contents, [before]);
  assert.deepEqual(Buffer.from((await store.read(digestOf(before))) ?? []), before);
});

test("an output of an earlier job that the client has is not even read", async () => {
  const output = { kind: "written", path: "/w/a.o", file: "/gone", sizeBytes: 100_000, mode: 0o644 } as const;
  const coded = await new OutputCoding(new MemoryBlobStore()).code(
    [{ ...output, digest: digestOf(before) }],
    [declared("a.o", digestOf(before))],
    anything,
  );
  assert.deepEqual(coded, { messages: [{ kind: "unchanged", output: 0, mode: 0o644 }], contents: [] });
});

test("an output that is its base takes no bytes, one like it takes what differs, wherever it is declared", async () => {
  await using outputs = await Outputs.create();
  const store = new MemoryBlobStore();
  await store.put(digestOf(before), [before]);
  for (const isHurried of [false, true]) {
    const coded = await new OutputCoding(store).code(
      [await outputs.written("b.o", after), await outputs.written("a.o", before)],
      [declared("a.o", digestOf(before)), declared("x.o"), declared("b.o", digestOf(before))],
      { ...anything, isHurried },
    );
    const [delta] = coded.contents;
    assert.ok(delta instanceof Uint8Array && coded.contents.length === 1);
    assert.deepEqual(coded.messages, [
      { kind: "delta", output: 2, mode: 0o644, digest: digestOf(after), deltaBytes: delta.byteLength },
      { kind: "unchanged", output: 0, mode: 0o644 },
    ]);
    assert.ok(delta.byteLength < 200);
    assert.deepEqual(await decodeDelta(delta, before, after.byteLength), after);
  }
});

test("a base that is gone, unlike, or too large: the output comes whole", async () => {
  await using outputs = await Outputs.create();
  const store = new MemoryBlobStore();
  const unlike = randomBytes(100_000);
  const large = Buffer.alloc(maxDeltaBytes + 1);
  await store.put(digestOf(unlike), [unlike]);
  await store.put(digestOf(large), [large]);
  for (const base of [before, unlike, large]) {
    const output = await outputs.written("a.o", after);
    const coded = await new OutputCoding(store).code([output], [declared("a.o", digestOf(base))], anything);
    assert.equal(coded.messages[0]?.kind, "written");
    assert.equal(coded.contents.length, 1);
  }
});

test("a base that the client was not shown to have is not used; what it is told of counts as shown", async () => {
  await using outputs = await Outputs.create();
  const store = new MemoryBlobStore();
  await store.put(digestOf(before), [before]);
  const noted: Digest[] = [];
  const nothing: CodingOptions = {
    ...anything,
    possession: { isProven: () => false, note: (digest) => noted.push(digest) },
  };
  for (const bytes of [before, after]) {
    const output = await outputs.written("a.o", bytes);
    const coded = await new OutputCoding(store).code([output], [declared("a.o", digestOf(before))], nothing);
    assert.equal(coded.messages[0]?.kind, "written");
  }
  assert.deepEqual(noted, [digestOf(before), digestOf(after)]);
});

test("empty and very large outputs are sent as they are", async () => {
  await using outputs = await Outputs.create();
  const coding = new OutputCoding(new MemoryBlobStore());
  const results = [
    await outputs.written("empty.d", Buffer.alloc(0)),
    await outputs.written("large.o", Buffer.alloc(maxDeltaBytes + 1)),
  ];
  const coded = await coding.code(
    results,
    [declared("empty.d"), declared("large.o", digestOf(before))],
    anything,
  );
  assert.deepEqual(coded, plainOutputs(results));
});

test("a full store costs the next one its base, not this one its result", async () => {
  await using outputs = await Outputs.create();
  const coding = new OutputCoding(new MemoryBlobStore({ maxBytes: 50_000 }));
  const coded = await coding.code([await outputs.written("a.o", before)], [declared("a.o")], anything);
  assert.equal(coded.messages[0]?.kind, "written");
  assert.deepEqual(await readFile(join(outputs.folder, "a.o")), before);
});

test("more results than are coded at a time", async () => {
  await using outputs = await Outputs.create();
  const store = new MemoryBlobStore();
  const coding = new OutputCoding(store);
  await store.put(digestOf(before), [before]);
  const coded = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const name = `${index}.o`;
      const output = await outputs.written(name, Buffer.concat([after, Buffer.from(name)]));
      return await coding.code([output], [declared(name, digestOf(before))], anything);
    }),
  );
  assert.deepEqual(
    coded.map(({ messages }) => messages[0]?.kind),
    Array.from({ length: 20 }, () => "delta"),
  );
});

/** An object that compresses, packed in a store, as a kept result names it. */
async function keptObject(
  store: MemoryBlobStore,
): Promise<{ readonly digest: Digest; readonly packed: Digest; readonly bytes: Uint8Array }> {
  const bytes = Buffer.from(Array.from({ length: 40_000 }, (_, index) => `line ${index}\n`).join(""));
  const form = await packOutput(bytes);
  assert.ok(form !== undefined);
  const [digest, packed] = [digestOf(bytes), digestOf(form)];
  await store.put(packed, [form]);
  return { digest, packed, bytes };
}

test("an output of an earlier job is sent as it was packed, without being read", async () => {
  const store = new MemoryBlobStore();
  const { digest, packed, bytes } = await keptObject(store);
  const sizeBytes = bytes.byteLength;
  const output = {
    kind: "written",
    path: "/w/a.o",
    file: "/gone",
    sizeBytes,
    mode: 0o644,
    digest,
    packed,
  } as const;
  const { messages, contents } = await new OutputCoding(store).code([output], [declared("a.o")], anything);
  assert.deepEqual(messages, [{ kind: "written", path: "/w/a.o", sizeBytes, mode: 0o644, digest }]);
  const [frames] = contents;
  assert.ok(Array.isArray(frames) && frames.length > 1);
  assert.deepEqual(Buffer.concat(frames.map(({ payload }) => zstdDecompressSync(payload))), bytes);
});

test("what was at its place before is the base of a packed output, another file is not", async () => {
  await using outputs = await Outputs.create();
  const store = new MemoryBlobStore();
  const { digest, packed, bytes } = await keptObject(store);
  const base = Buffer.concat([bytes, Buffer.from("more")]);
  await store.put(digestOf(base), [base]);
  const output = { ...(await outputs.written("a.o", bytes)), digest, packed };
  const sent = new SentOutputs();
  const code = async (): Promise<string | undefined> => {
    const options = { ...anything, sent };
    const coded = await new OutputCoding(store).code([output], [declared("a.o", digestOf(base))], options);
    return coded.messages[0]?.kind;
  };
  assert.equal(await code(), "delta");
  sent.note(digestOf(base), "/w/b.o");
  assert.equal(await code(), "written");
  sent.note(digestOf(base), "/w/a.o");
  assert.equal(await code(), "delta");
});

test("a packed form that is gone, that a client could not read, or that memory has no room for is done without", async () => {
  await using outputs = await Outputs.create();
  const store = new MemoryBlobStore();
  const { digest, packed, bytes } = await keptObject(store);
  const written = await outputs.written("a.o", bytes);
  for (const [form, takesPacked] of [
    [digestOf(Buffer.from("never kept")), true],
    [packed, false],
  ] as const) {
    const output = { ...written, digest, packed: form };
    const options = { ...anything, takesPacked };
    const coded = await new OutputCoding(store).code([output], [declared("a.o")], options);
    assert.deepEqual(coded.contents, [bytes]);
  }
  using files = new OutputFiles(new OutputMemory(1000));
  const output = { ...written, digest, packed };
  const coded = await new OutputCoding(store).code([output], [declared("a.o")], { ...anything, files });
  assert.deepEqual(coded.contents, [{ file: join(outputs.folder, "a.o") }]);
});
