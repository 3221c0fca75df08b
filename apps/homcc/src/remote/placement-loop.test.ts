import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { digestOf, type Digest } from "@homcc/cas/digest";
import { silentLogger } from "@homcc/observability/log";
import type { RefusalReason } from "@homcc/protocol/messages";
import { bareResult } from "@homcc/transport/fixtures/example-messages";
import { ManualTime } from "./manual-time.fixture.ts";
import type { PlacedRun } from "./placement-loop.ts";
import { actionOn, inputFile, noTunnels, place, settingsFor } from "./remote-job.fixture.ts";
import { scratchFolder } from "./scratch-folder.fixture.ts";
import { type ScriptedJob, startScriptedServer } from "./scripted-server.fixture.ts";
import { Servers } from "./servers.ts";

function agentServers(t: TestContext): Servers {
  const servers = new Servers(silentLogger, noTunnels);
  t.after(() => servers.close());
  return servers;
}

function outcomeOf(run: PlacedRun): string {
  return run.kind === "failed" ? run.outcome : run.kind;
}

const compile = (job: ScriptedJob): Promise<void> => job.finish();

test("a result with messages, an output and its cost", async (t) => {
  await using folder = await scratchFolder();
  const source = await inputFile(join(folder.path, "a.c"), "int x;\n");
  await using server = await startScriptedServer(async (job) => {
    await job.ask([source.digest]);
    const path = join(folder.path, "a.o");
    await job.finish(
      { stdoutBytes: 3, stderrBytes: 4, outputs: [{ kind: "written", path, sizeBytes: 6, mode: 0o644 }] },
      [Buffer.from("outerr!object")],
    );
  });
  const servers = agentServers(t);
  const run = await place(actionOn(folder.path, [source]), await settingsFor([server]), servers);
  assert.ok(run.kind === "ran");
  const { result } = run;
  assert.deepEqual(result.termination, { kind: "exited", status: 0 });
  assert.equal(Buffer.from(result.stdout).toString() + Buffer.from(result.stderr).toString(), "outerr!");
  assert.deepEqual(server.uploads, [
    { digest: source.digest, base: undefined, bytes: Buffer.from("int x;\n") },
  ]);
  assert.equal(result.cost.host, `127.0.0.1:${server.port}`);
  assert.ok(result.cost.sentBytes > 100 && result.cost.receivedBytes > 50, JSON.stringify(result.cost));
  await assert.rejects(readFile(join(folder.path, "a.o")));
  await result.commit();
  assert.equal(await readFile(join(folder.path, "a.o"), "utf8"), "object");
  assert.deepEqual((await readdir(folder.path)).sort(), ["a.c", "a.o"]);
});

const refusals: readonly [RefusalReason, string][] = [
  ["toolchain-differs", "toolchain-differs"],
  ["refused", "refused"],
  ["server-full", "server-full"],
  ["mapped-unsupported", "mapped-unsupported"],
  ["sandbox-unavailable", "sandbox-unavailable"],
  ["limited", "remote-limit"],
  ["bad-job", "refused"],
  ["executor-failed", "refused"],
  ["shutting-down", "no-server"],
];

test("each refusal has its outcome, and the next server is asked", async (t) => {
  await using folder = await scratchFolder();
  let reason: RefusalReason = "refused";
  const refuse = (job: ScriptedJob): void =>
    job.send({ kind: "refused", reason, message: "no" }, { end: true });
  await using refusing = await startScriptedServer(refuse);
  await using other = await startScriptedServer(compile);
  const alone = await settingsFor([refusing]);
  const both = await settingsFor([refusing, other]);
  const servers = agentServers(t);
  for (const [given, outcome] of refusals) {
    reason = given;
    assert.equal(outcomeOf(await place(actionOn(folder.path, []), alone, servers)), outcome);
    assert.equal(outcomeOf(await place(actionOn(folder.path, []), both, servers)), "ran");
  }
});

