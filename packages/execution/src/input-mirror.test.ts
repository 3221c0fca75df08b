import assert from "node:assert/strict";
import { lstatSync, type Stats, mkdtempSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import type { InputEntry } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import { MemoryBlobStore } from "@homcc/cas/memory-blob-store";
import * as fc from "fast-check";
import { InputMirror, type MirrorView } from "./input-mirror.ts";
import { LayerPlan } from "./layer-plan.ts";
import { folderOf } from "./link-resolution.ts";
import { removeTree } from "./remove-tree.ts";

/** A mirror in a temporary folder. */
class Mirrored implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "homcc-mirror-"));
  readonly blobs: MemoryBlobStore = new MemoryBlobStore();
  readonly mirror: InputMirror = new InputMirror(this.folder, this.blobs);
  #jobs = 0;

  async file(path: string, text: string, mtimeNs = 1_600_000_000_123_456_789n): Promise<InputEntry> {
    const bytes = Buffer.from(text);
    await this.blobs.put(digestOf(bytes), [bytes]);
    return { kind: "file", path, digest: digestOf(bytes), mtimeNs };
  }

  /** The layers of a job that has these inputs, newest first, its own one included; `release` when it ends. */
  async job(
    inputs: readonly InputEntry[],
    absent: readonly string[] = [],
  ): Promise<MirrorView & { all: string[] }> {
    const view = await this.mirror.view(inputs, absent);
    const plan = new LayerPlan();
    for (const entry of view.missing) assert.ok(plan.add(entry));
    const own = `own-${this.#jobs++}`;
    await plan.write(join(this.folder, own), this.blobs);
    return { ...view, all: [own, ...view.layers] };
  }

  /** What an overlay of these layers shows: a non-folder hides whatever older layers have at its path and below. */
  show(layers: readonly string[], path: string): string | undefined {
    for (const layer of layers) {
      for (let at = path; at !== ""; at = folderOf(at)) {
        const status = statusOf(join(this.folder, layer, at));
        if (status === undefined) continue;
        if (at !== path) {
          if (status.isDirectory()) break;
          return undefined;
        }
        if (status.isDirectory()) return "folder";
        if (status.isSymbolicLink()) return `link ${readlinkSync(join(this.folder, layer, at))}`;
        return `file ${readFileSync(join(this.folder, layer, at), "utf8")}`;
      }
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeTree(this.folder);
  }
}

test("any sequence of jobs, overlapping or not, sees its own inputs and can tell what is absent", async () => {
  const path = fc.constantFrom("/a", "/a/b", "/a/b/c", "/a/d", "/e", "/e/f");
  const entry = fc.record({
    path,
    kind: fc.constantFrom("file", "file", "directory", "symlink"),
    text: fc.constantFrom("1", "2"),
  });
  const job = fc.record({
    entries: fc.array(entry, { maxLength: 4 }),
    bulk: fc.boolean(),
    overlaps: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(job, { maxLength: 60 }), async (jobs) => {
      await using mirrored = new Mirrored();
      let running: Promise<void>[] = [];
      for (const { entries, bulk, overlaps } of jobs) {
        running.push(checkJob(mirrored, entries, bulk));
        if (!overlaps) {
          await Promise.all(running);
          running = [];
        }
      }
      await Promise.all(running);
    }),
    { numRuns: 25 },
  );
});

async function checkJob(
  mirrored: Mirrored,
  entries: readonly { path: string; kind: string; text: string }[],
  bulk: boolean,
): Promise<void> {
  const plan = new LayerPlan();
  const inputs: InputEntry[] = [];
  for (const { path, kind, text } of entries) {
    let input: InputEntry = { kind: "directory", path };
    if (kind === "file") input = await mirrored.file(path, text);
    if (kind === "symlink") input = { kind: "symlink", path, target: text };
    if (plan.add(input) && !inputs.some((other) => other.path === path)) inputs.push(input);
  }
  if (bulk) for (let at = 0; at < 40; at++) inputs.push(await mirrored.file(`/bulk/${at}`, "bulk"));
  const candidates = ["/a", "/a/b", "/a/b/c", "/a/d", "/e", "/e/f"];
  const job = await mirrored.job(inputs, candidates);
  try {
    for (const input of inputs)
      assert.equal(mirrored.show(job.all, input.path), expected(input), inspect(inputs));
    for (const path of candidates) {
      const shown = mirrored.show(job.layers, path) !== undefined;
      assert.ok(!shown || job.present.includes(path), `${path} is there and not in present`);
    }
  } finally {
    job.release();
  }
}

