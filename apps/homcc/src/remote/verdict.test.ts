import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { Termination } from "@homcc/cas/action";
import fc from "fast-check";
import { scratchFolder } from "./scratch-folder.fixture.ts";
import { judge, missingFiles, type RemoteFacts } from "./verdict.ts";

const facts: RemoteFacts = {
  termination: { kind: "exited", status: 0 },
  stderr: "",
  executor: "namespace",
  localeKnown: true,
  missedInput: () => false,
};

function exited(
  status: number,
  stderr: string,
  changes: Partial<RemoteFacts> = {},
): ReturnType<typeof judge> {
  return judge({ ...facts, termination: { kind: "exited", status }, stderr, ...changes });
}

const final = { kind: "final", outcome: "compile-error" };

test("success and plain errors are final", () => {
  assert.deepEqual(exited(0, "a.c:1:5: warning: unused"), { kind: "final", outcome: "compiled-remotely" });
  assert.deepEqual(exited(1, "a.c:1:5: error: expected ';'"), final);
  assert.deepEqual(exited(1, ""), final);
});

test("what the server's side may have caused is not", () => {
  const cases: readonly [Termination, string][] = [
    [{ kind: "signalled", signal: 11 }, "remote-crash"],
    [{ kind: "timed-out" }, "timed-out"],
    [{ kind: "limited", limit: "memory" }, "remote-limit"],
  ];
  for (const [termination, outcome] of cases) {
    const verdict = judge({ ...facts, termination });
    assert.deepEqual([verdict.kind, verdict.outcome], ["fallback", outcome]);
    assert.ok(!("doubtedStatus" in verdict));
  }
});

test("crashes by their traces", () => {
  const crashes: readonly [number, string][] = [
    [4, ""],
    [139, ""],
    [254, "clang: error: unable to execute command: Segmentation fault\n"],
    [70, "PLEASE submit a bug report to https://bugs.llvm.org/\n"],
    [1, "a.c:1:1: internal compiler error: Segmentation fault\n"],
    [1, "g++: fatal error: Killed signal terminated program cc1plus\ncompilation terminated.\n"],
    [1, "g++: schwerwiegender Fehler: Signal Getötet beendete Programm cc1plus\nKompilierung beendet.\n"],
    [1, "/usr/bin/gcc-12: fatal error: Killed signal terminated program as\n"],
  ];
  for (const [status, stderr] of crashes)
    assert.equal(exited(status, stderr).outcome, "remote-crash", stderr);
  const errors = [
    "a.c:1:1: error: expected ‘=’ before ‘as’\n",
    "cc1: all warnings being treated as errors\n",
    "a.c: In function ‘as’:\na.c:1:1: error: x\n",
  ];
  for (const stderr of errors) assert.deepEqual(exited(1, stderr), final);
});

test("limits by their traces", () => {
  const limits = [
    "cc1plus: out of memory allocating 65536 bytes after a total of 1134592 bytes\n",
    "virtual memory exhausted: Cannot allocate memory\n",
    "a.c:1:1: fatal error: error writing to /tmp/cc1.s: No space left on device\n",
    "fatal error: error in backend: IO failure on output stream: Disk quota exceeded\n",
  ];
  for (const stderr of limits) assert.equal(exited(1, stderr).outcome, "remote-limit", stderr);
});

test("messages in a locale that the server lacks", () => {
  assert.equal(exited(0, "a warning", { localeKnown: false }).outcome, "locale-missing");
  assert.equal(exited(1, "an error", { localeKnown: false }).outcome, "locale-missing");
  assert.equal(exited(0, "", { localeKnown: false }).outcome, "compiled-remotely");
});

test("a failure in a mapped folder, or for want of a file that is at home, is compared with a local run", () => {
  assert.deepEqual(exited(3, "error", { executor: "mapped" }), {
    kind: "fallback",
    outcome: "mapped-failure",
    detail: "exit status 3",
    doubtedStatus: 3,
  });
  const stderr = "a.c:1:10: fatal error: b.h: No such file or directory\n";
  assert.deepEqual(exited(1, stderr, { missedInput: (name) => name === "b.h" }), {
    kind: "fallback",
    outcome: "missing-file",
    detail: "b.h",
    doubtedStatus: 1,
  });
  assert.deepEqual(exited(1, stderr), final);
});

test("however long the messages, few names are looked for", () => {
  const stderr = Array.from({ length: 50_000 }, (_, n) => `a.s:${n}: Error: file not found: ${n}.bin`).join(
    "\n",
  );
  const asked: string[] = [];
  const verdict = exited(1, stderr, { missedInput: (name) => asked.push(name) < 0 });
  assert.deepEqual(verdict, final);
  assert.ok(asked.length > 0 && asked.length < 100, String(asked.length));
});

test("never final when the compiler did not end by itself", () => {
  const termination = fc.oneof(
    fc.record({ kind: fc.constant("signalled" as const), signal: fc.integer({ min: 1, max: 64 }) }),
    fc.constant({ kind: "timed-out" as const }),
    fc.record({ kind: fc.constant("limited" as const), limit: fc.string() }),
  );
  const others = fc.record({ stderr: fc.string(), executor: fc.string(), localeKnown: fc.boolean() });
  fc.assert(
    fc.property(termination, others, fc.boolean(), (termination, others, missed) => {
      assert.equal(judge({ ...others, termination, missedInput: () => missed }).kind, "fallback");
    }),
  );
});

