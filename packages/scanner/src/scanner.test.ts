import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import * as fc from "fast-check";
import { CannotScan } from "./cannot-scan.ts";
import type { LanguageFacts } from "./language-facts.ts";
import { createFacts, MemoryFiles } from "./memory-files.fixture.ts";
import type { ScannedClosure } from "./scanned-closure.ts";
import { fileText, guarded, header } from "./random-headers.fixture.ts";
import { Scanner, type ScannerOptions, type ScanRequest } from "./scanner.ts";
import type { SourceRecord } from "./source-files.ts";

const noMacros = { macros: Buffer.from(""), macroFiles: [], includes: [], preinclude: false };

function request(
  scanner: Scanner<SourceRecord>,
  facts: LanguageFacts,
  more: Partial<ScanRequest> & { readonly family?: CompilerFamily } = {},
): ScanRequest {
  const { family = "gcc", ...rest } = more;
  return {
    arrival: scanner.arrive(),
    order: { family, cwd: "/p", quote: ["/q"], angle: ["/one", "/two"], embed: [] },
    facts,
    roots: noMacros,
    source: "/p/a.cpp",
    modules: false,
    key: "",
    lookAround: () => undefined,
    signal: new AbortController().signal,
    ...rest,
  };
}

function createScanner(files: MemoryFiles, options: ScannerOptions = {}): Scanner<SourceRecord> {
  return new Scanner<SourceRecord>(files, options);
}

/** Files, `!` and absent names, `/` and folders, `->` and links. */
function listOf({ files, absent, directories, links }: ScannedClosure<SourceRecord>): string[] {
  return [
    ...files.map(
      ({ path, record }) => `${path} ${record?.entry.digest ?? ""} ${record?.entry.mtimeNs ?? 0n}`,
    ),
    ...absent.map(({ path }) => `! ${path}`),
    ...directories.map(({ path }) => `/ ${path}`),
    ...links.map(({ path, target }) => `-> ${path} ${target}`),
  ].sort();
}

function namesOf({ files }: ScannedClosure<SourceRecord>): string[] {
  return files.map(({ path }) => path).sort();
}

test("a unit that did not change costs a look at each file and folder, and no reading", async () => {
  const files = new MemoryFiles();
  files.write("/p/a.cpp", "#include <x.h>\n#include <y.h>\n");
  files.write("/two/x.h", "#include <y.h>\n");
  files.write("/two/y.h", "");
  files.write("/one/z.h", "");
  files.wait(10_000);
  const scanner = createScanner(files);
  const facts = createFacts();
  const first = await scanner.scan(request(scanner, facts));
  assert.equal(files.reads, 3);
  files.looks = 0;
  const again = await scanner.scan(request(scanner, facts));
  assert.equal(again, first, "the same object");
  assert.equal(files.reads, 3);
  // /, /p, /one and /two, and three files; /one/x.h and /one/y.h are absent as long as /one is as it was.
  assert.equal(files.looks, 7);
});

test("after an edit only the source is read, and the closure is the same object", async () => {
  const files = new MemoryFiles();
  files.write("/p/a.cpp", "#include <x.h>\n");
  files.write("/two/x.h", "#define X\n");
  files.wait(10_000);
  const scanner = createScanner(files);
  const facts = createFacts();
  const first = await scanner.scan(request(scanner, facts));
  files.write("/p/a.cpp", "#include <x.h>\n#ifdef X\n#endif\n");
  files.reads = 0;
  assert.equal(await scanner.scan(request(scanner, facts)), first);
  assert.equal(files.reads, 1);
});

test("units that are asked for together share their looks; one that is asked for later does not", async () => {
  const files = new MemoryFiles();
  for (const name of ["a", "b", "c"]) files.write(`/p/${name}.cpp`, "#include <x.h>\n");
  files.write("/two/x.h", "");
  files.wait(10_000);
  const scanner = createScanner(files);
  const facts = createFacts();
  const [one, other] = ["a", "b"].map((name) => request(scanner, facts, { source: `/p/${name}.cpp` }));
  assert.ok(one !== undefined && other !== undefined);
  await scanner.scan(one);
  files.looks = 0;
  await scanner.scan(other);
  assert.equal(files.looks, 1, "its own source");
  files.write("/two/x.h", "#include <new.h>\n");
  files.write("/two/new.h", "");
  assert.ok(
    namesOf(await scanner.scan(request(scanner, facts, { source: "/p/c.cpp" }))).includes("/two/new.h"),
  );
});

