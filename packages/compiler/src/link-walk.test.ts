import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { LinkWalk } from "./link-walk.ts";

function temporaryFolder(): { path: string } & Disposable {
  const path = realpathSync(mkdtempSync("/tmp/link-walk-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("a path through `..` behind a link means what it means to the kernel", () => {
  using folder = temporaryFolder();
  const at = (name: string): string => join(folder.path, name);
  mkdirSync(at("deep/inner"), { recursive: true });
  writeFileSync(at("deep/x.h"), "");
  writeFileSync(at("x.h"), "");
  symlinkSync("deep/inner", at("link"));
  const walk = new LinkWalk();
  const resolved = walk.resolve(`${folder.path}/link/../x.h`);
  assert.equal(resolved.path, at("deep/x.h"));
  assert.deepEqual([...walk.links], [[at("link"), "deep/inner"]]);
  assert.deepEqual([...walk.crossed], [at("deep/inner")]);
});

test("a missing path is represented by its first missing component", () => {
  using folder = temporaryFolder();
  const resolved = new LinkWalk().resolve(`${folder.path}/no/such/file.h`);
  assert.deepEqual(resolved, {
    kind: "absent",
    path: join(folder.path, "no"),
    folder: folder.path,
    name: "no",
  });
});

test("a file used as a folder and a circle of links are blocked, not absent", () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "file"), "");
  symlinkSync("b", join(folder.path, "a"));
  symlinkSync("a", join(folder.path, "b"));
  const walk = new LinkWalk();
  assert.equal(walk.resolve(`${folder.path}/file/x`).kind, "blocked");
  assert.equal(walk.resolve(`${folder.path}/a`).kind, "blocked");
});

test("random walks through a tree with links end where realpath ends", () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, "a/b/c"), { recursive: true });
  mkdirSync(join(folder.path, "d"));
  for (const place of ["a", "a/b", "a/b/c", "d", "."]) writeFileSync(join(folder.path, place, "f"), "");
  symlinkSync("../d", join(folder.path, "a/up"));
  symlinkSync(join(folder.path, "a/b"), join(folder.path, "d/abs"));
  symlinkSync("up/abs/c", join(folder.path, "a/chain"));
  symlinkSync("nowhere", join(folder.path, "d/dangling"));
  const names = ["a", "b", "c", "d", "f", "up", "abs", "chain", "dangling", "..", ".", ""];
  const walk = new LinkWalk();
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 8 }), (components) => {
      const path = [folder.path, ...components].join("/");
      const resolved = walk.resolve(path);
      let real: string | undefined;
      try {
        real = realpathSync.native(path);
      } catch {
        real = undefined;
      }
      if (real !== undefined) assert.equal(resolved.path, real);
      else
        assert.ok(resolved.kind === "absent" || resolved.kind === "blocked", `${path} is ${resolved.kind}`);
    }),
  );
});