test("servers without room are asked again for a job that may not be compiled at home, and not for ever", async (t) => {
  await using folder = await scratchFolder();
  const time = new ManualTime();
  let refusals = 3;
  await using server = await startScriptedServer((job) => {
    if (refusals === 0) return job.finish();
    refusals -= 1;
    job.send({ kind: "refused", reason: "limited", message: "short of memory" }, { end: true });
    return undefined;
  });
  const patient = await settingsFor([server], { HOMCC_NO_LOCAL_COMPILATION: "1" });
  const servers = agentServers(t);
  const compileOver = async (passes: () => void): Promise<string> => {
    const ended: string[] = [];
    const placing = place(actionOn(folder.path, []), patient, servers, { time });
    void placing.then((run) => ended.push(outcomeOf(run)));
    while (ended.length === 0) {
      await setImmediate();
      passes();
    }
    return String(ended);
  };
  const asked = (): number => server.jobs.length;
  assert.equal(await compileOver(() => time.pass(100)), "ran");
  assert.equal(asked(), 4);
  refusals = Infinity;
  assert.equal(await compileOver(() => time.pass(100)), "remote-limit");
  assert.ok(asked() > 10 && asked() < 30, `${asked()} times`);
  assert.equal(time.pending, 0);
});

test("the detail of another toolchain names both", async (t) => {
  await using folder = await scratchFolder();
  const digest = digestOf(Buffer.from("other"));
  await using server = await startScriptedServer((job) => {
    const { toolchain } = job.message;
    const identities = {
      client: { digest: toolchain.digest, version: "gcc 12" },
      server: { digest, version: "gcc 13" },
    };
    job.send({ kind: "refused", reason: "toolchain-differs", message: "differs", identities }, { end: true });
  });
  const run = await place(actionOn(folder.path, []), await settingsFor([server]), agentServers(t));
  assert.ok(run.kind === "failed");
  assert.match(run.detail, /differs; here gcc 12 \([0-9a-f]{12}\), there gcc 13 \([0-9a-f]{12}\)/);
});

test("at most remote_compilation_tries servers are asked, each once", async (t) => {
  await using folder = await scratchFolder();
  const refuse = (job: ScriptedJob): void =>
    job.send({ kind: "refused", reason: "refused", message: "no" }, { end: true });
  await using a = await startScriptedServer(refuse);
  await using b = await startScriptedServer(refuse);
  await using c = await startScriptedServer(refuse);
  const loaded = await settingsFor([a, b, c], { HOMCC_REMOTE_COMPILATION_TRIES: "2" });
  assert.equal(loaded.settings.remoteCompilationTries, 2);
  assert.equal(outcomeOf(await place(actionOn(folder.path, []), loaded, agentServers(t))), "refused");
  const asked = [a, b, c].filter(({ jobs }) => jobs.length === 1);
  const spared = [a, b, c].filter(({ jobs }) => jobs.length === 0);
  assert.deepEqual([asked.length, spared.length], [2, 1]);
});

test("a server that is killed in the middle, before and while it answers", async (t) => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.o");
  await using before = await startScriptedServer((job) => void job.channel.close("killed"));
  await using during = await startScriptedServer(async (job) => {
    const { channel } = job;
    const outputs = [{ kind: "written" as const, path, sizeBytes: 1 << 22, mode: 0o644 }];
    job.send({ ...bareResult, outputs });
    await channel.sendData(1, [Buffer.alloc(1 << 21, "x")], { priority: "large", end: false });
    await channel.close("killed");
  });
  await using good = await startScriptedServer(compile);
  for (const broken of [before, during]) {
    const servers = agentServers(t);
    const run = await place(actionOn(folder.path, []), await settingsFor([broken]), servers);
    assert.equal(outcomeOf(run), "connection-lost");
    assert.deepEqual(await readdir(folder.path), []);
    const both = await settingsFor([broken, good]);
    for (let round = 0; round < 4; round += 1) {
      assert.equal(outcomeOf(await place(actionOn(folder.path, []), both, servers)), "ran");
    }
    assert.deepEqual(await readdir(folder.path), []);
  }
});

