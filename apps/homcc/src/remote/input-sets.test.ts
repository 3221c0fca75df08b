import assert from "node:assert/strict";
import { test } from "node:test";
import type { InputEntry } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import { InputSets } from "./input-sets.ts";

const file = (path: string): InputEntry => ({
  kind: "file",
  path,
  digest: digestOf(Buffer.from(path)),
  mtimeNs: 0n,
});
const folder = (path: string): InputEntry => ({ kind: "directory", path });
const link = (path: string, target: string): InputEntry => ({ kind: "symlink", path, target });
const found = (entries: readonly InputEntry[], absent: readonly string[] = []) =>
  ({ kind: "found", entries, absent }) as const;

test("each path is there once, and the root never", () => {
  const { inputs } = new InputSets().of(
    found([file("/w/a.c"), folder("/w")]),
    [folder("/w"), folder("/")],
    false,
  );
  assert.deepEqual(inputs.map(({ path }) => path).sort(), ["/w", "/w/a.c"]);
});

test("the same lists while nothing changed, others once a place did", () => {
  const sets = new InputSets();
  const answer = found([file("/w/a.c")]);
  const first = sets.of(answer, [folder("/w/out"), link("/w/l", "x")], false);
  assert.equal(sets.of(answer, [folder("/w/out"), link("/w/l", "x")], false).inputs, first.inputs);
  const retargeted = sets.of(answer, [folder("/w/out"), link("/w/l", "y")], false);
  assert.notEqual(retargeted.inputs, first.inputs);
  assert.ok(retargeted.inputs.some((entry) => entry.kind === "symlink" && entry.target === "y"));
  const elsewhere = sets.of(answer, [folder("/w/other")], false);
  assert.deepEqual(elsewhere.inputs.map(({ path }) => path).sort(), ["/w/a.c", "/w/other"]);
  const turned = sets.of(answer, [link("/w/other", "x")], false);
  assert.ok(turned.inputs.some(({ kind }) => kind === "symlink"));
});

test("what is a sandbox's own does not travel there", () => {
  const sets = new InputSets();
  const answer = found([file("/w/a.c"), file("/usr/include/a.h")], ["/usr/include/b.h", "/w/b.h"]);
  const plain = sets.of(answer, [], false);
  assert.equal(plain.inputs.length, 2);
  assert.equal(plain.absent, answer.absent);
  const sandboxed = sets.of(answer, [], true);
  assert.deepEqual(
    sandboxed.inputs.map(({ path }) => path),
    ["/w/a.c"],
  );
  assert.deepEqual(sandboxed.absent, ["/w/b.h"]);
  assert.equal(sets.of(answer, [], false).inputs.length, 2);
});

test("an input that every machine has of its own is named", () => {
  const sets = new InputSets();
  assert.equal(sets.of(found([file("/w/a.c")]), [], false).perMachine, undefined);
  assert.equal(
    sets.of(found([file("/w/a.c"), file("/proc/cpuinfo")]), [], false).perMachine,
    "/proc/cpuinfo",
  );
});
