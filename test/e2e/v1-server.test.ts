/** Our client at a homcc 1.x server: every compile it can do is done there, everything else at home. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { compilersOf, endProcesses } from "../support/processes.ts";
import { homccProgram } from "../support/repository.ts";
import { meets } from "../support/requirements.ts";
import { startServer } from "../support/server.ts";
import { slowSource } from "../support/slow-source.ts";
import { startStrangeV1Server } from "../support/strange-v1-server.ts";
import { v1Bytes } from "../support/v1-conversation.ts";
import { startV1Server, type V1Server } from "../support/v1-peer.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../support/workplace.ts";

interface Place extends AsyncDisposable {
  readonly server: V1Server;
  readonly workplace: Workplace;
}

async function place(t: TestContext, suffix = "", forbidLocal = true): Promise<Place | undefined> {
  if (!meets(t, { pythonModule: "lzo" }, { program: "xz" })) return undefined;
  const server = await startV1Server();
  const workplace = await createWorkplace({ hosts: `127.0.0.1:${server.port}/4${suffix}`, forbidLocal });
  await write(workplace, "include/words.h", 'inline const char *hello() { return "hello"; }\n');
  await write(workplace, "include/empty.h", "");
  await write(
    workplace,
    "src/greet.cpp",
    '#include "empty.h"\n#include "words.h"\n#include <string>\nstd::string greet() { return hello(); }\n',
  );
  await write(workplace, "src/main.cpp", "int main() { return 0; }\n");
  return {
    server,
    workplace,
    async [Symbol.asyncDispose]() {
      await workplace[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function write({ project }: Workplace, name: string, text: string): Promise<void> {
  await mkdir(dirname(join(project, name)), { recursive: true });
  await writeFile(join(project, name), text);
}

/** Runs the command with homcc and without, and compares everything the compiler leaves. */
async function compare(
  { workplace }: Place,
  command: readonly string[],
  outputs: readonly string[],
): Promise<void> {
  const read = async (): Promise<(Buffer | undefined)[]> =>
    await Promise.all(outputs.map((name) => readFile(join(workplace.project, name)).catch(() => undefined)));
  const environment = workplace.environment({ LANG: "C.UTF-8" });
  const local = await workplace.run(command, { environment });
  const expected = await read();
  for (const name of outputs) await rm(join(workplace.project, name), { force: true });
  const remote = await workplace.run([homccProgram, ...command], { environment });
  assert.deepEqual(remote, local, command.join(" "));
  const found = await read();
  for (const [index, name] of outputs.entries()) {
    assert.ok(expected[index], `${name} is not made`);
    assert.ok(found[index]?.equals(expected[index]), `another ${name}`);
  }
}

test("each file is sent once", async (t) => {
  await using at = await place(t, ",lzo");
  if (at === undefined) return;
  const source = join(at.workplace.project, "src/greet.cpp");
  const command = ["g++", "-g", "-Iinclude", "-c", source, "-o", "greet.o"];
  await compare(at, command, ["greet.o"]);
  await compare(at, command, ["greet.o"]);
  // The third conversation was the agent's hello: it remembers what the server is.
  await waitFor("the server to have told of three conversations", () =>
    at.server.conversations.length === 3 ? true : undefined,
  );
  const conversations = at.server.conversations.filter(
    ({ message_type: type }) => type === "ArgumentMessage",
  );
  assert.deepEqual(
    conversations.map(({ asked, error }) => [asked, error]),
    [
      [3, undefined],
      [0, undefined],
    ],
  );
  const jobs = await at.workplace.jobs(2);
  assert.deepEqual(
    jobs.map(({ outcome, executor }) => [outcome, executor]),
    Array.from({ length: 2 }, () => ["compiled-remotely", "homcc 1.x"]),
  );
});

test("what a 1.x server does not do for its clients is done at home beside it", async (t) => {
  await using at = await place(t, ",lzo");
  if (at === undefined) return;
  const { project } = at.workplace;
  const source = join(project, "src/greet.cpp");
  await mkdir(join(project, "out"));
  await compare(
    at,
    ["g++", "-MMD", "-Iinclude", "-c", source, "-o", "out/greet.o"],
    ["out/greet.o", "out/greet.d"],
  );
  await compare(
    at,
    ["g++", "-MD", "-MP", "-MF", "x.d", "-MT", "a b", "-Iinclude", "-c", source, "-o", "greet.o"],
    ["greet.o", "x.d"],
  );
  await compare(at, ["g++", "-Iinclude", "-c", source, "-o", "greet.obj"], ["greet.obj"]);
  await compare(at, ["g++", "-Iinclude", "-c", source, "-o", join(at.workplace.folder, "x.o")], ["../x.o"]);
  const jobs = await at.workplace.jobs(4);
  assert.ok(
    jobs.every(({ outcome }) => outcome === "compiled-remotely"),
    JSON.stringify(jobs),
  );
});