test("a job whose line drops is sent to the same server again, others free or not, and not for ever", async (t) => {
  await using folder = await scratchFolder();
  let drops = 2;
  await using dropping = await startScriptedServer(async (job) => {
    drops -= 1;
    if (drops >= 0) dropping.cut();
    else await job.finish();
  });
  await using other = await startScriptedServer(compile);
  const alone = await settingsFor([dropping]);
  const both = await settingsFor([dropping, other]);
  const servers = agentServers(t);
  assert.equal(outcomeOf(await place(actionOn(folder.path, []), alone, servers)), "ran");
  assert.equal(dropping.jobs.length, 3);
  // Until one goes there; the others are somewhere else from the beginning.
  for (let sent = dropping.jobs.length; sent === dropping.jobs.length;) {
    drops = 1;
    assert.equal(outcomeOf(await place(actionOn(folder.path, []), both, servers)), "ran");
  }
  assert.equal(dropping.jobs.length, 5);
  drops = 100;
  assert.equal(outcomeOf(await place(actionOn(folder.path, []), alone, servers)), "connection-lost");
  assert.equal(dropping.jobs.length, 5 + 6);
});

test("nobody listens: no server, and the detail says why", async (t) => {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  assert.ok(typeof address === "object" && address !== null);
  listener.close();
  const loaded = await settingsFor([{ port: address.port }]);
  const servers = agentServers(t);
  for (let round = 0; round < 2; round += 1) {
    const run = await place(actionOn("/tmp", []), loaded, servers);
    assert.ok(run.kind === "failed");
    assert.equal(run.outcome, "no-server");
    assert.match(run.detail, new RegExp(`127\\.0\\.0\\.1:${address.port}: .*ECONNREFUSED`));
  }
});

test("a server that never answers: timed out, no other is asked, and the job is cancelled there", async (t) => {
  await using folder = await scratchFolder();
  const time = new ManualTime();
  const silence = (): void => time.pass(1000);
  await using silent = await startScriptedServer(silence);
  await using other = await startScriptedServer(silence);
  const loaded = await settingsFor([silent, other], { HOMCC_COMPILATION_REQUEST_TIMEOUT: "1" });
  const run = await place(actionOn(folder.path, []), loaded, agentServers(t), { time });
  assert.equal(outcomeOf(run), "timed-out");
  assert.match(run.kind === "failed" ? run.detail : "", /^127\.0\.0\.1:\d+: .* for 1 s$/);
  const jobs = [...silent.jobs, ...other.jobs];
  assert.equal(jobs.length, 1);
  await jobs[0]?.cancelled;
  assert.equal(time.pending, 0);
});

test("a job that waits for a slot at home has no time limit", async (t) => {
  await using folder = await scratchFolder();
  const time = new ManualTime();
  const first = Promise.withResolvers<ScriptedJob>();
  await using server = await startScriptedServer((job) => {
    if (server.jobs.length > 1) return job.finish();
    first.resolve(job);
    return undefined;
  });
  // At home it would be done sooner.
  const hosts = { HOMCC_HOSTS: `127.0.0.1:${server.port}/1`, HOMCC_NO_LOCAL_COMPILATION: "1" };
  const servers = agentServers(t);
  const long = place(actionOn(folder.path, []), await settingsFor([], hosts), servers, { time });
  const holder = await first.promise;
  const short = await settingsFor([], { ...hosts, HOMCC_COMPILATION_REQUEST_TIMEOUT: "1" });
  const waiting = place(actionOn(folder.path, []), short, servers, { time });
  assert.equal(servers.waiting, 1);
  time.pass(100_000);
  await holder.finish();
  assert.deepEqual([outcomeOf(await long), outcomeOf(await waiting)], ["ran", "ran"]);
  assert.equal(time.pending, 0);
});

