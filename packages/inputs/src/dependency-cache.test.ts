import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { test, type TestContext } from "node:test";
import type { Clock } from "@homcc/observability/clock";
import { DependencyCache } from "./dependency-cache.ts";
import { compilers, Project } from "./discovery.fixture.ts";
import { createFinder, InputDiscovery, type Discovery } from "./discovery.ts";
import { digestOf, type Digest } from "@homcc/cas/digest";
import { FileDigests } from "./file-digests.ts";
import { notFound, type FoundInputs, type IncludeFinder } from "./include-finder.ts";
import { NamesByDigest } from "./names-by-digest.ts";

/** Later than all files, so that none is too young to be trusted. */
const laterClock: Clock = { wallMs: () => Date.now() + 60_000, monotonicMs: () => performance.now() };

interface Watched {
  readonly project: Project;
  readonly cache: DependencyCache;
  /** What is found now, and whether the compiler was asked for it. */
  discover(): Promise<{ readonly discovery: Discovery; readonly asked: boolean }>;
  /** The same without waiting for the compiler after an edit. */
  foresee(): Promise<Discovery>;
}

function timesAsked({ counters }: DependencyCache): number {
  return counters.misses + counters.guesses;
}

function watched(t: TestContext, clock: Clock = laterClock): Watched | undefined {
  const compiler = compilers[0]?.path;
  if (compiler === undefined) return undefined;
  const project = new Project(t);
  project.write(
    "src/a.cpp",
    '#include <x.h>\n#include "y.h"\n#if __has_include("probed.h")\n#endif\n#include <linked/z.h>\n',
  );
  for (const name of ["two/x.h", "src/y.h", "real/z.h"]) project.write(name, "int a;\n");
  project.makeFolder("one");
  project.link("two/linked", "../real");
  const cache = createFinder({ clock, scans: false });
  const discoveries = new InputDiscovery(cache);
  const compilation = project.compilation("src/a.cpp", ["-Ione", "-Itwo", "-Ilater"]);
  const discover = async (): ReturnType<Watched["discover"]> => {
    const before = timesAsked(cache);
    const discovery = await discoveries.discover(compilation, project.context(compiler, "gcc"));
    return { discovery, asked: timesAsked(cache) > before };
  };
  const foresee = (): Promise<Discovery> =>
    discoveries.foresee(compilation, project.context(compiler, "gcc"));
  return { project, cache, discover, foresee };
}

test("while nothing changes the compiler is not asked, and the answer is the same object", async (t) => {
  const watch = watched(t);
  if (watch === undefined) return t.skip("needs g++");
  const first = await watch.discover();
  const second = await watch.discover();
  assert.deepEqual([first.asked, second.asked], [true, false]);
  assert.equal(second.discovery, first.discovery);
  return undefined;
});

const changes: readonly [string, (project: Project) => void][] = [
  ["a header's contents", (project) => appendFileSync(project.at("two/x.h"), "int b;\n")],
  ["a source of the same size", (project) => project.write("src/y.h", "int b;\n")],
  ["a header that is deleted", (project) => unlinkSync(project.at("src/y.h"))],
  ["a header that now comes first in the search order", (project) => void project.write("one/x.h")],
  ["a header beside the source that was found elsewhere", (project) => void project.write("src/probed.h")],
  ["an include folder that was missing", (project) => void project.makeFolder("later")],
  ["a folder that was missing on the way", (project) => void project.makeFolder("one/linked")],
  ["an include folder that is deleted", (project) => rmSync(project.at("one"), { recursive: true })],
  [
    "a link to another folder",
    (project) => {
      project.write("other/z.h", "int a;\n");
      unlinkSync(project.at("two/linked"));
      symlinkSync("../other", project.at("two/linked"));
    },
  ],
  [
    "a folder replaced by a link to it",
    (project) => {
      renameSync(project.at("two"), project.at("moved"));
      symlinkSync("moved", project.at("two"));
    },
  ],
];
for (const [what, change] of changes) {
  test(`seen: ${what}`, async (t) => {
    const watch = watched(t);
    if (watch === undefined) return t.skip("needs g++");
    await watch.discover();
    change(watch.project);
    const { asked, discovery } = await watch.discover();
    assert.equal(asked, true);
    const fresh = watched(t);
    assert.ok(fresh !== undefined && discovery.kind === "found");
    assert.equal((await watch.discover()).asked, false);
    return undefined;
  });
}

test("files that come and go beside the inputs do not matter", async (t) => {
  const watch = watched(t);
  if (watch === undefined) return t.skip("needs g++");
  const { discovery } = await watch.discover();
  for (const name of ["one/other.h", "src/a.o", "two/x.h.bak"]) watch.project.write(name);
  const second = await watch.discover();
  assert.equal(second.asked, false);
  assert.equal(second.discovery, discovery);
  return undefined;
});

