import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import fc from "fast-check";
import { existsAtHome } from "./missed-input.ts";
import { scratchFolder } from "./scratch-folder.fixture.ts";

const digest = digestOf(Buffer.from("x"));

test("looked for in the working folder, beside inputs and in folders that are inputs", async () => {
  await using folder = await scratchFolder();
  const at = (...names: string[]): string => join(folder.path, ...names);
  for (const name of ["cwd", "beside/sub", "searched", "elsewhere"])
    await mkdir(at(name), { recursive: true });
  for (const name of ["cwd/a.h", "beside/b.h", "beside/sub/c.h", "searched/d.h", "elsewhere/e.h"]) {
    await writeFile(at(name), "");
  }
  const action = {
    cwd: at("cwd"),
    inputs: [
      { kind: "file" as const, path: at("beside/x.h"), digest, mtimeNs: 0n },
      { kind: "directory" as const, path: at("searched") },
    ],
    absent: [],
  };
  for (const name of ["a.h", "b.h", "sub/c.h", "d.h", at("elsewhere/e.h"), "../elsewhere/e.h", "./a.h"]) {
    assert.ok(existsAtHome(name, action), name);
  }
  for (const name of ["e.h", "c.h", "sub/a.h", at("none.h"), "a.h/x"])
    assert.ok(!existsAtHome(name, action), name);
});

test("a name that was looked for and was absent was not missed, although it exists in another folder", async () => {
  await using folder = await scratchFolder();
  await writeFile(join(folder.path, "a.h"), "");
  const action = { cwd: folder.path, inputs: [] };
  assert.ok(existsAtHome("a.h", { ...action, absent: ["/usr/include/xa.h"] }));
  assert.ok(!existsAtHome("a.h", { ...action, absent: ["/usr/include/a.h"] }));
});

test("any name is answered", () => {
  const action = { cwd: "/nonexistent", inputs: [], absent: ["/nonexistent/x"] };
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (name) => {
      fc.pre(!name.startsWith("/") && !name.includes(".."));
      assert.equal(existsAtHome(name, action), false);
    }),
  );
});