test("the time limit starts anew while inputs are sent and while the result arrives", async (t) => {
  await using folder = await scratchFolder();
  const time = new ManualTime();
  const names = ["a.c", "b.h", "c.h"];
  const files = await Promise.all(names.map((name) => inputFile(join(folder.path, name), name)));
  const path = join(folder.path, "a.o");
  await using server = await startScriptedServer(async (job) => {
    for (const file of files) {
      await job.ask([file.digest]);
      time.pass(900);
    }
    job.send({ ...bareResult, outputs: [{ kind: "written", path, sizeBytes: 2, mode: 0o644 }] });
    const stream = job.channel.openStreams;
    await job.channel.sendData(stream, [Buffer.from("o")], { priority: "large", end: false });
    while ((await readdir(folder.path)).length === names.length) await setImmediate();
    time.pass(900);
    await job.channel.sendData(stream, [Buffer.from("o")], { priority: "large", end: true });
  });
  const loaded = await settingsFor([server], { HOMCC_COMPILATION_REQUEST_TIMEOUT: "1" });
  const run = await place(actionOn(folder.path, files), loaded, agentServers(t), { time });
  assert.equal(outcomeOf(run), "ran");
  if (run.kind === "ran") await run.result.commit();
  assert.equal(await readFile(path, "utf8"), "oo");
  assert.equal(time.pending, 0);
});

test("a launcher that goes away cancels its job, and the connection serves the next", async (t) => {
  await using folder = await scratchFolder();
  const begun = Promise.withResolvers<void>();
  await using server = await startScriptedServer(async (job) => {
    if (server.jobs.length > 1) return await job.finish();
    begun.resolve();
  });
  const loaded = await settingsFor([server]);
  const servers = agentServers(t);
  const call = new AbortController();
  const running = place(actionOn(folder.path, []), loaded, servers, { signal: call.signal });
  await begun.promise;
  call.abort(new Error("the launcher is gone"));
  await assert.rejects(running, /the launcher is gone/);
  await server.jobs[0]?.cancelled;
  await assert.rejects(place(actionOn(folder.path, []), loaded, servers, { signal: call.signal }));
  assert.equal(outcomeOf(await place(actionOn(folder.path, []), loaded, servers)), "ran");
  assert.equal(server.connections.length, 1);
});

test("a cancellation while the result arrives leaves nothing behind", async (t) => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.o");
  const call = new AbortController();
  await using server = await startScriptedServer(async (job) => {
    const outputs = [{ kind: "written" as const, path, sizeBytes: 1 << 22, mode: 0o644 }];
    const half = Promise.withResolvers<void>();
    async function* bytes(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(1 << 21, "x");
      half.resolve();
      await job.cancelled;
    }
    void half.promise.then(() => setTimeout(() => call.abort(new Error("gone")), 20));
    job.send({ ...bareResult, outputs });
    await job.channel.sendData(1, bytes(), { priority: "large", end: true });
  });
  const running = place(actionOn(folder.path, []), await settingsFor([server]), agentServers(t), {
    signal: call.signal,
  });
  await assert.rejects(running, /gone/);
  // At once: whoever waited for the call may look at the folder.
  assert.deepEqual(await readdir(folder.path), []);
});

test("an input that changed since it was looked at", async (t) => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.c");
  const changes: readonly [string, () => Promise<void>][] = [
    ["longer", () => writeFile(path, "int y; int z;\n")],
    ["shorter", () => truncate(path, 2)],
    ["gone", () => rm(path)],
    [
      "a folder",
      () =>
        rm(path)
          .then(() => mkdir(path))
          .then(() => undefined),
    ],
  ];
  for (const [what, change] of changes) {
    await rm(path, { recursive: true, force: true });
    const source = await inputFile(path, "int x;\n");
    const fits = (digest: Digest): boolean =>
      digestOf(server.uploads.at(-1)?.bytes ?? Buffer.alloc(0)) === digest;
    await using server = await startScriptedServer(
      async (job) => {
        await change();
        await job.ask([source.digest]);
      },
      {
        answerUpload: (digest) =>
          fits(digest) ? { kind: "stored" } : { kind: "rejected", reason: "digest-mismatch", message: "no" },
      },
    );
    await using other = await startScriptedServer(compile);
    const loaded = await settingsFor([server]);
    const run = await place(actionOn(folder.path, [source]), loaded, agentServers(t));
    assert.equal(outcomeOf(run), "input-changed", what);
    assert.equal(other.jobs.length, 0);
    await server.jobs[0]?.cancelled;
  }
});

