import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { appendFile, link, rename, rm, stat, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type Digest, digestOf } from "@homcc/cas/digest";
import { hostIdOf } from "@homcc/scheduler/host";
import { type OutputBase, OutputBases } from "./output-bases.ts";
import { scratchFolder } from "./scratch-folder.fixture.ts";

const server = hostIdOf({ name: "a", port: 1, limit: 1 });
const other = hostIdOf({ name: "b", port: 1, limit: 1 });

/** An object of random bytes that the agent has just written. */
async function written(bases: OutputBases, path: string): Promise<Buffer> {
  const bytes = randomBytes(5000);
  await writeFile(path, bytes);
  bases.note(server, path, digestOf(bytes));
  return bytes;
}

test("an output is its own base while nobody has touched it", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.o");
  const touches: readonly [string, () => Promise<void>][] = [
    ["written into", () => writeFile(path, randomBytes(5000))],
    ["cut", () => truncate(path, 10)],
    ["another time", () => utimes(path, 1, 1)],
    ["linked", () => link(path, join(folder.path, "link"))],
    ["gone", () => rm(path)],
    [
      "replaced",
      async () => {
        await writeFile(`${path}.new`, "x".repeat(5000));
        await rename(`${path}.new`, path);
      },
    ],
    [
      "a link to it",
      async () => {
        await rename(path, `${path}.moved`);
        await symlink(`${path}.moved`, path);
      },
    ],
  ];
  for (const [what, touch] of touches) {
    const bases = new OutputBases();
    await rm(path, { force: true });
    const bytes = await written(bases, path);
    {
      using base = bases.open(other, path);
      assert.ok(base, what);
      assert.equal(base.digest, digestOf(bytes));
      assert.deepEqual(await base.read(), bytes);
    }
    await touch();
    assert.equal(bases.open(server, path), undefined, what);
  }
});

test("an output whose file is gone or another is told by what is kept of it, and so is the latest of its kind", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.o");
  const [keptBytes, held] = [new Map<Digest, Buffer>(), new Set<Digest>()];
  const hold = (digest: Digest): OutputBase | undefined => {
    const bytes = keptBytes.get(digest);
    if (bytes === undefined) return undefined;
    held.add(digest);
    return { digest, read: async () => bytes, [Symbol.dispose]: () => held.delete(digest) };
  };
  const bases = new OutputBases(undefined, { hold });
  const bytes = await written(bases, path);
  keptBytes.set(digestOf(bytes), bytes);
  {
    using base = bases.open(server, path);
    assert.deepEqual([base?.digest, held.size], [digestOf(bytes), 0], "the file itself");
  }
  for (const touch of [() => writeFile(path, "another"), () => rm(path)]) {
    await touch();
    for (const name of [path, join(folder.path, "b.o")]) {
      using base = bases.open(server, name);
      assert.deepEqual([await base?.read(), held.size], [bytes, 1], name);
    }
    assert.equal(held.size, 0);
  }
  keptBytes.clear();
  assert.equal(bases.open(server, path), undefined);
});

test("a file that is written again is its own base; one whose maker was never known is none", async () => {
  await using folder = await scratchFolder();
  const [path, unknown] = [join(folder.path, "a.o"), join(folder.path, "b.o")];
  const bases = new OutputBases();
  await written(bases, path);
  const again = randomBytes(6000);
  for (const name of [path, unknown]) {
    await writeFile(name, again);
    bases.note(undefined, name, digestOf(again));
  }
  using base = bases.open(server, path);
  assert.equal(base?.digest, digestOf(again));
  assert.equal(bases.open(server, unknown, true), undefined);
});

test("a new output has the latest of its kind from that server as its base", async () => {
  await using folder = await scratchFolder();
  const path = (name: string): string => join(folder.path, name);
  const bases = new OutputBases();
  assert.equal(bases.open(server, path("a.o")), undefined);
  const first = await written(bases, path("a.o"));
  const second = await written(bases, path("b.o"));
  const dependencies = await written(bases, path("b.d"));
  for (const [name, expected] of [
    ["c.o", second],
    ["c.d", dependencies],
    ["a.o", first],
  ] as const) {
    using base = bases.open(server, path(name));
    assert.equal(base?.digest, digestOf(expected), name);
  }
  assert.equal(bases.open(server, path("c.gcno")), undefined);
  assert.equal(bases.open(other, path("c.o")), undefined);
});

test("what replaces the file after it was opened does not matter, what writes into it shows", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.o");
  const bases = new OutputBases();
  const bytes = await written(bases, path);
  using base = bases.open(server, path);
  assert.ok(base);
  await rename(path, `${path}.old`);
  await writeFile(path, "another");
  assert.deepEqual(await base.read(), bytes);
  await writeFile(`${path}.old`, "written into");
  assert.notDeepEqual(await base.read(), bytes);
});

test("files are held for a bounded number of outputs, and given back", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.o");
  const bases = new OutputBases();
  await written(bases, path);
  const held = Array.from({ length: 600 }, () => bases.open(server, path));
  assert.equal(held.filter((base) => base !== undefined).length, 512);
  for (const base of held) base?.[Symbol.dispose]();
  for (const base of held) base?.[Symbol.dispose]();
  using again = bases.open(server, path);
  assert.ok(again);
});

test("an empty output is no base, nor is one that is gone when it is noted", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.o");
  const bases = new OutputBases();
  bases.note(server, path, digestOf(Buffer.from("x")));
  await writeFile(path, "");
  bases.note(server, path, digestOf(Buffer.alloc(0)));
  assert.equal(bases.open(server, path), undefined);
});

test("the next agent knows the outputs of this one, whatever else lies in the file", async () => {
  await using folder = await scratchFolder();
  const [file, path] = [join(folder.path, "kept/outputs"), join(folder.path, "a.o")];
  const first = new OutputBases(file);
  const bytes = await written(first, path);
  first.save();
  await appendFile(file, '{"a":1}\n[1,2,3,4]\nnonsense\n["/b.o","not a digest","1","a:1"]\n["/torn');
  const second = new OutputBases(file);
  for (const name of [path, join(folder.path, "b.o")]) {
    using base = second.open(server, name);
    assert.deepEqual(await base?.read(), bytes);
  }
  second.save();
  await rm(file);
  assert.equal(new OutputBases(file).open(server, path), undefined);
  second.save();
  await assert.rejects(stat(file), "nothing had changed");
});
