import assert from "node:assert/strict";
import { link, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { type Digest, digestOf } from "@homcc/cas/digest";
import { hasCode } from "@homcc/observability/error";
import { encodeDelta } from "@homcc/protocol/delta";
import type { ResultMessage } from "@homcc/protocol/messages";
import { bareResult } from "@homcc/transport/fixtures/example-messages";
import fc from "fast-check";
import type { OutputBase } from "./output-bases.ts";
import { BaseChanged, type ExpectedOutput, ResultReceiver } from "./result-receiver.ts";
import { scratchFolder } from "./scratch-folder.fixture.ts";

const isProtocolError = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_PROTOCOL");

interface Parts {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly outputs: readonly Uint8Array[];
}

function announce(parts: Parts, folder: string): ResultMessage {
  return {
    ...bareResult,
    stdoutBytes: parts.stdout.byteLength,
    stderrBytes: parts.stderr.byteLength,
    outputs: parts.outputs.map((bytes, index) => ({
      kind: "written",
      path: join(folder, String(index)),
      sizeBytes: bytes.byteLength,
      mode: 0o640,
    })),
  };
}

function declaredOf(message: ResultMessage): ExpectedOutput[] {
  return message.outputs.flatMap((output) => ("path" in output ? [{ path: output.path }] : []));
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % (bytes.byteLength + 1)), bytes.byteLength].sort(
    (a, b) => a - b,
  );
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}

const someBytes = fc.uint8Array({ maxLength: 60 });