test("warnings are printed; an error is compiled again at home, whose compiler decides", async (t) => {
  await using at = await place(t, "", false);
  if (at === undefined) return;
  await write(at.workplace, "src/warn.c", "int f(void) { int unused; return 0; }\n");
  await write(at.workplace, "src/broken.c", "int broken( { return 1; }\n");
  const [warn, broken] = [
    join(at.workplace.project, "src/warn.c"),
    join(at.workplace.project, "src/broken.c"),
  ];
  await compare(at, ["gcc", "-Wall", "-c", warn, "-o", "warn.o"], ["warn.o"]);
  const environment = at.workplace.environment({ LANG: "C.UTF-8" });
  const foreign = await at.workplace.run([homccProgram, "gcc", "-Wall", "-c", warn, "-o", "warn.o"]);
  assert.match(foreign.stderr, /'unused'/);
  const error = await at.workplace.run([homccProgram, "gcc", "-c", broken, "-o", "broken.o"], {
    environment,
  });
  const local = await at.workplace.run(["gcc", "-c", broken, "-o", "broken.o"], { environment });
  assert.equal(error.status, 1);
  assert.ok(error.stderr.includes(local.stderr));
  assert.deepEqual(
    (await at.workplace.jobs(3)).map(({ outcome }) => outcome),
    ["compiled-remotely", "locale-missing", "mapped-failure"],
  );
});

for (const [what, words, outcome] of [
  ["a stack usage file", ["-fstack-usage"], "mapped-unsupported"],
  ["a header forced by its path", ["-include", "/usr/include/stdio.h"], "mapped-unsupported"],
  ["assembler text", ["-S"], "mapped-unsupported"],
] as const) {
  test(`at home: ${what}`, async (t) => {
    await using at = await place(t, "", false);
    if (at === undefined) return;
    const source = join(at.workplace.project, "src/main.cpp");
    const result = await at.workplace.run([homccProgram, "g++", ...words, "-c", source, "-o", "main.out"]);
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(
      (await at.workplace.jobs(1)).map((job) => job.outcome),
      [outcome],
    );
  });
}

test("a server at its limit sends the job to the next host", async (t) => {
  if (!meets(t, { pythonModule: "lzo" })) return;
  await using full = await startV1Server(0);
  await using ours = await startServer();
  await using workplace = await createWorkplace({ hosts: `127.0.0.1:${full.port}/999\n${ours.address}/1` });
  await write(workplace, "a.c", "int a;\n");
  const result = await workplace.run([homccProgram, "gcc", "-c", "a.c", "-o", "a.o"]);
  assert.deepEqual([result.status, result.stderr], [0, ""]);
  assert.deepEqual(
    (await workplace.jobs(1)).map(({ host }) => host),
    [ours.address],
  );
});

test("a 1.x server that becomes one of ours is used as one, and the other way round", async (t) => {
  if (!meets(t, { pythonModule: "lzo" })) return;
  const first = await startV1Server();
  const { port } = first;
  await using workplace = await createWorkplace({ hosts: `127.0.0.1:${port}/4`, forbidLocal: false });
  const source = join(workplace.project, "a.c");
  await write(workplace, "a.c", "int a;\n");
  const executors: string[] = [];
  const compileUntil = async (executor: string): Promise<void> => {
    for (;;) {
      const jobs = (await workplace.jobs()).length;
      const result = await workplace.run([homccProgram, "gcc", "-c", source, "-o", "a.o"]);
      assert.equal(result.status, 0, result.stderr);
      executors.push((await workplace.jobs(jobs + 1)).at(-1)?.executor ?? "");
      if (executors.at(-1) === executor) return;
    }
  };
  await compileUntil("homcc 1.x");
  await first[Symbol.asyncDispose]();
  // Nobody is there: else the agent would go on with 1.x, which our server speaks too, until it greets anew.
  await compileUntil("");
  {
    await using _ours = await startServer({ port });
    await compileUntil("namespace");
  }
  await using _again = await startV1Server(4, port);
  await compileUntil("homcc 1.x");
});

