import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { compilers, Project } from "./discovery.fixture.ts";
import { encodeRecord } from "./directive-file.ts";
import { FileDigests } from "./file-digests.ts";
import { notFound } from "./include-finder.ts";
import { KeptDirectives, type KeptDirectivesOptions } from "./kept-directives.ts";
import { ScanningIncludeFinder } from "./scanning-include-finder.ts";

const list = (text: string): Uint8Array => Buffer.from(text);

async function opened(
  t: TestContext,
  file: string,
  options: KeptDirectivesOptions = {},
): Promise<KeptDirectives> {
  const kept = new KeptDirectives(file, {
    saveDelayMs: 1e6,
    onProblem: (error) => assert.fail(String(error)),
    ...options,
  });
  await kept.ready();
  t.after(() => kept.release());
  return kept;
}

/** Saved by an agent that has ended. */
async function store(
  t: TestContext,
  file: string,
  lists: Readonly<Record<string, string>>,
  maxBytes = 1 << 20,
): Promise<void> {
  const kept = await opened(t, file, { maxBytes });
  for (const [key, text] of Object.entries(lists)) kept.put(key, list(text));
  await kept.release();
}

function textOf(kept: KeptDirectives, key: string): string | undefined {
  const bytes = kept.get(key);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}

test("a list is known at once, and to the next agent", async (t) => {
  const file = join(new Project(t).folder, "agent", "directives");
  const kept = await opened(t, file);
  assert.equal(kept.get("a-1"), undefined);
  kept.put("a-1", list("one"));
  assert.equal(textOf(kept, "a-1"), "one");
  await kept.save();
  assert.equal(textOf(kept, "a-1"), "one");
  await kept.release();
  assert.equal(kept.get("a-1"), undefined, "nothing is held after the release");
  await kept.ready();
  assert.equal(textOf(kept, "a-1"), "one");
  assert.equal(textOf(await opened(t, file), "a-1"), "one");
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("nothing is read or made before somebody asks", async (t) => {
  const file = join(new Project(t).folder, "agent", "directives");
  const kept = new KeptDirectives(file);
  await kept.release();
  assert.equal(existsSync(file), false);
});

test("what is put is saved by itself", async (t) => {
  const file = join(new Project(t).folder, "directives");
  const kept = await opened(t, file, { saveDelayMs: 1 });
  const before = statSync(file).size;
  kept.put("a", list("one"));
  // The timer does not keep the process.
  const deadline = AbortSignal.timeout(10_000);
  while (statSync(file).size === before && !deadline.aborted)
    await new Promise((resolve) => setImmediate(resolve));
  assert.equal(textOf(await opened(t, file), "a"), "one");
});

test("the latest list of a key counts", async (t) => {
  const file = join(new Project(t).folder, "directives");
  await store(t, file, { a: "old" });
  await store(t, file, { a: "new" });
  assert.equal(textOf(await opened(t, file), "a"), "new");
});

test("of a torn file the whole records are left, and new ones are found again", async (t) => {
  const file = join(new Project(t).folder, "directives");
  await store(t, file, { a: "one", b: "two" });
  const { length } = readFileSync(file);
  for (let size = 0; size < length; size += 1) {
    await store(t, file, { b: "two" });
    truncateSync(file, Math.min(size, statSync(file).size));
    await store(t, file, { c: "three" });
    const kept = await opened(t, file);
    assert.equal(textOf(kept, "c"), "three", `after ${size} bytes`);
    assert.ok(["one", undefined].includes(textOf(kept, "a")));
    await kept.release();
  }
});

test("damaged records and those of other versions are nothing", async (t) => {
  const file = join(new Project(t).folder, "directives");
  await store(t, file, { a: "one", b: "two" });
  const damaged = readFileSync(file);
  damaged.write("O", damaged.indexOf("one"));
  writeFileSync(file, damaged);
  const kept = await opened(t, file);
  assert.equal(kept.get("a"), undefined);
  assert.equal(kept.get("b"), undefined, "what follows the damage is lost");
  await kept.release();
  writeFileSync(file, Buffer.concat([Buffer.from("homcc directives 0.1\n"), encodeRecord("a", list("one"))]));
  const other = await opened(t, file);
  assert.equal(other.get("a"), undefined);
  other.put("a", list("mine"));
  await other.release();
  assert.equal(textOf(await opened(t, file), "a"), "mine");
});

test("what another agent did to the file is noticed", async (t) => {
  const file = join(new Project(t).folder, "directives");
  await store(t, file, { a: "one" });
  const kept = await opened(t, file);
  appendFileSync(file, encodeRecord("b", list("two")));
  kept.put("c", list("three"));
  await kept.save();
  assert.equal(textOf(kept, "c"), "three");
  writeFileSync(file, "something else altogether, and longer than all that was there");
  assert.equal(kept.get("a"), undefined);
});

test("a full file is halved: what was used stays, then the newest", async (t) => {
  const file = join(new Project(t).folder, "directives");
  const maxBytes = 10_000;
  const text = "x".repeat(1_000);
  for (let number = 0; number < 9; number += 1) await store(t, file, { [`k${number}`]: text });
  const kept = await opened(t, file, { maxBytes });
  assert.equal(textOf(kept, "k0"), text);
  kept.put("k9", list(text));
  await kept.save();
  assert.ok(statSync(file).size <= maxBytes / 2 + 100, String(statSync(file).size));
  const left = (store: KeptDirectives): string[] =>
    Array.from({ length: 10 }, (_, number) => `k${number}`).filter((key) => textOf(store, key) === text);
  assert.deepEqual(left(kept), ["k0", "k7", "k8", "k9"]);
  kept.put("more", list("more"));
  await kept.release();
  const next = await opened(t, file);
  assert.deepEqual(left(next), ["k0", "k7", "k8", "k9"]);
  assert.equal(textOf(next, "more"), "more");
  assert.equal(existsSync(`${file}.${process.pid}`), false);
});

test("a folder that cannot be used costs one message", async (t) => {
  const { folder } = new Project(t);
  writeFileSync(join(folder, "file"), "");
  const problems: unknown[] = [];
  const kept = new KeptDirectives(join(folder, "file", "directives"), {
    onProblem: (error) => problems.push(error),
  });
  await kept.ready();
  kept.put("a", list("one"));
  await kept.release();
  assert.equal(kept.get("a"), undefined);
  assert.equal(problems.length, 1);
});

for (const { name, path, family } of compilers) {
  test(`${name}: the next agent lexes only what has changed`, { skip: path === undefined }, async (t) => {
    const project = new Project(t);
    project.write("a.c", '#include "a.h"\n#include "b.h"\n');
    project.write("a.h", "#define A\n");
    project.write("b.h", "int b;\n");
    const file = join(project.folder, "agent", "directives");
    const compilation = project.compilation("a.c");
    const scan = async (): Promise<string[]> => {
      const kept = await opened(t, file);
      const lexed: string[] = [];
      const finder = new ScanningIncludeFinder(
        { find: () => Promise.resolve(notFound("inputs-unknown", "not scanned")) },
        {
          digests: new FileDigests(),
          verifyEvery: Infinity,
          store: {
            ready: () => kept.ready(),
            get: (key) => kept.get(key),
            put: (key, bytes) => {
              lexed.push(key);
              kept.put(key, bytes);
            },
          },
        },
      );
      const found = await finder.find(compilation, project.context(path ?? "", family));
      assert.equal(found.kind, "found");
      await kept.release();
      return lexed;
    };
    assert.ok((await scan()).length >= 3);
    assert.deepEqual(await scan(), []);
    project.write("b.h", "#define B\n");
    assert.equal((await scan()).length, 1);
  });
}

test("of many small lists half stay as well", async (t) => {
  const file = join(new Project(t).folder, "directives");
  const kept = await opened(t, file, { maxRecords: 20 });
  for (let number = 0; number <= 20; number += 1) kept.put(`k${number}`, list("x"));
  await kept.save();
  const left = Array.from({ length: 21 }, (_, number) => `k${number}`).filter(
    (key) => textOf(kept, key) === "x",
  );
  assert.deepEqual(
    left,
    Array.from({ length: 10 }, (_, index) => `k${index + 11}`),
  );
});
