/** `no_local_compilation` is about what servers would have compiled. What belongs at home runs there, also without any server. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { homccProgram } from "../support/repository.ts";
import { unusedPort } from "../support/strange-server.ts";
import { createWorkplace, type Workplace } from "../support/workplace.ts";

const atHome: readonly (readonly [what: string, command: string])[] = [
  ["a link", "$HOMCC gcc main.o -o main"],
  ["preprocessing", "$HOMCC gcc -E main.c"],
  ["a list of dependencies", "$HOMCC gcc -M main.c"],
  ["a configure check that links", "$HOMCC gcc -o conftest conftest.c"],
  ["a configure check that compiles", "$HOMCC gcc -c conftest.c"],
  ["CMake's check", "cd CMakeFiles/CMakeScratch/TryCompile-a && $HOMCC gcc -c try.c"],
  ["a source from a pipe", "echo 'int x;' | $HOMCC gcc -fsyntax-only -x c -"],
  ["a look at the defines", "$HOMCC gcc -dM -E -x c /dev/null"],
  ["the version", "$HOMCC gcc --version"],
  ["the details of the version", "$HOMCC gcc -v"],
  ["the target", "$HOMCC gcc -dumpmachine"],
  ["a question", "$HOMCC gcc -print-file-name=libc.so"],
];

async function withoutServer(hosts: string): Promise<Workplace> {
  const workplace = await createWorkplace({ hosts, forbidLocal: true });
  for (const name of ["main.c", "conftest.c"])
    await writeFile(join(workplace.project, name), "int main(void) { return 0; }\n");
  const scratch =
    "mkdir -p CMakeFiles/CMakeScratch/TryCompile-a && cp main.c CMakeFiles/CMakeScratch/TryCompile-a/try.c";
  const prepared = await workplace.run(["/bin/sh", "-ec", `gcc -c main.c; ${scratch}`]);
  assert.equal(prepared.status, 0, prepared.stderr);
  return workplace;
}

test("what belongs at home runs there as if homcc were not there", async () => {
  for (const hosts of [`127.0.0.1:${await unusedPort()}/4`, ""]) {
    await using workplace = await withoutServer(hosts);
    for (const [what, command] of atHome) {
      const [with_, plain] = await Promise.all(
        [homccProgram, ""].map((program) =>
          workplace.run(["/bin/sh", "-c", command], {
            environment: workplace.environment({ HOMCC: program }),
          }),
        ),
      );
      assert.deepEqual(with_, plain, `${what}, hosts '${hosts}'`);
      assert.equal(plain?.status, 0, what);
    }
  }
});

test("what servers would have compiled ends with 69, without any host with 66", async () => {
  for (const [hosts, status] of [
    [`127.0.0.1:${await unusedPort()}/4`, 69],
    ["", 66],
  ] as const) {
    await using workplace = await withoutServer(hosts);
    for (const words of [
      ["-c", "main.c"],
      ["main.c", "-o", "main"],
    ])
      assert.equal((await workplace.run([homccProgram, "gcc", ...words])).status, status, words.join(" "));
  }
});