test("any text is judged, and a failure is never called a success", () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(": ", "error: ", "x.h", ": No such file or directory", "\n"),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 255 }), fc.array(line), (status, lines) => {
      assert.notEqual(exited(status, lines.join("")).outcome, "compiled-remotely");
      assert.ok(missingFiles(lines.join("")).every((name) => name !== ""));
    }),
  );
});

interface Miss {
  readonly what: string;
  readonly file: string;
  readonly text: string;
  readonly options?: readonly string[];
  readonly name: string;
  readonly only?: string;
}

const misses: readonly Miss[] = [
  { what: "quotes", file: "a.c", text: '#include "gone.h"\n', name: "gone.h" },
  { what: "brackets", file: "a.cpp", text: "#include <gone/away>\n", name: "gone/away" },
  { what: "-include", file: "a.c", text: "int x;\n", options: ["-include", "gone.h"], name: "gone.h" },
  { what: "a blank", file: "a.c", text: '#include "gone far.h"\n', name: "gone far.h" },
  { what: ".incbin", file: "a.s", text: '.incbin "gone.bin"\n', name: "gone.bin" },
  { what: ".include", file: "a.s", text: '.include "gone.inc"\n', name: "gone.inc" },
  { what: "the source", file: "b.c", text: "", name: "a.c" },
  {
    what: "a list",
    file: "a.c",
    text: "",
    options: ["-fsanitize=address", "-fsanitize-ignorelist=gone.list"],
    name: "gone.list",
    only: "clang",
  },
  {
    what: "a profile",
    file: "a.c",
    text: "",
    options: ["-fprofile-use=gone.prof"],
    name: "gone.prof",
    only: "clang",
  },
];

async function missing(t: TestContext, compiler: string, locale: string, miss: Miss): Promise<void> {
  await using folder = await scratchFolder();
  await writeFile(join(folder.path, miss.file), miss.text);
  const source = miss.what === "the source" ? "a.c" : miss.file;
  for (const colour of compiler === "gcc" ? ["always", "never"] : ["color", "no-color"]) {
    const option = compiler === "gcc" ? `-fdiagnostics-color=${colour}` : `-f${colour}-diagnostics`;
    const ran = spawnSync(compiler, ["-c", source, option, ...(miss.options ?? [])], {
      cwd: folder.path,
      encoding: "utf8",
      env: { ...process.env, LC_ALL: locale },
    });
    if (ran.error !== undefined) return t.skip(`needs ${compiler}`);
    const stderr = stripVTControlCharacters(ran.stderr);
    assert.ok(missingFiles(stderr).includes(miss.name), stderr);
    const verdict = exited(ran.status ?? 1, stderr, { missedInput: (name) => name === miss.name });
    assert.equal(verdict.outcome, "missing-file");
    assert.deepEqual(exited(ran.status ?? 1, stderr), final);
  }
}

for (const compiler of ["gcc", "clang"]) {
  for (const locale of ["C", "de_DE.UTF-8"]) {
    for (const miss of misses) {
      if (miss.only !== undefined && miss.only !== compiler) continue;
      test(`${compiler} in ${locale} misses: ${miss.what}`, (t) => missing(t, compiler, locale, miss));
    }
  }
}

test("messages of real errors name no missing file", async (t) => {
  await using folder = await scratchFolder();
  const text = `#include <vector>
template <class T> int f(T) { return T::error; }
int f(int, int);
int main() { std::vector<int> error; f(error); f("a", 1, 2); note: return warning; static_assert(sizeof(int) == 3, "map: bad"); }
`;
  await writeFile(join(folder.path, "a.cpp"), text);
  for (const compiler of ["g++", "clang++"]) {
    for (const locale of ["C", "de_DE.UTF-8"]) {
      const env = { ...process.env, LC_ALL: locale };
      const ran = spawnSync(compiler, ["-c", "a.cpp"], { cwd: folder.path, encoding: "utf8", env });
      if (ran.error !== undefined) return t.skip(`needs ${compiler}`);
      assert.equal(ran.status, 1);
      const single = missingFiles(ran.stderr).filter((name) => !/\s/.test(name));
      // "note: candidate: 'int f(int, int)'" looks like one; no file is called so.
      assert.deepEqual(
        single.filter((name) => !/^(candidate|Kandidat)$/.test(name)),
        [],
      );
    }
  }
});

test("what is looked for in a server's words is found in no more time than they take to read", () => {
  const parts = [
    "error: ",
    "'a",
    "a: ",
    "Could not read profile ",
    "Error: can't open ",
    "x: y: z: ",
    "\u001B[",
  ];
  for (const part of parts) {
    const startedMs = performance.now();
    missingFiles(part.repeat((1 << 20) / part.length));
    // A second is a hundred times what it takes, and a hundredth of what a square would.
    assert.ok(performance.now() - startedMs < 1000, part);
  }
});