test("names that are absent in a folder that was changed just now are looked up again", async () => {
  const files = new MemoryFiles();
  files.write("/p/a.cpp", "#include <x.h>\n");
  files.write("/two/x.h", "");
  files.write("/one/z.h", "");
  const scanner = createScanner(files);
  const facts = createFacts();
  assert.deepEqual(namesOf(await scanner.scan(request(scanner, facts))), ["/p/a.cpp", "/two/x.h"]);
  files.write("/one/x.h", "");
  assert.deepEqual(namesOf(await scanner.scan(request(scanner, facts))), ["/one/x.h", "/p/a.cpp"]);
});

test("all questions of a unit are asked in one go, and once", async () => {
  const files = new MemoryFiles();
  const conditions = ["a", "b", "c"].map(
    (name) => `#if __has_attribute(${name})\n#include <${name}.h>\n#endif\n`,
  );
  files.write("/p/a.cpp", `${conditions.join("")}#define HAS(x) __has_attribute(x)\n#if HAS(d)\n#endif\n`);
  files.write("/two/b.h", "#if __has_attribute(e)\n#endif\n");
  files.wait(10_000);
  const facts = createFacts((question) => (question.endsWith("(b)") ? 3 : 0));
  const scanner = createScanner(files);
  assert.deepEqual(namesOf(await scanner.scan(request(scanner, facts))), ["/p/a.cpp", "/two/b.h"]);
  assert.equal(facts.asked.length, 2, "of the source, then of the header that an answer led to");
  await scanner.scan(request(scanner, facts));
  assert.equal(facts.asked.length, 2);
});

test("a question without an answer cannot be scanned", async () => {
  const files = new MemoryFiles();
  files.write("/p/a.cpp", "#if __has_attribute(a)\n#endif\n");
  const scanner = createScanner(files);
  await assert.rejects(
    scanner.scan(
      request(
        scanner,
        createFacts(() => undefined),
      ),
    ),
    { reason: "compiler" },
  );
});

test("a file that is too large to be read at once is read meanwhile", async () => {
  const files = new MemoryFiles();
  files.maxSyncBytes = 100;
  files.write("/p/a.cpp", `#include <x.h>\n${"// comment\n".repeat(100_000)}#include <y.h>\n`);
  files.write("/two/x.h", "");
  files.write("/two/y.h", "");
  const scanner = createScanner(files);
  assert.deepEqual(namesOf(await scanner.scan(request(scanner, createFacts()))), [
    "/p/a.cpp",
    "/two/x.h",
    "/two/y.h",
  ]);
});

test("a file that is too young to be known by its stat is identified once for each unit", async () => {
  for (const maxSyncBytes of [Infinity, 10]) {
    const files = new MemoryFiles();
    files.settles = false;
    files.maxSyncBytes = maxSyncBytes;
    files.write("/p/a.cpp", "#include <x.h>\n#include <x.h>\n");
    files.write("/two/x.h", "#define X 1\n");
    const scanner = createScanner(files);
    const facts = createFacts();
    for (const scans of [1, 2]) {
      await scanner.scan(request(scanner, facts));
      assert.equal(files.identifications, 2 * scans);
      assert.equal(files.reads, 2);
    }
    files.write("/two/x.h", "#include <y.h>\n");
    files.write("/two/y.h", "");
    assert.deepEqual(namesOf(await scanner.scan(request(scanner, facts))), [
      "/p/a.cpp",
      "/two/x.h",
      "/two/y.h",
    ]);
  }
});

test("other work goes on during a long scan", async () => {
  const files = new MemoryFiles();
  const count = 1500;
  for (let index = 0; index < count; index += 1) {
    const macros = Array.from(
      { length: 40 },
      (_, macro) => `#define M${index}_${macro} ${macro}\n#if M${index}_${macro} > 50\n#endif\n`,
    );
    files.write(`/two/${index}.h`, macros.join(""));
  }
  files.write("/p/a.cpp", Array.from({ length: count }, (_, index) => `#include <${index}.h>\n`).join(""));
  const scanner = createScanner(files);
  let turns = 0;
  const turn = setInterval(() => (turns += 1), 0);
  const closure = await scanner.scan(request(scanner, createFacts()));
  clearInterval(turn);
  assert.equal(closure.files.length, count + 1);
  assert.ok(turns > 5, `${turns} turns`);
});

test("an aborted scan rejects with the reason", async () => {
  const files = new MemoryFiles();
  files.write("/p/a.cpp", "");
  const scanner = createScanner(files);
  const reason = new Error("nobody waits");
  await assert.rejects(
    scanner.scan(request(scanner, createFacts(), { signal: AbortSignal.abort(reason) })),
    (error) => error === reason,
  );
});