test("a blob the server cannot store", async (t) => {
  await using folder = await scratchFolder();
  const source = await inputFile(join(folder.path, "a.c"), "int x;\n");
  for (const [reason, outcome] of [
    ["server-full", "server-full"],
    ["failed", "refused"],
  ] as const) {
    await using server = await startScriptedServer((job) => job.ask([source.digest]), {
      answerUpload: () => ({ kind: "rejected", reason, message: "no room" }),
    });
    const run = await place(actionOn(folder.path, [source]), await settingsFor([server]), agentServers(t));
    assert.equal(outcomeOf(run), outcome);
  }
});

test("an output that cannot be written ends the search", async (t) => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "gone", "a.o");
  const write = (job: ScriptedJob): Promise<void> =>
    job.finish({ outputs: [{ kind: "written", path, sizeBytes: 1, mode: 0o644 }] }, [Buffer.from("x")]);
  await using a = await startScriptedServer(write);
  await using b = await startScriptedServer(write);
  const action = actionOn(folder.path, [], { outputs: [{ path, exists: false }] });
  assert.equal(outcomeOf(await place(action, await settingsFor([a, b]), agentServers(t))), "output-failed");
  assert.equal(a.jobs.length + b.jobs.length, 1);
});

test("what is against the protocol ends the job, not the connection", async (t) => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.o");
  const written = (to: string) => ({ kind: "written" as const, path: to, sizeBytes: 2, mode: 0o644 });
  const scripts: readonly [string, (job: ScriptedJob) => void | Promise<void>][] = [
    ["an undeclared output", (job) => job.finish({ outputs: [written("/etc/evil")] }, [Buffer.from("xx")])],
    ["too few bytes", (job) => job.finish({ outputs: [written(path)] }, [Buffer.from("x")])],
    ["too many bytes", (job) => job.finish({ outputs: [written(path)] }, [Buffer.from("xxx")])],
    [
      "data without a result",
      (job) =>
        job.channel.sendData(job.channel.openStreams, [Buffer.from("x")], { priority: "small", end: true }),
    ],
    ["an end without a result", (job) => job.send({ kind: "queued", ahead: 0 }, { end: true })],
    ["a blob that is no input", (job) => void job.ask([digestOf(Buffer.from("/etc/shadow"))])],
  ];
  for (const [what, script] of scripts) {
    await using server = await startScriptedServer(script);
    const servers = agentServers(t);
    const loaded = await settingsFor([server]);
    const run = await place(actionOn(folder.path, []), loaded, servers);
    assert.equal(outcomeOf(run), "connection-lost", what);
    assert.deepEqual(await readdir(folder.path), [], what);
    assert.ok(server.connections[0]?.isOpen, what);
    assert.equal(server.uploads.length, 0);
  }
});

test("a second result does not replace the first", async (t) => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.o");
  const outputs = [{ kind: "written" as const, path, sizeBytes: 2, mode: 0o644 }];
  await using server = await startScriptedServer(async (job) => {
    job.send({ ...bareResult, outputs });
    await job.channel.sendData(1, [Buffer.from("x")], { priority: "large", end: false });
    await job.finish({ outputs }, [Buffer.from("xx")]);
  });
  const run = await place(actionOn(folder.path, []), await settingsFor([server]), agentServers(t));
  assert.equal(outcomeOf(run), "connection-lost");
  assert.deepEqual(await readdir(folder.path), []);
});

test("a job that only namespaces can run is not sent to a server that maps", async (t) => {
  await using folder = await scratchFolder();
  await using mapping = await startScriptedServer(compile, { executors: ["mapped"] });
  const servers = agentServers(t);
  const loaded = await settingsFor([mapping]);
  const vetoed = await place(actionOn(folder.path, []), loaded, servers, { job: { mappedVeto: "-g" } });
  assert.equal(outcomeOf(vetoed), "mapped-unsupported");
  assert.equal(mapping.jobs.length, 0);
  // The numbers of the refused job were not taken.
  assert.equal(outcomeOf(await place(actionOn(folder.path, []), loaded, servers)), "ran");
  assert.equal(mapping.jobs[0]?.message.declareFrom, 0);
});
