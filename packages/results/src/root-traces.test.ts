import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { RootTraces } from "./root-traces.ts";

const compiler = "gcc";
const traces = new RootTraces("/home/me/project");

test("a root is found in each form in which it is written", async () => {
  const name = "/home/me/project";
  const [narrow, wide] = [Buffer.from(name), Buffer.from(name, "utf16le")];
  for (const bytes of [
    narrow,
    Buffer.from(`../..${name}/x`),
    wide,
    Buffer.from(wide).swap16(),
    Buffer.from([...narrow].flatMap((letter) => [letter, 0, 0, 0])),
    Buffer.from([...narrow].flatMap((letter) => [0, 0, 0, letter])),
    Buffer.from("_GLOBAL__I__home_me_project_a_c"),
    Buffer.concat([Buffer.alloc((1 << 20) - 5), narrow]),
  ]) {
    assert.ok(await traces.isIn(bytes));
  }
  assert.ok(!(await traces.isIn(Buffer.from("/home/me/projec"))));
  assert.ok(!(await traces.isIn(Buffer.alloc(3 << 20))));
});

/** Sections that would not become smaller stay as they are. */
const longSource = Array.from(
  { length: 200 },
  (_, index) => `int function_${index}(void) { return ${index}; }\n`,
).join("");

for (const flag of ["-gz=zlib", "-gz=zlib -m32", "-gz=zlib-gnu"]) {
  test(`it is found in debug information compressed with ${flag}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "homcc-test-"));
    try {
      writeFileSync(join(folder, "a.c"), longSource);
      const argv = [
        "-g",
        "-gdwarf-4",
        ...flag.split(" "),
        `-ffile-prefix-map=${folder}=/home/me/project`,
        "-c",
        "a.c",
      ];
      execFileSync(compiler, argv, { cwd: folder, stdio: "pipe" });
      const object = readFileSync(join(folder, "a.o"));
      if (flag === "-gz=zlib-gnu" && object.includes("home/me"))
        return t.skip("this gcc does not compress so");
      assert.ok(!object.includes("home/me"), "it is really compressed");
      assert.ok(await traces.isIn(object));
      assert.ok(!(await new RootTraces("/home/you/project").isIn(object)));
    } finally {
      rmSync(folder, { recursive: true });
    }
    return undefined;
  });
}

test("an object that cannot be read is an error, not an object without the root", async () => {
  const folder = mkdtempSync(join(tmpdir(), "homcc-test-"));
  try {
    writeFileSync(join(folder, "a.c"), longSource);
    execFileSync(compiler, ["-g", "-gz", "-c", "a.c"], { cwd: folder });
    const object = readFileSync(join(folder, "a.o"));
    await assert.rejects(traces.isIn(object.subarray(0, object.length - 100)), RangeError);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
