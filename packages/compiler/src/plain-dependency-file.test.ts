import assert from "node:assert/strict";
import { test } from "node:test";
import { isPlainDependencyFile } from "./plain-dependency-file.ts";

const compiler = ["g++", "-MD", "-c", "a.cpp"];

test("what compilers write is plain", () => {
  for (const text of [
    "",
    "\n",
    "a.o: a.cpp h.h\n",
    "a.o: a.cpp \\\n h.h \\\n /usr/include/c++/12/vector\n\nh.h:\n",
    "a.o:a.cpp\r\n",
    "a.o: with\\ blank.h with\\#hash.h with$$dollar.h\n",
    "dir/a.o dir/a.d: a.cpp\n",
    "a.o: C:/x.h\n",
  ])
    assert.ok(isPlainDependencyFile(text, compiler), text);
});

test("what make would do more with is not", () => {
  for (const text of [
    "a.o: $(shell x)\n",
    "a.o: $$$(shell x)\n",
    "a.o: ${x}\n",
    "a.o: $x\n",
    "a.o: a.cpp\n\tx\n",
    "\t\n",
    "a.o: a.cpp; x\n",
    "a.o: CC = x\n",
    "CC := x\n",
    "CC ::= x\n",
    "include x\n",
    "a.o: a.cpp \\\n\n-include x\n",
    "define x\n",
    "a.o: a.cpp\nexport\n",
  ])
    assert.ok(!isPlainDependencyFile(text, compiler), text);
});

test("names of the job's own files may have any character that compilers leave in them", () => {
  const names = (): string[] => ["/w/a=b/c;d.h", "/w/new\nline.h", "/w/a $;.h"];
  assert.ok(isPlainDependencyFile("a=b/a.o: a=b/c;d.h new\nline.h \\\n a\\ $$;.h\n", compiler, names));
  assert.ok(!isPlainDependencyFile("a=b/a.o: a=b/c;d.h ; x\n", compiler, names));
  assert.ok(!isPlainDependencyFile("a=b/a.o: a.cpp ; c;d.h\n", compiler, names));
  assert.ok(!isPlainDependencyFile("a=b = x\n", compiler, names));
});

test("the caller's own targets may be anything, where they stand and nowhere else", () => {
  const argv = [...compiler, "-MT", "$(objects)/a.o", "-MTb=c;d", "-MQ", "x", "-Wp,-MT,$(more)"];
  assert.ok(isPlainDependencyFile("$(objects)/a.o b=c;d $(more): a.cpp\n", argv));
  assert.ok(!isPlainDependencyFile("$(objects)/a.o: $(shell x)\n", argv));
  assert.ok(!isPlainDependencyFile("a.o: a.cpp\n\t$(objects)/a.o:\n", argv));
});
