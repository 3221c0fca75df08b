/** `homccd --executor replay`: a server that compiles nothing, for benchmarks. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../support/command.ts";
import { homccdProgram, homccProgram, repository } from "../support/repository.ts";
import { startServer } from "../support/server.ts";
import { createWorkplace } from "../support/workplace.ts";

test("recorded sources come back as recorded, whatever they hold now; others are refused", async () => {
  await using workplace = await createWorkplace();
  const { project, folder } = workplace;
  const records = join(folder, "records");
  await mkdir(join(project, "src"));
  await writeFile(join(project, "src/one.h"), "inline int one() { return 1; }\n");
  for (const name of ["a.cpp", "b.cpp"])
    await writeFile(join(project, "src", name), '#include "one.h"\nint f() { return one(); }\n');
  await writeFile(join(folder, "list"), "src/a.cpp\n");
  const recorded = await runCommand(
    [
      process.execPath,
      join(repository, "benchmarks/record.ts"),
      records,
      project,
      join(folder, "list"),
      "--",
    ].concat(["g++", "-g"]),
    { cwd: project, environment: workplace.environment() },
  );
  assert.match(
    recorded.stdout,
    /^1 sources, [\d.]+ s of compiling, the longest [\d.]+ s\n$/,
    recorded.stderr,
  );
  assert.match(await readFile(join(records, "src@a.cpp.ms"), "utf8"), /^\d+\n$/);
  await using server = await startServer({
    options: ["--executor", "replay", "--replay-dir", records, "--replay-root", project],
  });
  assert.match(server.log(), /executor replay: nothing is compiled/);
  const environment = workplace.environment({ HOMCC_HOSTS: `${server.address}/4` });
  const compile = (name: string) =>
    workplace.run([homccProgram, "g++", "-g", "-c", `src/${name}`, "-o", `${name}.o`], { environment });
  await writeFile(join(project, "src/one.h"), "inline int one() { return 2; }\n");
  assert.deepEqual(await compile("a.cpp"), { status: 0, signal: null, stdout: "", stderr: "" });
  const object = await readFile(join(project, "a.cpp.o"));
  assert.ok(object.equals(await readFile(join(records, "src@a.cpp.o"))));
  const refused = await compile("b.cpp");
  assert.equal(refused.status, 69);
  assert.match(refused.stderr, /no recorded result for .*src\/b\.cpp/);
  const [job] = await workplace.jobs(1);
  assert.equal(job?.outcome, "compiled-remotely");
});

test("a start without a usable folder says what is wrong", async () => {
  await using workplace = await createWorkplace();
  const environment = workplace.environment();
  const start = async (...options: string[]): Promise<string> => {
    const command = [homccdProgram, "--store", join(workplace.folder, "store"), "--port", "0", ...options];
    const { status, stderr } = await workplace.run(command, { environment });
    assert.equal(status, 78, stderr);
    return stderr;
  };
  const missing = join(workplace.folder, "missing");
  assert.match(await start("--executor", "replay"), /executor replay needs replay_dir \(--replay-dir is/);
  assert.match(await start("--replay-dir", missing), /replay_dir without the executor replay/);
  assert.match(await start("--executor", "mapped", "--replay-root", "/"), /replay_root without the executor/);
  const without = await start("--executor", "replay", "--replay-dir", missing);
  assert.match(without, /recorded results cannot be used: .*missing \(replay_dir is a folder/);
});
