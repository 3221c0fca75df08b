import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { OutputFiles, OutputMemory, type WrittenOutput } from "./output-files.ts";

async function outputOf(t: TestContext, text: string): Promise<WrittenOutput> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-outputs-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "a.o");
  await writeFile(file, text);
  return { kind: "written", path: "/w/a.o", file, sizeBytes: text.length, mode: 0o644 };
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

test("an output is read once for all who look into it and for sending", async (t) => {
  const output = await outputOf(t, "object");
  using files = new OutputFiles(new OutputMemory());
  assert.equal(await files.use(output, textOf), "object");
  await writeFile(output.file, "others");
  assert.equal(await files.use(output, textOf), "object");
  const content = await files.contentOf(output);
  assert.ok(content instanceof Uint8Array);
  assert.equal(textOf(content), "object");
});

test("what memory has no room for is read anew each time, and sent from its file", async (t) => {
  const output = await outputOf(t, "object");
  const memory = new OutputMemory(10);
  using first = new OutputFiles(memory);
  assert.equal(await first.use(output, textOf), "object");
  using second = new OutputFiles(memory);
  assert.equal(await second.use(output, textOf), "object");
  assert.deepEqual(await second.contentOf(output), { file: output.file });
  await writeFile(output.file, "others");
  assert.equal(await second.use(output, textOf), "others");
  assert.equal(memory.usedBytes, 6);
});

test("memory is given back once, be the bytes released or not", async (t) => {
  const output = await outputOf(t, "o".repeat(20_000));
  const memory = new OutputMemory();
  const files = new OutputFiles(memory);
  const bytes = await files.use(output, (each) => each);
  await files.release();
  assert.equal(bytes.byteLength, 0);
  files[Symbol.dispose]();
  assert.equal(memory.usedBytes, 0);
});
