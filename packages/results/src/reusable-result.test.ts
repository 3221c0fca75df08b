import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import { MemoryBlobStore } from "@homcc/cas/memory-blob-store";
import { actionIn } from "./action.fixture.ts";
import { MentionsByDigest } from "./mentions.ts";
import { objectionTo, type Reusability, reusabilityOf } from "./reusable-result.ts";

const root = "/home/me/project";

/** Of a compile of `source`, or of a system's header with that text. */
async function judge(
  source: string,
  {
    words = [],
    family = "gcc",
    isSystem = false,
  }: { words?: string[]; family?: "gcc" | "clang"; isSystem?: boolean } = {},
): Promise<Reusability> {
  const store = new MemoryBlobStore();
  const digest = digestOf(Buffer.from(source));
  await store.put(digest, [Buffer.from(source)]);
  const path = isSystem ? "/usr/include/a.h" : `${root}/src/a.c`;
  const action = actionIn(root, {
    inputs: [{ kind: "file", path, digest, mtimeNs: 1n }],
    steps: [{ program: "/usr/bin/gcc", argv: ["gcc", "-c", "a.c", ...words] }],
  });
  return await reusabilityOf(action, root, family, new MentionsByDigest(store));
}

const plain = { kind: "reusable", mentionsName: false, mentionsTypeName: false };
const named = { ...plain, mentionsName: true };

test("a source of one's own that looks at names, and a command that does", async () => {
  assert.deepEqual(await judge("int a;"), plain);
  for (const word of ["__FILE__", "__BASE_FILE__", "__builtin_FILE()", "source_location", "__FILE_NAME__"]) {
    assert.deepEqual(await judge(word), named, word);
    assert.deepEqual(await judge(word, { isSystem: true }), plain, word);
    assert.deepEqual(await judge("int n = sizeof NAME;", { words: [`-DNAME=${word}`] }), named, word);
  }
});

test("names of types are names of files to clang alone", async () => {
  assert.deepEqual(await judge("__PRETTY_FUNCTION__"), plain);
  assert.deepEqual(await judge("__PRETTY_FUNCTION__", { family: "clang" }), {
    ...plain,
    mentionsTypeName: true,
  });
});

test("the time, in a source of anybody's or in the command, is of one moment", async () => {
  for (const word of ["__DATE__", "__TIME__", "__TIMESTAMP__"]) {
    for (const judged of [
      judge(word),
      judge(word, { isSystem: true }),
      judge("", { words: [`-DT=${word}`] }),
    ])
      assert.equal((await judged).kind, "once", word);
  }
});

const compiled = { termination: { kind: "exited", status: 0 }, undeclared: [], outputs: [] } as const;

test("a result is kept when the compiler read nothing but its inputs", () => {
  assert.equal(objectionTo({ ...compiled, unlisted: [] }), undefined);
  assert.equal(objectionTo(compiled), undefined, "it did not say");
  assert.equal(objectionTo({ ...compiled, unlisted: ["/w/late.h"] }), "it also read /w/late.h");
});
