/** `no_local_compilation` is about what servers would have compiled. What belongs at home runs there, also without any server. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { homccProgram } from "../support/repository.ts";
import { startServer } from "../support/server.ts";
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

/** Nobody can make a socket where a file is in the folder's place. */
async function withoutAgent(hosts: string): Promise<Workplace> {
  const workplace = await createWorkplace({ hosts, forbidLocal: false });
  await writeFile(join(workplace.homccFolder, "run"), "");
  await writeFile(join(workplace.project, "main.c"), "int main(void) { return 0; }\n");
  return workplace;
}

const forbidding: readonly (readonly [
  how: string,
  variables: Record<string, string>,
  file: string,
  isForbidden: boolean,
])[] = [
  ["nothing", {}, "", false],
  ["the variable", { HOMCC_NO_LOCAL_COMPILATION: "1" }, "", true],
  ["the file", {}, "[homcc]\nNO_local_compilation = yes\n", true],
  ["a variable that says no", { HOMCC_NO_LOCAL_COMPILATION: "0" }, "", false],
  ["a file that says no", {}, "[homcc]\nno_local_compilation = off\n", false],
  ["a sandbox that has to be", { HOMCC_SCHROOT_PROFILE: "jammy" }, "[homcc]\nstrict_sandbox = true\n", true],
];

test("where no agent can be reached, local compilation is as forbidden as with one", async () => {
  const hosts = `127.0.0.1:${await unusedPort()}/4`;
  for (const launcher of [[homccProgram], [homccProgram, "--log-level=WARNING"]]) {
    for (const [how, variables, file, isForbidden] of forbidding) {
      await using workplace = await withoutAgent(hosts);
      await writeFile(join(workplace.homccFolder, "homcc.conf"), file);
      const environment = workplace.environment(variables);
      const what = `${launcher.join(" ")}, ${how}`;
      const compiled = await workplace.run([...launcher, "gcc", "-c", "main.c"], { environment });
      assert.equal(compiled.status, isForbidden ? 69 : 0, `${what}: ${compiled.stderr}`);
      if (isForbidden) assert.match(compiled.stderr, /Local compilation is forbidden/, what);
      const atHome = await workplace.run([...launcher, "gcc", "-E", "-P", "main.c"], { environment });
      assert.deepEqual([atHome.status, atHome.stdout], [0, "int main(void) { return 0; }\n"], what);
    }
  }
});

test("where no agent can be reached and local compilation is forbidden, a server still compiles", async () => {
  await using server = await startServer();
  await using workplace = await withoutAgent(server.address);
  const environment = workplace.environment({ HOMCC_NO_LOCAL_COMPILATION: "1" });
  const { status, stderr } = await workplace.run([homccProgram, "gcc", "-c", "main.c"], { environment });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  const [job] = await workplace.jobs(1);
  assert.equal(job?.outcome, "compiled-remotely");
});
