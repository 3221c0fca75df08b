/** A homcc 1.x client at our server: it gets the objects that a local compile gives. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { runCommand } from "../support/command.ts";
import { meets } from "../support/requirements.ts";
import { type Server, type ServerOptions, startServer } from "../support/server.ts";
import { startV1Conversation, v1Arguments, v1Bytes } from "../support/v1-conversation.ts";
import { askAsV1Client, type V1Answer, type V1Request } from "../support/v1-peer.ts";
import { waitFor } from "../support/wait-for.ts";
import { systemPath } from "../support/workplace.ts";

const environment = { PATH: systemPath, LANG: "C.UTF-8" };

/** A 1.x client's project and a server of ours. */
class V1Project implements AsyncDisposable {
  readonly folder: string;
  readonly server: Server;
  readonly #files = new Map<string, string>();

  static async open(t: TestContext, options: ServerOptions = {}): Promise<V1Project | undefined> {
    if (!meets(t, { pythonModule: "lzo" }, { program: "xz" })) return undefined;
    const folder = await realpath(await mkdtemp(join(tmpdir(), "homcc-v1-")));
    // A homccd that is started as root serves as another user, who must be able to reach its store.
    await chmod(folder, 0o755);
    return new V1Project(folder, await startServer(options));
  }

  private constructor(folder: string, server: Server) {
    this.folder = folder;
    this.server = server;
  }

