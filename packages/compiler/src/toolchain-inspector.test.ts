import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { test, type TestContext } from "node:test";
import { hasCode } from "@homcc/observability/error";
import type { CompilerFamily } from "./compilation.ts";
import { prerequisitesOf } from "./dependency-file.ts";
import { findProgram } from "./find-program.ts";
import { LinkWalk } from "./link-walk.ts";
import { ToolchainInspector } from "./toolchain-inspector.ts";
import { manifestDigest } from "./toolchain-manifest.ts";
import { thisMachine, type ToolchainPlace } from "./toolchain-place.ts";
import type { Toolchain, ToolchainEntry } from "./toolchain.ts";

const searchPath = "/usr/sbin:/usr/bin:/sbin:/bin";

function temporaryFolder(t: TestContext): string {
  const folder = realpathSync(mkdtempSync("/tmp/toolchain-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function layOut(entries: readonly ToolchainEntry[], root: string): void {
  for (const entry of entries) {
    const path = join(root, entry.path);
    if (entry.kind === "directory") mkdirSync(path);
    else if (entry.kind === "symlink") symlinkSync(entry.target, path);
    else {
      copyFileSync(entry.path, path);
      chmodSync(path, entry.executable ? 0o755 : 0o644);
    }
  }
}

/** Puts a file and the links and folders on its way into the root, unless the toolchain brought them. */
function addInput(path: string, root: string): void {
  const walk = new LinkWalk();
  const resolved = walk.resolve(path);
  for (const folder of [...walk.crossed, dirname(resolved.path)])
    mkdirSync(join(root, folder), { recursive: true });
  for (const [link, target] of walk.links) {
    mkdirSync(join(root, dirname(link)), { recursive: true });
    spawnSync("ln", ["-sfn", target, join(root, link)]);
  }
  cpSync(resolved.path, join(root, resolved.path), { preserveTimestamps: true });
}

const sources = {
  "hello.c": '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n',
  "hello.cpp":
    "#include <iostream>\n#include <vector>\nint main() { std::vector<int> v{1, 2}; std::cout << v.size(); }\n",
};
const drivers: readonly { family: CompilerFamily; names: readonly [string, string] }[] = [
  { family: "gcc", names: ["gcc", "g++"] },
  { family: "clang", names: ["clang", "clang++"] },
];
for (const { family, names } of drivers) {
  test(`${family} works in a root of nothing but its toolchain and the headers, with equal results`, async (t) => {
    if (process.getuid?.() !== 0) return t.skip("needs root");
    if (names.some((name) => findProgram(name, searchPath) === undefined))
      return t.skip(`needs ${names.join(" and ")}`);
    const folder = temporaryFolder(t);
    const inspector = new ToolchainInspector();
    for (const [index, [name, text]] of Object.entries(sources).entries()) {
      const driver = findProgram(names[index] ?? "", searchPath) ?? "";
      const root = join(folder, `root-${index}`);
      const work = join(folder, `work-${index}`);
      mkdirSync(root);
      mkdirSync(work);
      const source = join(work, name);
      writeFileSync(source, text);
      const { entries } = await inspector.inspect(driver, { family, path: searchPath });
      layOut(entries, root);
      mkdirSync(join(root, "tmp"), { recursive: true });
      for (const flags of [["-g"], ["-g", "-gsplit-dwarf"], ["-O2"], ["-O2", "-flto", "-frandom-seed=1"]]) {
        const listed = spawnSync(driver, [...flags, "-M", source], { encoding: "utf8" }).stdout;
        for (const path of prerequisitesOf(listed)) addInput(path, root);
        const files = flags.includes("-gsplit-dwarf") ? ["x.o", "x.dwo"] : ["x.o"];
        const args = [...flags, "-c", source, "-o", join(work, "x.o")];
        const environment = { PATH: searchPath, PWD: "/" };
        const direct = spawnSync(driver, args, { cwd: "/", env: environment, encoding: "utf8" });
        const confined = spawnSync("chroot", [root, driver, ...args], { env: environment, encoding: "utf8" });
        assert.deepEqual(
          [direct.status, confined.status, confined.stderr],
          [0, 0, ""],
          `${name} ${flags.join(" ")}`,
        );
        for (const file of files) {
          const equal = readFileSync(join(work, file)).equals(readFileSync(join(root, work, file)));
          assert.ok(equal, `${file} of ${name} with ${flags.join(" ")}`);
        }
      }
    }
    return undefined;
  });
}

test("entries are sorted, unique, complete with their folders, and give the digest", async (t) => {
  const driver = findProgram("g++", searchPath);
  if (driver === undefined) return t.skip("needs g++");
  const toolchain = await new ToolchainInspector().inspect(driver, { family: "gcc", path: searchPath });
  const paths = toolchain.entries.map(({ path }) => path);
  assert.deepEqual(paths, [...new Set(paths)].sort());
  const folders = new Set(
    toolchain.entries.filter(({ kind }) => kind === "directory").map(({ path }) => path),
  );
  for (const path of paths) assert.ok(dirname(path) === "/" || folders.has(dirname(path)), path);
  assert.equal(toolchain.digest, manifestDigest(toolchain.entries));
  for (const name of ["cc1plus", "as", "g++", "libc.so.6", "stddef.h"]) {
    assert.ok(
      paths.some((path) => path.endsWith(`/${name}`)),
      name,
    );
  }
  assert.ok(
    !paths.some((path) => path.endsWith("/lto1") || path.endsWith(".a") || path.startsWith("/usr/include")),
  );
  return undefined;
});

/** A compiler in a folder of its own: a copy of gcc's driver with an assembler that PATH leads to. */
function privateCompiler(t: TestContext): { inspect: () => Promise<Toolchain>; folder: string } | undefined {
  const gcc = findProgram("gcc", searchPath);
  if (gcc === undefined) return undefined;
  const folder = temporaryFolder(t);
  copyFileSync(realpathSync("/usr/bin/as"), join(folder, "as"));
  const inspector = new ToolchainInspector({ recheckMs: 0 });
  return {
    folder,
    inspect: async () => await inspector.inspect(gcc, { family: "gcc", path: `${folder}:${searchPath}` }),
  };
}

test("a changed file, a new file found first and a changed PATH are seen", async (t) => {
  const compiler = privateCompiler(t);
  if (compiler === undefined) return t.skip("needs gcc");
  const { folder, inspect } = compiler;
  const first = await inspect();
  assert.ok(first.entries.some(({ path }) => path === join(folder, "as")));
  assert.equal(await inspect(), first, "nothing changed: the same answer");
  appendFileSync(join(folder, "as"), "x");
  const second = await inspect();
  assert.notEqual(second.digest, first.digest);
  copyFileSync(realpathSync("/usr/bin/objcopy"), join(folder, "objcopy"));
  const third = await inspect();
  assert.ok(third.entries.some(({ path }) => path === join(folder, "objcopy")));
  rmSync(join(folder, "as"));
  const fourth = await inspect();
  assert.ok(!fourth.entries.some(({ path }) => path === join(folder, "as")));
  return undefined;
});

test("two inspectors agree, and a remembered digest is used after a restart", async (t) => {
  const driver = findProgram("gcc", searchPath);
  if (driver === undefined) return t.skip("needs gcc");
  const cacheFile = join(temporaryFolder(t), "deep/digests.json");
  const question = { family: "gcc", path: searchPath } as const;
  const first = await new ToolchainInspector({ cacheFile }).inspect(driver, question);
  const text = readFileSync(cacheFile, "utf8");
  const second = await new ToolchainInspector({ cacheFile }).inspect(driver, question);
  assert.deepEqual(second, first);
  // A remembered digest is believed while the stat is the same.
  const cc1 = first.entries.find(({ path }) => path.endsWith("/cc1"));
  assert.ok(cc1?.kind === "file");
  const list = text.slice(text.indexOf("\n") + 1).replace(
    cc1.digest,
    cc1.digest.replaceAll(/^./g, (hex) => (hex === "0" ? "1" : "0")),
  );
  writeFileSync(cacheFile, `${crc32(list).toString(16)}\n${list}`);
  const third = await new ToolchainInspector({ cacheFile }).inspect(driver, question);
  assert.notEqual(third.digest, first.digest);
  // But not when the disk has changed it.
  const flipped = text.slice(0, text.indexOf("\n") + 1) + list;
  const handmade = '[["/x",{"stamp":"s","digest":"no"}]]';
  for (const damaged of [
    flipped,
    `${crc32(handmade).toString(16)}\n${handmade}`,
    "",
    "\n",
    "0\n",
    "[",
    "[[1,2]]",
    '[["/x",{"stamp":"s","digest":"no"}]]',
    "{}",
  ]) {
    writeFileSync(cacheFile, damaged);
    const again = await new ToolchainInspector({ cacheFile }).inspect(driver, question);
    assert.equal(again.digest, first.digest);
  }
  return undefined;
});

test("concurrent calls share one inspection", async (t) => {
  const driver = findProgram("gcc", searchPath);
  if (driver === undefined) return t.skip("needs gcc");
  const inspector = new ToolchainInspector();
  const question = { family: "gcc", path: searchPath } as const;
  const [first, second] = await Promise.all([
    inspector.inspect(driver, question),
    inspector.inspect(driver, question),
  ]);
  assert.equal(first, second);
  return undefined;
});

test("a missing driver and a script are refused", async (t) => {
  const folder = temporaryFolder(t);
  const script = join(folder, "gcc");
  writeFileSync(script, '#!/bin/sh\nexec gcc "$@"\n');
  chmodSync(script, 0o755);
  for (const driver of [script, join(folder, "missing"), "/bin/true", folder]) {
    const inspected = new ToolchainInspector().inspect(driver, { family: "gcc", path: searchPath });
    await assert.rejects(inspected, (error) => hasCode(error, "ERR_HOMCC_TOOLCHAIN"), driver);
  }
});

test("whatever question gets no answer, no toolchain with a part less comes of it", async (t) => {
  const driver = findProgram("gcc", searchPath);
  if (driver === undefined) return t.skip("needs gcc");
  const question = { family: "gcc", path: searchPath } as const;
  const asked: string[] = [];
  let broken = "";
  const place: ToolchainPlace = {
    root: "",
    run: async (program, args, environment) => {
      if (program !== driver) return await thisMachine.run(program, args, environment);
      asked.push(args.join(" "));
      // Killed by the kernel for want of memory.
      if (asked.at(-1) === broken) return await thisMachine.run("/bin/sh", ["-c", "kill -9 $$"], environment);
      return await thisMachine.run(program, args, environment);
    },
  };
  const inspector = new ToolchainInspector({ place, recheckMs: 0 });
  // Another question, of which nothing is kept for those below.
  const whole = await inspector.inspect(driver, { ...question, libraryPath: "/" });
  const questions = [...new Set(asked)];
  assert.ok(questions.includes("-print-prog-name=as"));
  for (broken of questions) {
    await assert.rejects(
      inspector.inspect(driver, question),
      (error) => hasCode(error, "ERR_HOMCC_TOOLCHAIN"),
      broken,
    );
  }
  broken = "";
  assert.equal((await inspector.inspect(driver, question)).digest, whole.digest);
  return undefined;
});

test("a toolchain below another root has the digest that it has in its own, and a change of it there is noticed", async (t) => {
  const driver = findProgram("g++", searchPath);
  if (driver === undefined) return t.skip("needs g++");
  const question = { family: "gcc", path: searchPath } as const;
  const own = await new ToolchainInspector().inspect(realpathSync(driver), question);
  const root = temporaryFolder(t);
  layOut(own.entries, root);
  const inside: ToolchainPlace = {
    root,
    run: async (program, args, env) => {
      const { stdout, stderr } = spawnSync("chroot", [root, program, ...args], {
        env: { ...env, PATH: "/usr/sbin" },
      });
      return { stdout, stderr };
    },
  };
  if (spawnSync("chroot", [root, realpathSync(driver), "--version"]).status !== 0)
    return t.skip("needs root");
  const inspector = new ToolchainInspector({ place: inside, recheckMs: 0 });
  const there = await inspector.inspect(realpathSync(driver), question);
  assert.deepEqual(there.entries, own.entries);
  assert.equal(there.digest, own.digest);
  const compiler = there.entries.find(({ path }) => path.endsWith("/cc1plus"));
  assert.ok(compiler !== undefined);
  appendFileSync(root + compiler.path, "\0");
  const changed = await inspector.inspect(realpathSync(driver), question);
  assert.equal(changed.version, own.version);
  assert.notEqual(changed.digest, own.digest);
});