test("a touched file keeps its place in the answer and brings its new time", async (t) => {
  const watch = watched(t);
  if (watch === undefined) return t.skip("needs g++");
  await watch.discover();
  const path = watch.project.at("src/y.h");
  utimesSync(path, 1_650_000_000, 1_650_000_000);
  const { discovery, asked } = await watch.discover();
  assert.equal(asked, false);
  const entry =
    discovery.kind === "found" ? discovery.entries.find((candidate) => candidate.path === path) : undefined;
  assert.ok(entry?.kind === "file" && entry.mtimeNs === statSync(path, { bigint: true }).mtimeNs);
  return undefined;
});

test("a file as young as the clock's grain is read every time", async (t) => {
  const watch = watched(t, { wallMs: () => Date.now() + 1000, monotonicMs: () => performance.now() });
  if (watch === undefined) return t.skip("needs g++");
  await watch.discover();
  assert.equal((await watch.discover()).asked, false);
  const path = watch.project.at("src/y.h");
  const { mtime } = statSync(path);
  writeFileSync(path, "int b;\n");
  utimesSync(path, mtime, mtime);
  assert.equal((await watch.discover()).asked, true);
  return undefined;
});

interface Guess {
  readonly paths: readonly string[];
  readonly digests: ReadonlyMap<string, Digest>;
  readonly confirmed: boolean | undefined;
}

async function guess(watch: Watched): Promise<Guess> {
  const foreseen = await watch.foresee();
  assert.ok(foreseen.kind === "found");
  const files = foreseen.entries.flatMap((entry) => (entry.kind === "file" ? [entry] : []));
  return {
    paths: files.map(({ path }) => path).toSorted(),
    digests: new Map(files.map(({ path, digest }) => [path, digest])),
    confirmed: await foreseen.confirm?.(),
  };
}

test("an edit without a new name is answered at once with the new content, and confirmed", async (t) => {
  const watch = watched(t);
  if (watch === undefined) return t.skip("needs g++");
  const before = await guess(watch);
  const edited = watch.project.write("src/y.h", "int edited;\n");
  const after = await guess(watch);
  assert.deepEqual(after.paths, before.paths);
  assert.equal(after.digests.get(edited), digestOf(Buffer.from("int edited;\n")));
  assert.deepEqual([before.confirmed, after.confirmed], [undefined, true]);
  assert.deepEqual(watch.cache.counters, { hits: 0, guesses: 1, misses: 1, compilations: 1 });
  assert.equal((await guess(watch)).confirmed, undefined);
  return undefined;
});

test("a guess that a conditional makes wrong is not confirmed, and the next answer is right", async (t) => {
  const watch = watched(t);
  if (watch === undefined) return t.skip("needs g++");
  watch.project.write("src/y.h", "#define MORE 0\n");
  watch.project.write("real/z.h", '#if MORE\n#include "more.h"\n#endif\n');
  watch.project.write("real/more.h", '#include "deep.h"\n');
  const deep = watch.project.write("real/deep.h");
  assert.equal((await guess(watch)).digests.has(deep), false);
  watch.project.write("src/y.h", "#define MORE 1\n");
  assert.equal((await guess(watch)).confirmed, false);
  const now = await guess(watch);
  assert.deepEqual([now.digests.has(deep), now.confirmed], [true, undefined]);
  return undefined;
});

test("an edit that brings a name is no guess", async (t) => {
  const watch = watched(t);
  if (watch === undefined) return t.skip("needs g++");
  await guess(watch);
  watch.project.write("real/deep.h");
  watch.project.write("src/y.h", '#include "../real/deep.h"\n');
  assert.equal((await guess(watch)).confirmed, undefined);
  assert.deepEqual(watch.cache.counters, { hits: 0, guesses: 0, misses: 2, compilations: 1 });
  return undefined;
});

test("what was edited again while the compiler was asked has its last content in the next answer", async (t) => {
  const watch = watched(t);
  if (watch === undefined) return t.skip("needs g++");
  await guess(watch);
  watch.project.write("src/y.h", "int edited;\n");
  const foreseen = await watch.foresee();
  watch.project.write("src/y.h", "int edited_again;\n");
  assert.ok(foreseen.kind === "found");
  const files = foreseen.entries.filter(({ path }) => path === watch.project.at("src/y.h"));
  assert.equal(files.length, 1);
  assert.deepEqual(await Promise.all([foreseen.confirm?.(), foreseen.confirm?.()]), [false, false]);
  assert.equal(watch.cache.counters.misses, 1);
  const last = await guess(watch);
  assert.equal(last.digests.get(watch.project.at("src/y.h")), digestOf(Buffer.from("int edited_again;\n")));
  return undefined;
});

