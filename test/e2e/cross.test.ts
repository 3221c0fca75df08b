/** Compilers for another machine: gcc by its own name for it, clang by --target. */
import assert from "node:assert/strict";
import { copyFile, mkdir, readFile, realpath, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { homccProgram } from "../support/repository.ts";
import { meets } from "../support/requirements.ts";
import { startServer } from "../support/server.ts";
import { askAsV1Client } from "../support/v1-peer.ts";
import { createWorkplace } from "../support/workplace.ts";

const target = "aarch64-linux-gnu";
const source = "#include <stdint.h>\nint64_t twice(int64_t x) { return 2 * x; }\n";
/** Machine of an ELF file: 183 is AArch64. */
const machineOf = (object: Buffer): number => object.readUInt16LE(18);

for (const command of [
  [`${target}-gcc`, "-O2", "-g"],
  [`${target}-g++`, "-xc++"],
  ["clang", `--target=${target}`, "-O1", "-g"],
]) {
  test(`${command.join(" ")}: compiled remotely, the local object`, async (t) => {
    if (!meets(t, { program: command[0] ?? "" }, { program: `${target}-gcc` })) return;
    await using server = await startServer();
    await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
    await writeFile(join(workplace.project, "a.c"), source);
    const words = [...command, "-c", "a.c", "-o", "a.o"];
    const read = (): Promise<Buffer> => readFile(join(workplace.project, "a.o"));
    assert.equal((await workplace.run(words)).status, 0);
    const expected = await read();
    assert.equal(machineOf(expected), 183);
    const result = await workplace.run([homccProgram, ...words]);
    assert.deepEqual([result.status, result.stderr], [0, ""]);
    assert.ok(expected.equals(await read()), "another object");
    assert.deepEqual(
      (await workplace.jobs(1)).map(({ outcome }) => outcome),
      ["compiled-remotely"],
    );
  });
}

test("a clang that reads a configuration file of its name: its options count on the server", async (t) => {
  const clang = (await realpath("/usr/bin/clang").catch(() => undefined)) ?? "";
  if (!meets(t, { program: "clang" })) return;
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
  // clang looks beside its own program, and for its headers in ../lib.
  const bin = join(workplace.folder, "llvm/bin");
  await mkdir(bin, { recursive: true });
  await symlink(join(dirname(dirname(clang)), "lib"), join(workplace.folder, "llvm/lib"));
  const own = join(bin, "x86_64-linux-gnu-clang");
  await copyFile(clang, own);
  await writeFile(join(workplace.project, "a.c"), "int value = VALUE;\n");
  for (const value of [7, 8]) {
    await writeFile(`${own}.cfg`, `-DVALUE=${value} -O1\n`);
    const words = [own, "-g", "-c", "a.c", "-o", "a.o"];
    assert.equal((await workplace.run(words)).status, 0);
    const expected = await readFile(join(workplace.project, "a.o"));
    const result = await workplace.run([homccProgram, ...words]);
    assert.deepEqual([result.status, result.stderr], [0, ""]);
    assert.ok(expected.equals(await readFile(join(workplace.project, "a.o"))), `another object for ${value}`);
  }
});

for (const compiler of ["gcc", "clang"]) {
  test(`a homcc 1.x client whose ${compiler} is for another machine: that machine's object`, async (t) => {
    if (!meets(t, { pythonModule: "lzo" }, { program: compiler }, { program: `${target}-gcc` })) return;
    await using server = await startServer();
    await using workplace = await createWorkplace();
    const path = join(workplace.project, "a.c");
    // The headers of another target lie where 1.x sends them from.
    await writeFile(path, "long twice(long x) { return 2 * x; }\n");
    const args = [compiler, "-O2", "-c", "a.c", "-o", "a.o"];
    const request = { args, cwd: workplace.project, files: { [path]: path } };
    const { answer, outputs } = await askAsV1Client(server.port, { ...request, target });
    assert.deepEqual([answer.return_code, answer.stderr], [0, ""]);
    assert.equal(machineOf(outputs.get(join(workplace.project, "a.o")) ?? Buffer.alloc(20)), 183);
    const own = await askAsV1Client(server.port, request);
    assert.notEqual(machineOf(own.outputs.get(join(workplace.project, "a.o")) ?? Buffer.alloc(20)), 183);
  });
}
