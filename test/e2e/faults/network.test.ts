/** No server, a wrong server, a server that goes away: a build never breaks, and is told why it was slower. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { once } from "node:events";
import { test } from "node:test";
import { outcomes } from "@homcc/observability/outcomes";
import { compilersOf, isAlive, processTree } from "../../support/processes.ts";
import { homccProgram } from "../../support/repository.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { type Server, startServer } from "../../support/server.ts";
import { slowSource } from "../../support/slow-source.ts";
import { manners, startStrangeServer, unusedPort } from "../../support/strange-server.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

const source = "int value(void) { return 1; }\n";

async function prepare(hosts: string, text = source): Promise<Workplace> {
  const workplace = await createWorkplace({ hosts, forbidLocal: false });
  await writeFile(join(workplace.project, "a.cpp"), text);
  const plain = await workplace.run(["g++", "-g", "-c", "a.cpp", "-o", "a.o"]);
  assert.equal(plain.status, 0, plain.stderr);
  await rename(join(workplace.project, "a.o"), join(workplace.project, "plain.o"));
  return workplace;
}

const compile = [homccProgram, "g++", "-g", "-c", "a.cpp", "-o", "a.o"];

async function assertSameObject(workplace: Workplace): Promise<void> {
  const [object, plain] = await Promise.all(
    ["a.o", "plain.o"].map((name) => readFile(join(workplace.project, name))),
  );
  assert.ok(
    object?.equals(plain ?? Buffer.alloc(0)),
    "the object differs from the one of the plain compiler",
  );
}

/** The result is right, the warning says what happened, and the outcome is one of those that mean it. */
async function expectFallback(
  workplace: Workplace,
  allowed: readonly string[],
  variables = {},
): Promise<void> {
  const before = (await workplace.jobs()).length;
  const result = await workplace.run(compile, {
    environment: workplace.environment({ HOMCC_VERBOSE: "1", ...variables }),
  });
  assert.equal(result.status, 0, result.stderr);
  assert.match(result.stderr, /^\[HOMCC-WARNING\] .*Compiling locally instead!/m);
  await assertSameObject(workplace);
  const [job] = (await workplace.jobs(before + 1)).slice(before);
  assert.ok(job !== undefined && allowed.includes(job.outcome), JSON.stringify(job));
  assert.equal(outcomes[job.outcome].kind, "fallback");
  await rm(join(workplace.project, "a.o"));
}

test("nothing listens there", async () => {
  await using workplace = await prepare(`127.0.0.1:${await unusedPort()}/4`);
  await expectFallback(workplace, ["no-server"]);
  await expectFallback(workplace, ["no-server"]);
  recordSurvived("Nothing listens at the server's port");
});

test("nothing listens there and local compilation is forbidden", async () => {
  await using workplace = await prepare(`127.0.0.1:${await unusedPort()}/4`);
  for (const forbid of [{ HOMCC_NO_LOCAL_COMPILATION: "1" }, {}]) {
    const option = "HOMCC_NO_LOCAL_COMPILATION" in forbid ? [] : ["--no-local-compilation"];
    const result = await workplace.run([homccProgram, ...option, "g++", "-c", "a.cpp", "-o", "a.o"], {
      environment: workplace.environment(forbid),
    });
    assert.equal(result.status, 69);
    assert.match(result.stderr, /\[HOMCC-ERROR\]/);
    await assert.rejects(readFile(join(workplace.project, "a.o")));
  }
});

test("a name that does not exist", async () => {
  await using workplace = await prepare("no-such-host.invalid/4");
  await expectFallback(workplace, ["no-server"]);
  recordSurvived("The server's name does not exist");
});

for (const manner of manners.keys()) {
  test(`a server that ${manner}`, async () => {
    await using server = await startStrangeServer(manner);
    await using workplace = await prepare(`${server.address}/4`);
    const limits = { HOMCC_ESTABLISH_CONNECTION_TIMEOUT: "1", HOMCC_COMPILATION_REQUEST_TIMEOUT: "3" };
    await expectFallback(workplace, ["no-server", "connection-lost", "timed-out", "refused"], limits);
    assert.ok(server.connections() > 0);
    recordSurvived("The server is none: it hangs, answers garbage, or hangs up");
  });
}

test("one host is down, the other one is asked", async () => {
  await using server = await startServer();
  await using workplace = await prepare(`127.0.0.1:${await unusedPort()}/64 ${server.address}/1`);
  const result = await workplace.run(compile);
  assert.deepEqual({ status: result.status, stderr: result.stderr }, { status: 0, stderr: "" });
  const [job] = await workplace.jobs(1);
  assert.equal(job?.host, server.address);
  await assertSameObject(workplace);
  recordSurvived("One of two servers is down");
});

/** Starts a slow compile and returns when its remote compiler runs. */
async function startSlow(workplace: Workplace, server: Server, variables = {}) {
  const running = workplace.start(compile, { environment: workplace.environment(variables) });
  await waitFor("the remote compiler", () => compilersIn(server).length > 0);
  return running;
}

function compilersIn(server: Server) {
  const tree = new Set(processTree(server.pid).map(({ pid }) => pid));
  return compilersOf("a.cpp").filter(({ pid }) => tree.has(pid));
}