function emptyMemories(): { readonly digests: FileDigests; readonly names: NamesByDigest } {
  const digests = new FileDigests();
  return { digests, names: new NamesByDigest(digests) };
}

function nothing(lasting: boolean): FoundInputs {
  const startedAtMs = Date.now();
  return {
    kind: "found",
    files: [],
    directories: [],
    links: new Map(),
    absent: () => [],
    startedAtMs,
    lasting,
  };
}

/** A finder that finds nothing, as often as asked. */
function emptyFinder(): IncludeFinder & { asked: number } {
  return {
    asked: 0,
    find() {
      this.asked += 1;
      return Promise.resolve(nothing(true));
    },
  };
}

test("the least recently used compilation is forgotten first", async (t) => {
  const project = new Project(t);
  const finder = emptyFinder();
  const cache = new DependencyCache(finder, { ...emptyMemories(), maxCompilations: 2 });
  const ask = async (source: string): Promise<void> => {
    await cache.find(project.compilation(source), project.context("/bin/true", "gcc"));
  };
  for (const source of ["a.cpp", "b.cpp", "a.cpp", "c.cpp", "a.cpp"]) await ask(source);
  assert.equal(finder.asked, 3);
  await ask("b.cpp");
  assert.equal(finder.asked, 4);
  assert.equal(cache.counters.compilations, 2);
});

test("a bound in bytes holds too", async (t) => {
  const project = new Project(t);
  const cache = new DependencyCache(emptyFinder(), { ...emptyMemories(), maxBytes: 5000 });
  for (let index = 0; index < 50; index += 1) {
    await cache.find(project.compilation(`${index}.cpp`), project.context("/bin/true", "gcc"));
  }
  assert.ok(cache.counters.compilations < 10);
});

test("an idle agent keeps the latest compilations", async (t) => {
  const project = new Project(t);
  const finder = emptyFinder();
  const cache = new DependencyCache(finder, { ...emptyMemories(), idleMaxBytes: 5000 });
  const ask = async (index: number): Promise<void> => {
    await cache.find(project.compilation(`${index}.cpp`), project.context("/bin/true", "gcc"));
  };
  for (let index = 0; index < 50; index += 1) await ask(index);
  assert.equal(cache.counters.compilations, 50);
  cache.release();
  assert.ok(cache.counters.compilations > 0 && cache.counters.compilations < 10);
  await ask(49);
  assert.equal(finder.asked, 50);
});

test("arguments, folder, environment and compiler tell compilations apart", async (t) => {
  const project = new Project(t);
  const finder = emptyFinder();
  const cache = new DependencyCache(finder, emptyMemories());
  const context = project.context("/bin/true", "gcc");
  const variants = [
    [project.compilation("a.cpp"), context],
    [project.compilation("a.cpp", ["-DX"]), context],
    [project.compilation("a.cpp"), { ...context, cwd: "/" }],
    [project.compilation("a.cpp"), { ...context, environment: { CPATH: "/x" } }],
    [project.compilation("a.cpp"), { ...context, compilerPath: "/bin/false" }],
  ] as const;
  for (const [compilation, where] of [...variants, ...variants]) await cache.find(compilation, where);
  assert.equal(finder.asked, variants.length);
});

test("what belongs at home, and what changed while it was found, is not kept", async (t) => {
  const project = new Project(t);
  const answers = [notFound("inputs-unknown", "x"), nothing(false)];
  for (const answer of answers) {
    let asked = 0;
    const finder: IncludeFinder = { find: () => Promise.resolve(answer).finally(() => (asked += 1)) };
    const cache = new DependencyCache(finder, emptyMemories());
    for (const _ of [1, 2])
      await cache.find(project.compilation("a.cpp"), project.context("/bin/true", "gcc"));
    assert.equal(asked, 2);
  }
});

test("64 discoveries at once", async (t) => {
  const compiler = compilers[0]?.path;
  if (compiler === undefined) return t.skip("needs g++");
  const project = new Project(t);
  for (let index = 0; index < 64; index += 1)
    project.write(`${index}.cpp`, `#include "all.h"\nint x${index};\n`);
  project.write("all.h", "#include <stddef.h>\n");
  mkdirSync(project.at("inc"));
  const discoveries = new InputDiscovery(createFinder({ clock: laterClock, scans: false }));
  const all = async (): Promise<Discovery[]> => {
    const sources = Array.from({ length: 64 }, (_, index) => `${index}.cpp`);
    return await Promise.all(
      sources.map((source) =>
        discoveries.discover(project.compilation(source, ["-Iinc"]), project.context(compiler, "gcc")),
      ),
    );
  };
  const first = await all();
  assert.ok(first.every(({ kind }) => kind === "found"));
  assert.deepEqual(await all(), first);
  return undefined;
});