/** A result as 1.x writes it, with as much of its payload as has come so far. */
function result(files: Readonly<Record<string, number>>, payload = "", status = 0): Buffer {
  const entries = Object.entries(files).map(([name, size]) => `{"filename": "${name}", "size": ${size}}`);
  const json = `{"message_type": "CompilationResultMessage", "files": [${entries.join(", ")}], "stdout": "", "stderr": "", "return_code": ${status}, "compression": "no_compression", "dwarf_files": []}`;
  return v1Bytes(json, Buffer.from(payload));
}

const noBytes = Buffer.alloc(0);
const askForNothing = v1Bytes(`{"message_type": "DependencyRequestMessage", "sha1sum": "${"0".repeat(40)}"}`);

for (const [what, answerFor] of Object.entries({
  "hangs up without a word": () => noBytes,
  "hangs up in the middle of a message": () => askForNothing.subarray(0, 40),
  "hangs up in the middle of an object": (object) => result({ [object]: 1000 }, "half of it"),
  "asks for a file that nobody has": () => askForNothing,
  "sends what is no message": () => Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"),
  "sends another file than the object": (object) => result({ [`${object}/../../evil`]: 4 }, "evil"),
  "sends no object": () => result({}),
  "asks to compile elsewhere": () => result({}, "", 75),
  "says that a signal ended the compiler": () => result({}, "", -9),
} satisfies Readonly<Record<string, (object: string) => Buffer>>)) {
  test(`a server that ${what}: the job is compiled at home, and nothing else is left`, async () => {
    await using workplace = await createWorkplace({ forbidLocal: false });
    await write(workplace, "a.c", "int a;\n");
    const object = join(workplace.project, "a.o");
    await using server = await startStrangeV1Server(answerFor(object));
    const environment = workplace.environment({ HOMCC_HOSTS: `127.0.0.1:${server.port}/4` });
    const words = ["gcc", "-c", join(workplace.project, "a.c"), "-o", "a.o"];
    assert.equal((await workplace.run(words)).status, 0);
    const expected = await readFile(object);
    await rm(object);
    const ran = await workplace.run([homccProgram, ...words], { environment });
    assert.equal(ran.status, 0, ran.stderr);
    assert.ok(expected.equals(await readFile(object)));
    assert.deepEqual(await readdir(workplace.project), ["a.c", "a.o"]);
    assert.equal(existsSync(join(workplace.folder, "evil")), false);
    assert.ok(server.jobs() > 0, "nobody asked it");
    assert.equal((await workplace.jobs(1))[0]?.host, "localhost");
  });
}

test("a server that does not answer any more has the job for as long as jobs may take, and then it is compiled at home", async () => {
  await using server = await startStrangeV1Server(noBytes, "is silent");
  await using workplace = await createWorkplace({ forbidLocal: false });
  await write(workplace, "a.c", "int a;\n");
  const environment = workplace.environment({
    HOMCC_HOSTS: `127.0.0.1:${server.port}/4`,
    HOMCC_COMPILATION_REQUEST_TIMEOUT: "1",
  });
  const ran = await workplace.run([homccProgram, "gcc", "-c", "a.c", "-o", "a.o"], { environment });
  assert.equal(ran.status, 0, ran.stderr);
  assert.match(ran.stderr, /Compiling locally instead!/);
  assert.equal(server.jobs(), 1);
});

test("a server that is killed while it compiles", async (t) => {
  if (!meets(t, { pythonModule: "lzo" })) return;
  await using workplace = await createWorkplace({ forbidLocal: false });
  await using server = await startV1Server();
  await write(workplace, "slow.cpp", slowSource);
  const environment = workplace.environment({ HOMCC_HOSTS: `127.0.0.1:${server.port}/4` });
  const source = join(workplace.project, "slow.cpp");
  const running = workplace.start([homccProgram, "g++", "-c", source, "-o", "slow.o"], { environment });
  await waitFor("the compiler", () => compilersOf(source).length > 0);
  const compilers = compilersOf(source);
  await server[Symbol.asyncDispose]();
  await endProcesses(compilers);
  const ran = await running.finished;
  assert.equal(ran.status, 0, ran.stderr);
  assert.match(ran.stderr, /Compiling locally instead!/);
  assert.deepEqual(await readdir(workplace.project), ["slow.cpp", "slow.o"]);
});