for (const signal of ["SIGKILL", "SIGTERM"] as const) {
  test(`the server ends by ${signal} in the middle of a job`, async () => {
    await using server = await startServer();
    await using workplace = await prepare(`${server.address}/4`, slowSource);
    const running = await startSlow(workplace, server);
    const tree = processTree(server.pid);
    server.kill(signal);
    const result = await running.finished;
    assert.equal(result.status, 0, result.stderr);
    await assertSameObject(workplace);
    const [job] = await workplace.jobs(1);
    if (signal === "SIGTERM") {
      // What runs is finished.
      assert.deepEqual([job?.outcome, result.stderr], ["compiled-remotely", ""]);
    } else {
      assert.match(result.stderr, /Compiling locally instead!/);
      assert.ok(job?.outcome === "connection-lost" || job?.outcome === "no-server", JSON.stringify(job));
    }
    await waitFor("everything of the server to end", () => tree.every(({ pid }) => !isAlive(pid)));
    recordSurvived(`The server ends by ${signal} in the middle of a job`);
  });
}

test("the server hangs in the middle of a job", async () => {
  await using server = await startServer();
  await using workplace = await prepare(`${server.address}/4`, slowSource);
  const running = await startSlow(workplace, server, { HOMCC_COMPILATION_REQUEST_TIMEOUT: "6" });
  server.kill("SIGSTOP");
  try {
    const result = await running.finished;
    assert.equal(result.status, 0, result.stderr);
    await assertSameObject(workplace);
    const [job] = await workplace.jobs(1);
    assert.ok(job?.outcome === "timed-out" || job?.outcome === "connection-lost", JSON.stringify(job));
    recordSurvived("The server hangs in the middle of a job");
  } finally {
    server.kill("SIGCONT");
  }
});

test("the server is restarted between two jobs, with its store", async () => {
  await using first = await startServer();
  await using workplace = await prepare(`${first.address}/4`);
  assert.equal((await workplace.run(compile)).status, 0);
  first.kill("SIGKILL");
  await first.ended;
  await using second = await startServer({ port: first.port, storeFolder: first.storeFolder });
  const result = await workplace.run(compile);
  assert.deepEqual({ status: result.status, stderr: result.stderr }, { status: 0, stderr: "" });
  const jobs = await workplace.jobs(2);
  assert.deepEqual(
    jobs.map(({ host }) => host),
    [first.address, second.address],
  );
  await assertSameObject(workplace);
  recordSurvived("The server is killed and restarted between two jobs");
});

test("a port in use", async () => {
  await using server = await startServer();
  await assert.rejects(startServer({ port: server.port }), (error: unknown) => {
    assert.ok(error instanceof Error);
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1.*${server.port}`));
    assert.match(error.message, /in use/i);
    return true;
  });
  await using workplace = await createWorkplace();
  const daemon = homccProgram.replace(/homcc$/, "homccd");
  const second = await workplace.run([
    daemon,
    "--listen",
    "127.0.0.1",
    "--port",
    String(server.port),
    "--no-config",
  ]);
  assert.equal(second.status, 71);
});

test("a homccd on several addresses names them, and serves each", async () => {
  await using server = await startServer({ listen: "127.0.0.1, ::1" });
  assert.match(server.log(), new RegExp(`listening on 127\\.0\\.0\\.1,::1 port ${server.port},`));
  for (const host of [`127.0.0.1:${server.port}/1`, `[::1]:${server.port}/1`]) {
    await using workplace = await prepare(host);
    assert.equal((await workplace.run(compile)).status, 0);
    const [job] = await workplace.jobs(1);
    assert.equal(job?.outcome, "compiled-remotely", host);
  }
});

test("a homccd whose disk has less room than min_free_space takes no jobs", async () => {
  await using server = await startServer({ options: ["--min-free-space", "999999G"] });
  await using workplace = await prepare(`${server.address}/1`);
  const { status, stderr } = await workplace.run(compile);
  assert.equal(status, 0, stderr);
  const [job] = await workplace.jobs(1);
  assert.equal(job?.outcome, "server-full");
  recordSurvived("The disk of the server has less room than min_free_space");
});

test("a store that cannot be used, and an address that is not here", async () => {
  await using workplace = await createWorkplace();
  const daemon = [homccProgram.replace(/homcc$/, "homccd"), "--no-config", "--port", "0"];
  for (const store of ["/proc/store", "/dev/null", "/etc/passwd/store"]) {
    const { status, stderr } = await workplace.run([...daemon, "--listen", "127.0.0.1", "--store", store]);
    assert.equal(status, 78);
    assert.match(stderr, new RegExp(`the store ${store} cannot be used .*--store`));
  }
  const elsewhere = await workplace.run([...daemon, "--listen", "192.0.2.1"]);
  assert.equal(elsewhere.status, 71);
  assert.match(elsewhere.stderr, /192\.0\.2\.1.*an address of this machine/);
});

test("garbage at the server's port", async () => {
  await using server = await startServer();
  await using workplace = await prepare(`${server.address}/4`);
  const garbage = [
    randomBytes(1),
    randomBytes(8),
    randomBytes(70_000),
    Buffer.alloc(100_000),
    Buffer.alloc(64, 0xff),
  ];
  for (const bytes of [...garbage, Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.from([0x16, 3, 1, 0, 5])]) {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {}); // It may close while we still write.
    await once(socket, "connect");
    socket.end(bytes);
    socket.resume();
  }
  const result = await workplace.run(compile);
  assert.deepEqual({ status: result.status, stderr: result.stderr }, { status: 0, stderr: "" });
  const [job] = await workplace.jobs(1);
  assert.equal(job?.outcome, "compiled-remotely");
  recordSurvived("Garbage is sent to the server's port before a job", garbage.length + 2);
});
