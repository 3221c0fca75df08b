import assert from "node:assert/strict";
import { readFile, realpath } from "node:fs/promises";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import type { ToolchainEntry } from "@homcc/compiler/toolchain";
import { bringsLibrary, charsetOptionOf, isBuiltInLocale } from "./foreign-library.ts";

const library = (path: string, bytes: Uint8Array): ToolchainEntry => ({
  kind: "file",
  path,
  digest: digestOf(bytes),
  executable: true,
});

test("a C library is the server's own only with the same bytes at the same path", async (t) => {
  const path = await realpath("/lib/x86_64-linux-gnu/libc.so.6").catch(() => undefined);
  if (path === undefined) {
    t.skip("needs glibc of x86_64");
    return;
  }
  const own = await readFile(path);
  assert.equal(await bringsLibrary([library(path, own)]), false);
  assert.equal(await bringsLibrary([library(path, Buffer.from("another"))]), true);
  assert.equal(await bringsLibrary([library("/opt/lib/libc.so.6", own)]), true);
  assert.equal(await bringsLibrary([library("/usr/bin/gcc", Buffer.from("static"))]), false);
});

test("what needs a module or data of the library", () => {
  const optionOf = (...argv: string[]): string | undefined => charsetOptionOf([{ argv }]);
  assert.equal(optionOf("gcc", "-finput-charset=latin1", "-c", "a.c"), "-finput-charset=latin1");
  assert.equal(optionOf("gcc", "-fwide-exec-charset=UTF-32", "a.c"), "-fwide-exec-charset=UTF-32");
  assert.equal(optionOf("gcc", "-finput-charset=utf-8", "-fexec-charset=UTF8", "a.c"), undefined);
  assert.equal(optionOf("gcc", "-c", "a.c"), undefined);
  for (const locale of [undefined, "C", "POSIX", "C.UTF-8", "C.utf8"])
    assert.equal(isBuiltInLocale(locale), true);
  for (const locale of ["de_DE.UTF-8", "C.ISO-8859-1", "en_US"]) assert.equal(isBuiltInLocale(locale), false);
});