test("what is looked at around a unit belongs to it, and is watched", async () => {
  const files = new MemoryFiles();
  files.write("/p/a.cpp", "#if 1\n#include <x.h>\n#endif\n#include <y.h>\n#include <z.h>\n");
  for (const name of ["x", "y", "z"]) files.write(`/two/${name}.h`, "");
  files.wait(10_000);
  const scanner = createScanner(files);
  const facts = createFacts();
  let rounds = 0;
  const lookAround: ScanRequest["lookAround"] = (around) => {
    rounds += 1;
    around.look("/p/catalog");
    around.peek("/two/unused");
    assert.deepEqual(around.firstIncludes, ["<x.h", "<y.h"]);
  };
  const first = await scanner.scan(request(scanner, facts, { lookAround }));
  assert.ok(listOf(first).includes("! /p/catalog"));
  assert.ok(!listOf(first).some((name) => name.includes("unused")));
  await scanner.scan(request(scanner, facts, { lookAround }));
  assert.equal(rounds, 1);
  files.write("/p/catalog", "");
  assert.ok(namesOf(await scanner.scan(request(scanner, facts, { lookAround }))).includes("/p/catalog"));
  assert.equal(rounds, 2);
});

test("a scanner that forgets all the time finds the same", async () => {
  const files = new MemoryFiles();
  files.write("/p/a.cpp", "#include <x.h>\n#include <y.h>\n");
  files.write("/two/x.h", "#define X\n");
  files.write("/two/y.h", "#ifdef X\n#include <z.h>\n#endif\n");
  files.write("/two/z.h", "");
  const scanner = createScanner(files, {
    maxNodes: 1,
    maxMemoBytes: 1,
    maxDirectives: 1,
    maxSettingBytes: 1,
  });
  const facts = createFacts();
  const first = listOf(await scanner.scan(request(scanner, facts)));
  assert.deepEqual(listOf(await scanner.scan(request(scanner, facts))), first);
  scanner.release();
  assert.deepEqual(listOf(await scanner.scan(request(scanner, facts))), first);
});

/** Random headers, random edits: a scanner that knows everything finds what one that knows nothing finds. */
const place = fc.constantFrom("/p", "/p/sub", "/q", "/one", "/one/sub", "/two");
const path = fc.tuple(place, header).map(([folder, name]) => `${folder}/${name}.h`);
const edit = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("write" as const), path, text: fileText }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      path: fc.constant("/p/a.cpp"),
      text: fileText,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("remove" as const),
      path: fc.oneof(path, fc.constantFrom("/one", "/p/sub")),
      text: fc.constant(""),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("link" as const), path, text: path }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("options" as const),
      path: fc.constant(""),
      text: fc.constantFrom("", "#define M 1\n", "#define N 1\n#undef M\n", "#define O 2\n"),
    }),
  },
);

for (const family of ["gcc", "clang"] as const) {
  test(`memos and watches change no result (${family})`, async (t) => {
    let found = 0;
    let refused = 0;
    const both = async (
      warm: Scanner<SourceRecord>,
      files: MemoryFiles,
      facts: LanguageFacts,
      macros: string,
    ): Promise<void> => {
      const results: unknown[] = [];
      for (const scanner of [warm, createScanner(files)]) {
        const roots = { ...noMacros, macros: Buffer.from(macros) };
        try {
          results.push(listOf(await scanner.scan(request(scanner, facts, { family, roots }))));
        } catch (error) {
          if (!(error instanceof CannotScan)) throw error;
          results.push(error.reason);
        }
      }
      assert.deepEqual(results[0], results[1]);
      if (typeof results[0] === "string") refused += 1;
      else found += 1;
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(path, fileText), { minLength: 10, maxLength: 25, size: "max" }),
        fileText,
        fc.array(fc.tuple(edit, fc.boolean()), { maxLength: 15, size: "max" }),
        async (initial, main, edits) => {
          const files = new MemoryFiles();
          const facts = createFacts((question) => question.length % 2);
          for (const name of ["a", "b", "c", "d", "e", "f"]) files.write(`/two/${name}.h`, "");
          for (const [name, text] of initial) files.write(name, guarded(name, text));
          files.write("/p/a.cpp", main);
          let macros = "";
          const warm = createScanner(files);
          await both(warm, files, facts, macros);
          for (const [{ kind, path: name, text }, quiet] of edits) {
            if (quiet) files.wait(5000);
            if (kind === "write" && !hasFileAbove(files, name))
              files.write(name, name.endsWith(".cpp") ? text : guarded(name, text));
            else if (kind === "remove") files.remove(name);
            else if (kind === "link" && !files.exists(name)) files.link(name, text);
            else if (kind === "options") macros = text;
            await both(warm, files, facts, macros);
          }
        },
      ),
      { numRuns: 200 },
    );
    t.diagnostic(`${found} closures compared, ${refused} refusals`);
    assert.ok(found > refused / 4, "too few closures to prove anything");
  });
}

function hasFileAbove(files: MemoryFiles, name: string): boolean {
  return files.exists(name) && files.lstat(name)?.isSymbolicLink() === true;
}
