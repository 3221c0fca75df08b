import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import type { Action, ActionResult } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import { MemoryBlobStore } from "@homcc/cas/memory-blob-store";
import { silentLogger } from "@homcc/observability/log";
import type { ShareableResult } from "@homcc/results/result-cache";
import { SlotQueue } from "@homcc/scheduler/slots";
import { NameProofs, type RunHere } from "./name-proofs.ts";

const root = "/home/me/project";
const object = { path: `${root}/a.o`, digest: digestOf(Buffer.from("object")) };
const source = Buffer.from("int a; /* __FILE__ */");
let folder: string;
let store: MemoryBlobStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  store = new MemoryBlobStore();
  await store.put(digestOf(source), [source]);
});
afterEach(() => rm(folder, { recursive: true }));

const action: Action = {
  toolchain: digestOf(Buffer.from("toolchain")),
  steps: [{ program: "/usr/bin/gcc", argv: ["gcc", "-c", "a.c"] }],
  cwd: root,
  environment: {},
  umask: 0o022,
  terminal: {},
  inputs: [{ kind: "file", path: `${root}/a.c`, digest: digestOf(source), mtimeNs: 1n }],
  absent: [],
  outputs: [{ path: object.path, exists: false }],
  timeoutMs: 1000,
};

/** A result that tells what it was found to be. */
function shareable(): { readonly result: ShareableResult; readonly settled: Promise<string | undefined> } {
  const settled = Promise.withResolvers<string | undefined>();
  const result = {
    unproven: { action, root, object },
    settle: async (whyNot: string | undefined) => settled.resolve(whyNot),
  };
  return { result, settled: settled.promise };
}

async function ran(text: string): Promise<ActionResult> {
  const file = join(folder, "output");
  await writeFile(file, text);
  return {
    termination: { kind: "exited", status: 0 },
    stdout: Buffer.alloc(0),
    stderr: Buffer.alloc(0),
    outputs: [{ kind: "written", path: object.path, file, sizeBytes: text.length, mode: 0o644 }],
    undeclared: [],
    usage: { wallMs: 0, cpuMs: 0, maxRssKiB: 0 },
    [Symbol.asyncDispose]: async () => {},
  };
}

const isPreprocessing = ({ steps }: Action): boolean => steps[0]?.argv.includes("-E") === true;
const named = `void f() { log("${root}/a.c"); }`;

for (const [what, text, made, whyNot] of [
  ["a text without a name", "int a;", undefined, undefined],
  ["a name that nothing comes of", named, "object", undefined],
  ["a name that something comes of", named, "another", "it depends on the name of a source (__FILE__)"],
  [
    "a name in the open",
    `int n = sizeof "${root}";`,
    undefined,
    "it depends on the name of a source (__FILE__)",
  ],
] as const) {
  test(what, async () => {
    const proofs = new NameProofs({ store, slots: new SlotQueue(1), logger: silentLogger });
    const { result, settled } = shareable();
    const commands: Action[] = [];
    proofs.add(result, "gcc", async (run) => {
      commands.push(run);
      return await ran(isPreprocessing(run) ? text : (made ?? ""));
    });
    assert.equal(await settled, whyNot);
    assert.equal(commands.length, made === undefined ? 1 : 2);
  });
}

test("a client that waits gets the slot at once, and what was interrupted is found out later", async () => {
  const slots = new SlotQueue(1);
  const proofs = new NameProofs({ store, slots, logger: silentLogger });
  const begun = Promise.withResolvers<void>();
  let runs = 0;
  const run: RunHere = async (_action, signal) => {
    runs += 1;
    if (runs > 1) return await ran("int a;");
    const aborted = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => aborted.reject(signal.reason));
    begun.resolve();
    return await aborted.promise;
  };
  const { result, settled } = shareable();
  proofs.add(result, "gcc", run);
  await begun.promise;
  const slot = await slots.acquire();
  assert.equal(runs, 1);
  slot.release();
  assert.equal(await settled, undefined);
  assert.equal(runs, 2);
});

test("what cannot be run any more is left, and the next one is looked into", async () => {
  const proofs = new NameProofs({ store, slots: new SlotQueue(1), logger: silentLogger });
  const [gone, evicted, last] = [shareable(), shareable(), shareable()];
  const settled: string[] = [];
  void gone.settled.then(() => settled.push("gone"));
  void evicted.settled.then(() => settled.push("evicted"));
  proofs.add(gone.result, "gcc", async () => {
    throw new Error("the session was closed");
  });
  const { unproven } = evicted.result;
  const inputs = [{ kind: "file", path: `${root}/b.c`, digest: object.digest, mtimeNs: 1n }] as const;
  proofs.add({ ...evicted.result, unproven: { ...unproven, action: { ...action, inputs } } }, "gcc", () =>
    ran(""),
  );
  proofs.add(last.result, "gcc", () => ran("int a;"));
  assert.equal(await last.settled, undefined);
  assert.deepEqual(settled, []);
});

test("it ends with the server", async () => {
  const slots = new SlotQueue(1);
  const proofs = new NameProofs({ store, slots, logger: silentLogger });
  const slot = await slots.acquire();
  const { result } = shareable();
  proofs.add(result, "gcc", () => assert.fail("it ran"));
  proofs.close();
  slot.release();
  assert.equal(slots.held, 0);
  (await slots.acquire()).release();
});