  async write(name: string, text: string): Promise<void> {
    const path = join(this.folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    this.#files.set(path, path);
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.folder, name));
    this.#files.delete(join(this.folder, name));
  }

  ask(args: readonly string[], more: Partial<V1Request> = {}): Promise<V1Answer> {
    const files = Object.fromEntries(this.#files);
    return askAsV1Client(this.server.port, { args, cwd: this.folder, files, ...more });
  }

  /** The same command on this machine. */
  async local(args: readonly string[]): Promise<{ status: number | null; stderr: string }> {
    return await runCommand(args, { cwd: this.folder, environment });
  }

  async read(name: string): Promise<Buffer> {
    return await readFile(join(this.folder, name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    await rm(this.folder, { recursive: true });
  }
}

async function greeting(t: TestContext, options: ServerOptions = {}): Promise<V1Project | undefined> {
  const project = await V1Project.open(t, options);
  await project?.write("include/words.h", 'inline const char *hello() { return "hello"; }\n');
  await project?.write(
    "src/greet.cpp",
    '#include <string>\n#include "words.h"\nstd::string greet() { return hello(); }\n',
  );
  await project?.write("src/main.cpp", "int greet_all();\nint main() { return sizeof __FILE__; }\n");
  await project?.write("src/gr\u00f6\u00dfe.c", "int gr\u00f6\u00dfe(void) { int unused; return 0; }\n");
  await project?.write("include/empty.h", "");
  return project;
}

test("each file is asked for once", async (t) => {
  await using project = await greeting(t);
  if (project === undefined) return;
  const args = ["g++", "-g", "-Iinclude", "-Imissing", "-c", "src/greet.cpp", "-o", "greet.o"];
  const first = await project.ask(args, { compression: "lzo" });
  assert.deepEqual([first.answer.return_code, first.answer.stderr], [0, ""]);
  assert.equal(first.asked.length, 5);
  await project.local(args);
  const object = first.outputs.get(join(project.folder, "greet.o"));
  assert.ok(object?.equals(await project.read("greet.o")), "another object than the local one");
  const second = await project.ask(args, { compression: "lzo" });
  assert.deepEqual([second.asked.length, second.outputs.size], [0, 1]);
});

test("mapped servers serve 1.x clients too", async (t) => {
  await using project = await greeting(t, { executor: "mapped" });
  if (project === undefined) return;
  const args = ["g++", "-O1", "-Iinclude", "-c", "src/greet.cpp", "-o", "greet.o"];
  const { outputs } = await project.ask(args, { compression: "lzo" });
  await project.local(args);
  assert.ok(outputs.get(join(project.folder, "greet.o"))?.equals(await project.read("greet.o")));
});

test("fission, at any level of -g", async (t) => {
  await using project = await greeting(t);
  if (project === undefined) return;
  for (const level of ["-g", "-g3", "-ggdb"]) {
    const args = ["g++", level, "-gsplit-dwarf", "-Iinclude", "-c", "src/greet.cpp", "-o", "greet.o"];
    const { outputs, dwarf } = await project.ask(args, { compression: "lzo" });
    assert.deepEqual(dwarf, [join(project.folder, "greet.dwo")]);
    await project.local(args);
    for (const name of ["greet.o", "greet.dwo"]) {
      assert.ok(
        outputs.get(join(project.folder, name))?.equals(await project.read(name)),
        `${level} ${name}`,
      );
    }
  }
});

test("names and folders of outputs that 1.x could not do", async (t) => {
  await using project = await greeting(t);
  if (project === undefined) return;
  await using elsewhere = await greeting(t);
  if (elsewhere === undefined) return;
  for (const output of ["greet.obj", join(elsewhere.folder, "x.o")]) {
    const { outputs } = await project.ask(["g++", "-Iinclude", "-c", "src/greet.cpp", "-o", output]);
    const path = join(output.startsWith("/") ? "" : project.folder, output);
    assert.deepEqual([...outputs.keys()], [path]);
  }
});

test("messages: the local ones, for warnings and for errors", async (t) => {
  await using project = await greeting(t);
  if (project === undefined) return;
  const warned = ["gcc", "-Wall", "-c", "src/gr\u00f6\u00dfe.c", "-o", "g.o"];
  const warning = await project.ask(warned, { compression: "lzo" });
  const local = await project.local(warned);
  assert.equal(warning.answer.return_code, 0);
  assert.match(warning.answer.stderr ?? "", /unused/);
  assert.equal(Buffer.from(warning.answer.stderr ?? "").toString("latin1"), local.stderr);
  assert.ok(warning.outputs.get(join(project.folder, "g.o"))?.equals(await project.read("g.o")));
  await project.write("src/broken.cpp", "int broken( { return 1; }\n");
  const args = ["g++", "-c", "src/broken.cpp", "-o", "broken.o"];
  const error = await project.ask(args);
  assert.deepEqual([error.answer.return_code, error.outputs.size], [1, 0]);
  assert.equal(Buffer.from(error.answer.stderr ?? "").toString("latin1"), (await project.local(args)).stderr);
});

test("headers that change, go and come between jobs", async (t) => {
  await using project = await greeting(t);
  if (project === undefined) return;
  const args = ["gcc", "-Ifirst", "-Isecond", "-c", "src/a.c", "-o", "a.o"];
  await project.write("src/a.c", '#include "value.h"\nint value = VALUE;\n');
  await project.write("second/value.h", "#define VALUE 1\n");
  const check = async (what: string): Promise<void> => {
    const { outputs } = await project.ask(args);
    await project.local(args);
    assert.ok(outputs.get(join(project.folder, "a.o"))?.equals(await project.read("a.o")), what);
  };
  await check("at first");
  await project.write("second/value.h", "#define VALUE 2\n");
  await check("changed");
  await project.write("first/value.h", "#define VALUE 3\n");
  await check("another one before it");
  await project.remove("first/value.h");
  await check("that one gone again");
});

for (const [what, args] of [
  ["a plug-in", ["g++", "-fplugin=/tmp/evil.so", "-c", "src/main.cpp"]],
  ["another program as the compiler", ["g++", "-B/tmp", "-c", "src/main.cpp"]],
  ["the client's processor", ["g++", "-march=native", "-c", "src/main.cpp"]],
  ["a source that the client did not name", ["g++", "-c", "/etc/passwd.cpp"]],
  ["an output among the system's files", ["g++", "-c", "src/main.cpp", "-o", "/proc/self/mem"]],
] as const) {
  test(`the client compiles itself: ${what}`, async (t) => {
    await using project = await greeting(t);
    if (project === undefined) return;
    const { answer, outputs } = await project.ask(args);
    assert.deepEqual(
      [answer.message_type, answer.return_code, outputs.size],
      ["CompilationResultMessage", 75, 0],
    );
    assert.notEqual(answer.stderr, "");
  });
}

for (const [what, request, info] of [
  ["a compiler that is not there", { args: ["g++-1", "-c", "a.cpp"] }, /'g\+\+-1' is not installed/],
  ["something else than a compiler", { args: ["sh", "-c", "id"] }, /'sh' is not the name of a compiler/],
  [
    "another target",
    { args: ["g++", "-c", "a.cpp"], target: "m68k-linux-gnu" },
    /'m68k-linux-gnu-g\+\+' is not installed/,
  ],
] as const) {
  test(`the client tries another server: ${what}`, async (t) => {
    await using project = await greeting(t);
    if (project === undefined) return;
    const { answer } = await project.ask(request.args, request);
    assert.equal(answer.message_type, "ConnectionRefusedMessage");
    assert.match(answer.info ?? "", info);
  });
}

test("a reply with other bytes than were asked for costs that job and nothing else", async (t) => {
  await using project = await greeting(t);
  if (project === undefined) return;
  const args = ["g++", "-Iinclude", "-c", "src/greet.cpp", "-o", "greet.o"];
  const source = join(project.folder, "src/greet.cpp");
  const { socket } = await startV1Conversation(project.server.port, { args, cwd: project.folder, source });
  const reply = '{"message_type": "DependencyReplyMessage", "size": 4, "compression": "no_compression"}';
  socket.write(v1Bytes(reply, Buffer.from("evil")));
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "close");
  assert.match(Buffer.concat(chunks).toString(), /"return_code": 75/);
  assert.equal((await project.ask(args)).answer.return_code, 0);
});

test("a file that is larger than a server takes: the client compiles itself, and is told so after the last byte", async (t) => {
  await using project = await greeting(t);
  if (project === undefined) return;
  await project.write("include/large.h", " ".repeat((64 << 20) + 1));
  await project.write("src/large.c", '#include "large.h"\nint large;\n');
  const { answer } = await project.ask(["gcc", "-Iinclude", "-c", "src/large.c", "-o", "large.o"]);
  assert.equal(answer.return_code, 75);
  assert.match(answer.stderr ?? "", /payloads of more than/);
});

test("a client's words are one line of the log", async (t) => {
  await using project = await greeting(t);
  if (project === undefined) return;
  const word = "-DX=\n[ERROR] forged \u001b[31m";
  const { answer } = await project.ask(["gcc", word, "-c", "src/main.cpp", "-o", "main.o"]);
  assert.equal(answer.return_code, 0, answer.stderr);
  const unsuitable = await project.ask(["gcc", "-c", "/x/\n[ERROR] forged.c"]);
  assert.equal(unsuitable.answer.return_code, 75);
  await waitFor("the log to have both", () => project.server.log().match(/forged/g)?.length === 2);
  assert.doesNotMatch(project.server.log(), /^\[ERROR\]/m);
  assert.ok(!project.server.log().includes("\u001b"), "an escape sequence");
});

test("fifty clients at once on four slots: each has the local object or is refused, and the slots are free again", async (t) => {
  await using project = await greeting(t);
  if (project === undefined) return;
  const args = ["gcc", "-Iinclude", "-c", "src/gr\u00f6\u00dfe.c", "-o", "g.o"];
  await project.local(args);
  const expected = await project.read("g.o");
  /** True when it was served. */
  const ask = async (): Promise<boolean> => {
    const { answer, outputs } = await project.ask(args, { compression: "lzo" });
    if (answer.info === "Limit 4 reached") return false;
    assert.equal(answer.return_code, 0, answer.stderr);
    assert.ok(outputs.get(join(project.folder, "g.o"))?.equals(expected));
    return true;
  };
  const served = await Promise.all(Array.from({ length: 50 }, ask));
  assert.ok(served.includes(true));
  await waitFor("four slots at once", async () => {
    const again = await Promise.all(Array.from({ length: 4 }, ask));
    return !again.includes(false);
  });
});

test("clients that die after any byte of their first message, or of a reply, cost no slot", async (t) => {
  await using project = await greeting(t, { limit: 1 });
  if (project === undefined) return;
  const source = join(project.folder, "src/main.cpp");
  const command = { args: ["g++", "-c", "src/main.cpp", "-o", "main.o"], cwd: project.folder, source };
  const first = v1Arguments(command.args, command.cwd, { [source]: "0".repeat(40) });
  for (let length = 0; length < first.length; length += 29) {
    const socket = connect(project.server.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(first.subarray(0, length));
    if (length % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  }
  const reply = v1Bytes(
    '{"message_type": "DependencyReplyMessage", "size": 4, "compression": "no_compression"}',
    Buffer.from("evil"),
  );
  for (const length of [0, 5, 30, reply.length - 1]) {
    const socket = await waitFor("the slot to be free", async () => {
      const { socket: started, said } = await startV1Conversation(project.server.port, command);
      if (said.includes("DependencyRequestMessage")) return started;
      started.destroy();
      return undefined;
    });
    socket.write(reply.subarray(0, length));
    socket.resetAndDestroy();
  }
  await waitFor("the slot to be free", async () => {
    const { answer } = await project.ask(command.args);
    return answer.return_code === 0;
  });
});

test("what a server knows of 1.x files it knows after a restart", async (t) => {
  await using project = await greeting(t);
  if (project === undefined) return;
  const storeFolder = join(project.folder, "store");
  const args = ["g++", "-Iinclude", "-c", "src/greet.cpp", "-o", "greet.o"];
  const asked: number[] = [];
  for (let round = 0; round < 2; round += 1) {
    await using server = await startServer({ storeFolder });
    const files = Object.fromEntries(
      ["src/greet.cpp", "include/words.h"].map((name) => [
        join(project.folder, name),
        join(project.folder, name),
      ]),
    );
    const answer = await askAsV1Client(server.port, { args, cwd: project.folder, files });
    assert.equal(answer.answer.return_code, 0);
    asked.push(answer.asked.length);
  }
  assert.deepEqual(asked, [2, 0]);
});