function expected(input: InputEntry): string {
  if (input.kind === "directory") return "folder";
  if (input.kind === "symlink") return `link ${input.target}`;
  return `file ${input.digest === digestOf(Buffer.from("bulk")) ? "bulk" : input.digest === digestOf(Buffer.from("1")) ? "1" : "2"}`;
}

test("a file used once stays private, one used by several jobs is shared", async () => {
  await using mirrored = new Mirrored();
  const header = await mirrored.file("/p/a.h", "header");
  for (let job = 0; job < 8; job++) {
    const source = await mirrored.file(`/p/${job}.c`, "source");
    const view = await mirrored.job([header, source]);
    view.release();
    await settled();
  }
  const last = await mirrored.mirror.view([header], []);
  assert.deepEqual(last.missing, []);
  assert.equal(last.layers.length, 1);
});

test("jobs that start together with many inputs share a few generations", async () => {
  await using mirrored = new Mirrored();
  const headers = await Promise.all(
    Array.from({ length: 200 }, (_, at) => mirrored.file(`/h/${at}.h`, `${at}`)),
  );
  const views = await Promise.all(
    Array.from({ length: 30 }, async (_, at) => await mirrored.mirror.view(headers.slice(at, at + 150), [])),
  );
  assert.ok(views.every((view) => view.missing.length === 0));
  assert.ok(Math.max(...views.map((view) => view.layers.length)) <= 3);
});

test("the mirror stays small over many edits, and old layers go when their jobs have ended", async () => {
  await using mirrored = new Mirrored();
  const stable = await Promise.all(
    Array.from({ length: 50 }, (_, at) => mirrored.file(`/s/${at}.h`, `${at}`)),
  );
  const long = await mirrored.job(stable);
  for (let edit = 0; edit < 70; edit++) {
    const edited = await Promise.all(
      stable.slice(0, 40).map((entry) => mirrored.file(`/e${entry.path}`, `edit ${edit}`)),
    );
    const view = await mirrored.job([...stable, ...edited]);
    assert.ok(view.layers.length <= 32);
    assert.equal(mirrored.show(view.all, "/e/s/0.h"), `file edit ${edit}`);
    assert.equal(mirrored.show(view.all, "/s/49.h"), "file 49");
    view.release();
  }
  assert.equal(mirrored.show(long.all, "/s/49.h"), "file 49", "a running job keeps its layers");
  long.release();
  for (let wait = 0; wait < 200 && readdirSync(join(mirrored.folder, "g")).length > 32; wait++)
    await settled();
  assert.ok(readdirSync(join(mirrored.folder, "g")).length <= 32);
});

test("times keep their second, and microseconds about", async () => {
  await using mirrored = new Mirrored();
  const second = 1_799_999_999n;
  await fc.assert(
    fc.asyncProperty(fc.bigInt(0n, 999_999_999n), fc.bigInt(0n, second), async (nanoseconds, seconds) => {
      const mtimeNs = seconds * 1_000_000_000n + nanoseconds;
      const view = await mirrored.job([await mirrored.file("/x", "x", mtimeNs)]);
      view.release();
      const status = lstatSync(join(mirrored.folder, view.all[0] ?? "", "x"), { bigint: true });
      assert.equal(status.mtimeNs / 1_000_000_000n, seconds);
      const lost = mtimeNs - status.mtimeNs; // a double's spacing is 240 ns
      assert.ok(lost > -250n && lost < 2000n, `${lost} ns`);
    }),
    {
      numRuns: 50,
      examples: [
        [999_999_999n, second],
        [0n, 0n],
      ],
    },
  );
});

test("equal files have different inodes", async () => {
  await using mirrored = new Mirrored();
  const inputs = await Promise.all(Array.from({ length: 40 }, (_, at) => mirrored.file(`/i/${at}`, "same")));
  const view = await mirrored.job(inputs);
  const inodes = inputs.map(
    (entry) => lstatSync(join(mirrored.folder, view.layers[0] ?? "", entry.path)).ino,
  );
  assert.equal(new Set(inodes).size, inputs.length);
});

function statusOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined; // also below something that is no folder
  }
}

/** Generations that nobody waits for are written in the background. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
