import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf } from "@homcc/cas/digest";
import { DirectiveCache } from "./directive-cache.ts";
import type { DirectiveList, LexicalDialect } from "./directives.ts";

const dialect: LexicalDialect = { trigraphs: false, digraphs: true, rawStrings: true, lineComments: true };

function lex(cache: DirectiveCache, source: string, of = dialect): { digest: Digest; list: DirectiveList } {
  const bytes = Buffer.from(source);
  const digest = digestOf(bytes);
  const lexing = cache.lex(digest, of, bytes, 10);
  for (;;) {
    const step = lexing.next();
    if (step.done === true) return { digest, list: step.value };
  }
}

test("a list is known by content and dialect", () => {
  const cache = new DirectiveCache();
  const { digest, list } = lex(cache, "#define A\n");
  assert.equal(cache.get(digest, dialect), list);
  assert.equal(cache.get(digest, { ...dialect, trigraphs: true }), undefined);
  assert.equal(cache.get(digestOf(Buffer.from("")), dialect), undefined);
});

test("another process finds the lists of the store", () => {
  const stored = new Map<string, Uint8Array>();
  const store = {
    get: (key: string) => stored.get(key),
    put: (key: string, bytes: Uint8Array) => stored.set(key, bytes),
  };
  const { digest, list } = lex(new DirectiveCache({ store }), "#define A 1\n#include <a.h>\n");
  assert.ok([...stored.keys()].every((key) => /^[a-z0-9-]+$/.test(key)));
  assert.deepEqual(new DirectiveCache({ store }).get(digest, dialect), list);
  for (const key of stored.keys()) stored.set(key, Buffer.from("damaged"));
  assert.equal(new DirectiveCache({ store }).get(digest, dialect), undefined);
});

test("the lists that were not asked for the longest time are forgotten", () => {
  const cache = new DirectiveCache({ maxDirectives: 15 });
  const one = lex(cache, "#define A\n");
  const two = lex(cache, "#define B\n");
  cache.get(one.digest, dialect);
  lex(cache, "#define C\n");
  assert.equal(cache.get(one.digest, dialect), one.list);
  const three = lex(cache, "#define D\n");
  assert.equal(cache.get(two.digest, dialect), undefined);
  assert.equal(cache.get(three.digest, dialect), three.list);
});