test("messages and outputs come out whole, wherever the bytes are cut", async () => {
  await using folder = await scratchFolder();
  const parts = fc.record({
    stdout: someBytes,
    stderr: someBytes,
    outputs: fc.array(someBytes, { maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(parts, fc.array(fc.nat(), { maxLength: 12 }), async (parts, places) => {
      const message = announce(parts, folder.path);
      const receiver = new ResultReceiver(message, declaredOf(message));
      const bytes = Buffer.concat([parts.stdout, parts.stderr, ...parts.outputs]);
      for (const piece of cut(bytes, places)) await receiver.data(piece);
      await receiver.end();
      await receiver.commit();
      assert.deepEqual(Buffer.from(receiver.stdout), Buffer.from(parts.stdout));
      assert.deepEqual(Buffer.from(receiver.stderr), Buffer.from(parts.stderr));
      for (const [index, expected] of parts.outputs.entries()) {
        const path = join(folder.path, String(index));
        assert.deepEqual(await readFile(path), Buffer.from(expected));
        assert.equal((await stat(path)).mode & 0o7777, 0o640);
      }
      const names = await readdir(folder.path);
      assert.deepEqual(
        names.filter((name) => name.startsWith(".")),
        [],
      );
    }),
    { numRuns: 60 },
  );
});

test("one byte too few or too many is an error, and nothing stays", async () => {
  await using folder = await scratchFolder();
  await fc.assert(
    fc.asyncProperty(someBytes, fc.array(someBytes, { maxLength: 3 }), async (stdout, outputs) => {
      const parts = { stdout, stderr: Buffer.from("e"), outputs };
      const bytes = Buffer.concat([stdout, parts.stderr, ...outputs]);
      const message = announce(parts, folder.path);
      const early = new ResultReceiver(message, declaredOf(message));
      await early.data(bytes.subarray(0, -1));
      await assert.rejects(early.end(), isProtocolError);
      await early.discard();
      const long = new ResultReceiver(message, declaredOf(message));
      await assert.rejects(long.data(Buffer.concat([bytes, Buffer.from("x")])), isProtocolError);
      await long.discard();
      assert.deepEqual(await readdir(folder.path), []);
    }),
    { numRuns: 30 },
  );
});

test("only declared outputs, and each once", async () => {
  await using folder = await scratchFolder();
  const message = announce(
    { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), outputs: [Buffer.from("x")] },
    folder.path,
  );
  const [output] = message.outputs;
  assert.ok(output?.kind === "written");
  assert.throws(() => new ResultReceiver(message, [{ path: "/elsewhere" }]), isProtocolError);
  const twice = { ...message, outputs: [output, output] };
  assert.throws(() => new ResultReceiver(twice, declaredOf(message)), isProtocolError);
  const both: ResultMessage = { ...message, outputs: [output, { kind: "removed", path: output.path }] };
  assert.throws(() => new ResultReceiver(both, declaredOf(message)), isProtocolError);
  const foreign: ResultMessage = { ...bareResult, outputs: [{ kind: "removed", path: "/etc/passwd" }] };
  assert.throws(() => new ResultReceiver(foreign, declaredOf(message)), isProtocolError);
});

test("a server does not give set-user-ID bits", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.o");
  const message: ResultMessage = {
    ...bareResult,
    outputs: [{ kind: "written", path, sizeBytes: 0, mode: 0o6755 }],
  };
  const receiver = new ResultReceiver(message, [{ path }]);
  await receiver.end();
  await receiver.commit();
  assert.equal((await stat(path)).mode & 0o7777, 0o755);
});

test("messages beyond any sense are refused before memory is taken", () => {
  const message = { ...bareResult, stdoutBytes: 2 ** 31, stderrBytes: 1 };
  assert.throws(() => new ResultReceiver(message, []), isProtocolError);
});

test("removals: of files, of what is not there, and not of folders", async () => {
  await using folder = await scratchFolder();
  const path = (name: string): string => join(folder.path, name);
  const removal = (name: string): ResultReceiver => {
    const message: ResultMessage = { ...bareResult, outputs: [{ kind: "removed", path: path(name) }] };
    return new ResultReceiver(message, [{ path: path(name) }]);
  };
  await writeFile(path("a.o"), "old");
  await mkdir(path("folder"));
  for (const name of ["a.o", "missing.o"]) {
    const receiver = removal(name);
    await receiver.end();
    await receiver.commit();
  }
  const blocked = removal("folder");
  await blocked.end();
  await assert.rejects(blocked.commit(), (error) => hasCode(error, "ERR_HOMCC_OUTPUT"));
  assert.deepEqual(await readdir(folder.path), ["folder"]);
});

test("discarded before its end it leaves the old outputs and nothing else", async () => {
  await using folder = await scratchFolder();
  await writeFile(join(folder.path, "0"), "old");
  const parts = {
    stdout: Buffer.alloc(0),
    stderr: Buffer.alloc(0),
    outputs: [Buffer.from("abc"), Buffer.from("def")],
  };
  const message = announce(parts, folder.path);
  const receiver = new ResultReceiver(message, declaredOf(message));
  // Not awaited: a cancellation comes while the disk is busy.
  const writing = receiver.data(Buffer.from("abcd"));
  await receiver.discard();
  await Promise.allSettled([writing]);
  assert.deepEqual(await readdir(folder.path), ["0"]);
  assert.equal(await readFile(join(folder.path, "0"), "utf8"), "old");
});

function baseOf(bytes: Uint8Array, digest: Digest = digestOf(bytes)): OutputBase {
  return { digest, read: () => Promise.resolve(bytes), [Symbol.dispose]: () => {} };
}

test("outputs are made of their bases, among others, wherever the bytes are cut", async () => {
  await using folder = await scratchFolder();
  const path = (name: string): string => join(folder.path, name);
  const [old, same] = [randomBytes(3000), randomBytes(2000)];
  await writeFile(path("same.o"), same);
  await link(path("same.o"), path("linked.o"));
  const inode = (await stat(path("same.o"))).ino;
  await fc.assert(
    fc.asyncProperty(someBytes, fc.array(fc.nat(), { maxLength: 6 }), async (tail, places) => {
      const fresh = Buffer.concat([old, Buffer.from("+"), tail]);
      const delta = await encodeDelta(fresh, old);
      const message: ResultMessage = {
        ...bareResult,
        stdoutBytes: 3,
        outputs: [
          { kind: "unchanged", output: 2, mode: 0o600 },
          { kind: "delta", output: 0, mode: 0o644, digest: digestOf(fresh), deltaBytes: delta.byteLength },
          {
            kind: "written",
            path: path("whole.o"),
            sizeBytes: 4,
            mode: 0o644,
            digest: digestOf(Buffer.from("word")),
          },
        ],
      };
      const receiver = new ResultReceiver(message, [
        { path: path("delta.o"), base: baseOf(old) },
        { path: path("whole.o"), base: baseOf(old) },
        { path: path("same.o"), base: baseOf(same) },
      ]);
      for (const piece of cut(Buffer.concat([Buffer.from("out"), delta, Buffer.from("word")]), places))
        await receiver.data(piece);
      await receiver.end();
      await receiver.commit();
      assert.deepEqual(await readFile(path("delta.o")), fresh);
      assert.deepEqual(await readFile(path("whole.o"), "utf8"), "word");
      assert.deepEqual(await readFile(path("same.o")), same);
      assert.deepEqual(
        new Map(receiver.written.map(({ path, digest }) => [path, digest])),
        new Map([
          [path("delta.o"), digestOf(fresh)],
          [path("whole.o"), digestOf(Buffer.from("word"))],
          [path("same.o"), digestOf(same)],
        ]),
      );
    }),
    { numRuns: 20 },
  );
  const [now, linked] = [await stat(path("same.o")), await stat(path("linked.o"))];
  assert.ok(now.ino !== inode && linked.ino === inode, "a new inode: whoever linked the old one keeps it");
  assert.deepEqual([now.mode & 0o777, now.nlink, linked.nlink], [0o600, 1, 1]);
});

test("a base that changed meanwhile is noticed, and nothing stays", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.o");
  await writeFile(path, "old");
  const old = randomBytes(3000);
  const fresh = Buffer.concat([old, Buffer.from("+")]);
  const delta = await encodeDelta(fresh, old);
  const unchanged: ResultMessage = {
    ...bareResult,
    outputs: [{ kind: "unchanged", output: 0, mode: 0o644 }],
  };
  const changed: ResultMessage = {
    ...bareResult,
    outputs: [
      { kind: "delta", output: 0, mode: 0o644, digest: digestOf(fresh), deltaBytes: delta.byteLength },
    ],
  };
  for (const read of [randomBytes(3000), Buffer.alloc(0), fresh]) {
    for (const message of [unchanged, changed]) {
      const receiver = new ResultReceiver(message, [{ path, base: baseOf(read, digestOf(old)) }]);
      const receiving = async (): Promise<void> => {
        if (message === changed) await receiver.data(delta);
        await receiver.end();
      };
      await assert.rejects(receiving(), BaseChanged);
      await receiver.discard();
    }
  }
  assert.deepEqual(await readdir(folder.path), ["a.o"]);
  assert.equal(await readFile(path, "utf8"), "old");
});

test("a server tells outputs by bases that it was given, and no others", () => {
  const digest = digestOf(Buffer.from("x"));
  for (const output of [
    { kind: "unchanged", output: 0, mode: 0o644 },
    { kind: "unchanged", output: 1, mode: 0o644 },
    { kind: "delta", output: 0, mode: 0o644, digest, deltaBytes: 5 },
  ] as const) {
    const message: ResultMessage = { ...bareResult, outputs: [output] };
    assert.throws(() => new ResultReceiver(message, [{ path: "/w/a.o" }]), isProtocolError);
  }
});
