import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { InputEntry } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import { hasCode } from "@homcc/observability/error";
import { decodeDelta, encodeDelta } from "@homcc/protocol/delta";
import { hostIdOf } from "@homcc/scheduler/host";
import { connectToServer } from "@homcc/transport/connect";
import { bareResult } from "@homcc/transport/fixtures/example-messages";
import { actionOn, fillingAction, inputFile, job } from "./remote-job.fixture.ts";
import { scratchFolder } from "./scratch-folder.fixture.ts";
import { type ScriptedJob, type ScriptedServer, startScriptedServer } from "./scripted-server.fixture.ts";
import { OutputBases } from "./output-bases.ts";
import { RecentContents } from "./recent-contents.ts";
import { ServerSession } from "./server-session.ts";

const never = new AbortController().signal;

async function sessionTo(
  t: TestContext,
  server: ScriptedServer,
  contents: RecentContents = new RecentContents(),
): Promise<ServerSession> {
  const { channel, welcome } = await connectToServer({
    host: "127.0.0.1",
    port: server.port,
    connectTimeoutMs: 5000,
  });
  t.after(() => channel.close("the test ends"));
  return new ServerSession(hostIdOf(server.host), channel, welcome, {
    recent: contents,
    outputs: new OutputBases(),
  });
}

const compile = (running: ScriptedJob): Promise<void> => running.finish();

test("what a job of the connection has named travels as a number, what is new in full", async (t) => {
  await using folder = await scratchFolder();
  const [a, b] = [
    await inputFile(join(folder.path, "a.c"), "a"),
    await inputFile(join(folder.path, "b.h"), "b"),
  ];
  await using server = await startScriptedServer(compile);
  const session = await sessionTo(t, server);
  await session.run(actionOn(folder.path, [a]), job, never);
  await session.run(actionOn(folder.path, [a, b]), job, never);
  const changed = await inputFile(a.path, "changed");
  await session.run(actionOn(folder.path, [changed, b]), job, never);
  assert.deepEqual(
    server.jobs.map(({ message }) => message.declare.map(({ path }) => path)),
    [[a.path], [b.path], [a.path]],
  );
  assert.deepEqual(
    server.jobs.map(({ inputs }) => inputs),
    [[a], [a, b], [b, changed]],
  );
});

test("a job that cannot be sent takes no numbers", async (t) => {
  await using folder = await scratchFolder();
  const a = await inputFile(join(folder.path, "a.c"), "a");
  await using server = await startScriptedServer(compile);
  const session = await sessionTo(t, server);
  const tooLong = actionOn(folder.path, [a], { environment: { LONG: "x".repeat(200_000) } });
  await assert.rejects(session.run(tooLong, job, never), (error) => hasCode(error, "ERR_HOMCC_PROTOCOL"));
  const aborted = AbortSignal.abort(new Error("gone"));
  await assert.rejects(session.run(actionOn(folder.path, [a]), job, aborted), /gone/);
  await session.run(actionOn(folder.path, [a]), job, never);
  assert.equal(server.jobs.length, 1);
  assert.deepEqual(server.jobs[0]?.inputs, [a]);
});

test("an absence is sent when the server may have the path, folders of inputs included", async (t) => {
  await using folder = await scratchFolder();
  const deep: InputEntry = { kind: "directory", path: `${folder.path}/x/y` };
  const absent = [`${folder.path}/x`, `${folder.path}/x/y`, `${folder.path}/never`];
  for (const [executors, first, second] of [
    [["namespace"], new Array<string>(), absent.slice(0, 2)],
    [["mapped"], absent, absent],
  ] as const) {
    await using server = await startScriptedServer(compile, { executors });
    const session = await sessionTo(t, server);
    await session.run(actionOn(folder.path, [], { absent }), job, never);
    await session.run(actionOn(folder.path, [deep]), job, never);
    await session.run(actionOn(folder.path, [], { absent }), job, never);
    assert.deepEqual(server.jobs[0]?.absent.toSorted(), [...first].sort());
    assert.deepEqual(server.jobs[2]?.absent.toSorted(), [...second].sort());
  }
});

test("jobs that wait for the same blob have it sent once", async (t) => {
  await using folder = await scratchFolder();
  const source = await inputFile(join(folder.path, "a.c"), randomBytes(300_000));
  await using server = await startScriptedServer(async (running) => {
    await running.ask([source.digest]);
    await running.finish();
  });
  const session = await sessionTo(t, server);
  const actions = Array.from({ length: 5 }, () => actionOn(folder.path, [source]));
  const results = await Promise.all(actions.map((action) => session.run(action, job, never)));
  assert.equal(server.uploads.length, 1);
  const costs = results.map(({ cost }) => cost.sentBytes);
  assert.equal(costs.filter((bytes) => bytes > 300_000).length, 1, JSON.stringify(costs));
});

test("each piece of a file on its way is progress for every job that waits for it, and for no other", async (t) => {
  await using folder = await scratchFolder();
  const large = await inputFile(join(folder.path, "large.c"), randomBytes(3 << 20));
  const together = Promise.withResolvers<void>();
  await using server = await startScriptedServer(async (running) => {
    if (server.jobs.length === 3) together.resolve();
    await together.promise;
    if (running.inputs.length > 0) await running.ask([large.digest]);
    await running.finish();
  });
  const session = await sessionTo(t, server);
  const moves = [0, 0, 0];
  const run = (index: number, inputs: InputEntry[]): Promise<unknown> => {
    const onProgress = (): void => {
      moves[index] = (moves[index] ?? 0) + 1;
    };
    return session.run(actionOn(folder.path, inputs), { ...job, onProgress }, never);
  };
  await Promise.all([run(0, [large]), run(1, [large]), run(2, [])]);
  const [first = 0, second = 0, other] = moves;
  assert.ok(first > 10 && second > 10 && other === 0, String(moves));
  assert.equal(server.uploads.length, 1);
});

test("a blob that is asked for again right after it was stored is sent again", async (t) => {
  await using folder = await scratchFolder();
  const source = await inputFile(join(folder.path, "a.c"), "x");
  let firstJob: ScriptedJob | undefined;
  await using server = await startScriptedServer(
    async (running) => {
      firstJob ??= running;
      if (running === firstJob) await running.ask([source.digest]);
    },
    {
      answerUpload: (digest) => {
        // In one packet with the answer, as from a store that has evicted the blob at once.
        if (server.uploads.length === 1) {
          queueMicrotask(() => server.jobs[1]?.send({ kind: "missing", digests: [digest] }));
        } else {
          for (const running of server.jobs) void running.finish();
        }
        return { kind: "stored" };
      },
    },
  );
  const session = await sessionTo(t, server);
  const actions = [actionOn(folder.path, [source]), actionOn(folder.path, [source])];
  await Promise.all(actions.map((action) => session.run(action, job, AbortSignal.timeout(5000))));
  assert.equal(server.uploads.length, 2);
});

test("an edited file goes along with the job, one that is news or was there before does not", async (t) => {
  await using folder = await scratchFolder();
  const [source, large] = [join(folder.path, "a.c"), join(folder.path, "large.h")];
  await using server = await startScriptedServer(async (running) => {
    // On one connection what was sent with the job has arrived before its answer is looked at.
    await running.finish();
  });
  const session = await sessionTo(t, server);
  const compile = async (...files: InputEntry[]): Promise<void> => {
    await session.run(actionOn(folder.path, files), job, never);
  };
  const big = randomBytes(100_000);
  await compile(await inputFile(source, "first"), await inputFile(large, big));
  await compile(await inputFile(source, "second"));
  await compile(await inputFile(source, "first"));
  await compile(await inputFile(source, "second"), await inputFile(large, randomBytes(100_000)));
  await compile(await inputFile(source, "third"), await inputFile(join(folder.path, "new.h"), "new"));
  await compile();
  assert.deepEqual(
    server.uploads.map(({ bytes }) => bytes.toString()),
    ["second", "third"],
  );
});

test("an edited file is told by its earlier contents, and sent whole where the server lacks them", async (t) => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "large.h");
  const versions = [randomBytes(200_000)];
  for (let n = 1; n <= 3; n++) {
    versions.push(Buffer.concat([versions[n - 1] ?? Buffer.alloc(0), Buffer.from(`// line ${n}\n`)]));
  }
  let baseIsThere = true;
  await using server = await startScriptedServer(
    async (running) => {
      const [wanted] = running.inputs.flatMap((input) => (input.kind === "file" ? [input.digest] : []));
      assert.ok(wanted);
      await running.ask([wanted]);
      await running.finish();
    },
    {
      answerUpload: (_digest, base) =>
        base === undefined || baseIsThere
          ? { kind: "stored" }
          : { kind: "rejected", reason: "base-missing", message: "evicted" },
    },
  );
  const contents = new RecentContents();
  const session = await sessionTo(t, server, contents);
  const costs: number[] = [];
  for (const [index, bytes] of versions.entries()) {
    baseIsThere = index !== 2;
    const input = await inputFile(path, bytes);
    contents.keep(path, input.digest, bytes);
    const result = await session.run(actionOn(folder.path, [input]), job, never);
    costs.push(result.cost.sentBytes);
  }
  const [first, second, third, fourth] = versions.map(digestOf);
  assert.deepEqual(
    server.uploads.map(({ digest, base }) => [digest, base]),
    [
      [first, undefined],
      [second, first],
      [third, second],
      [third, undefined],
      [fourth, third],
    ],
  );
  assert.deepEqual(
    await decodeDelta(server.uploads[1]?.bytes ?? Buffer.alloc(0), versions[0] ?? Buffer.alloc(0), 200_010),
    versions[1],
  );
  assert.ok(costs[0] !== undefined && costs[0] > 200_000);
  for (const small of [costs[1], costs[3]]) assert.ok(small !== undefined && small < 600, String(costs));
});

/** A file's time is the kernel's last tick, 4 or 10 ms apart: several of these jobs fit into one. Ends when a new file is later. */
async function laterTick(folder: string, thanNs: bigint): Promise<void> {
  const probe = join(folder, "probe");
  for (let latestNs = thanNs; latestNs <= thanNs;) {
    await writeFile(probe, "");
    latestNs = (await stat(probe, { bigint: true })).mtimeNs;
    await rm(probe);
  }
}

test("an output is told by the one before; when somebody wrote into that, the job runs once more for the whole", async (t) => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.o");
  const first = randomBytes(3000);
  const second = Buffer.concat([first, randomBytes(100)]);
  const delta = await encodeDelta(second, first);
  let spoil = async (): Promise<void> => {};
  await using server = await startScriptedServer(async (running) => {
    const [output] = running.message.outputs;
    await spoil();
    const mode = 0o644;
    if (output?.base === undefined) {
      const bytes = server.jobs.length === 1 ? first : second;
      const written = {
        kind: "written",
        path,
        sizeBytes: bytes.byteLength,
        mode,
        digest: digestOf(bytes),
      } as const;
      await running.finish({ outputs: [written] }, [bytes]);
    } else if (output.base === digestOf(second)) {
      running.send({ ...bareResult, outputs: [{ kind: "unchanged", output: 0, mode }] }, { end: true });
    } else {
      const { byteLength: deltaBytes } = delta;
      const changed = { kind: "delta", output: 0, mode, digest: digestOf(second), deltaBytes } as const;
      await running.finish({ outputs: [changed] }, [delta]);
    }
  });
  const session = await sessionTo(t, server);
  const compile = async (): Promise<Buffer> => {
    const result = await session.run(actionOn(folder.path, []), job, never);
    await result.commit();
    return await readFile(path);
  };
  assert.deepEqual(await compile(), first);
  spoil = () => writeFile(path, "something else");
  assert.deepEqual(await compile(), second);
  spoil = async () => {};
  const before = await stat(path, { bigint: true });
  await laterTick(folder.path, before.mtimeNs);
  assert.deepEqual(await compile(), second);
  const after = await stat(path, { bigint: true });
  assert.ok(after.mtimeNs > before.mtimeNs && after.ino !== before.ino, "as from a compiler");
  spoil = () => writeFile(path, "something else");
  assert.deepEqual(await compile(), second);
  assert.deepEqual(
    server.jobs.map(({ message }) => message.outputs[0]?.base),
    [undefined, digestOf(first), undefined, digestOf(second), digestOf(second), undefined],
  );
  assert.deepEqual(await readdir(folder.path), ["a.o"]);
});

test("a question of the server is answered for the files of that job, and for no other", async (t) => {
  await using folder = await scratchFolder();
  const [a, b] = [
    await inputFile(join(folder.path, "a.c"), "a"),
    await inputFile(join(folder.path, "b.h"), "b"),
  ];
  await using server = await startScriptedServer(async (running) => {
    running.send({ kind: "prove", nonce: "5a".repeat(32), digests: [a.digest, b.digest] });
    await running.proof;
    await running.finish();
  });
  const session = await sessionTo(t, server);
  await session.run(actionOn(folder.path, [a, b]), job, never);
  await session.run(actionOn(folder.path, [a]), job, never);
  const [first, second] = await Promise.all(server.jobs.map(({ proof }) => proof));
  const hashOf = (text: string): string =>
    createHash("sha256").update(Buffer.alloc(32, 0x5a)).update(text).digest("hex");
  assert.deepEqual(first, { kind: "proof", hash: hashOf("ab"), changed: [] });
  assert.deepEqual(second, { kind: "proof", hash: hashOf("a"), changed: [b.digest] });
});

test("a server that knows no deltas gets whole files", async (t) => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "large.h");
  await using server = await startScriptedServer(
    async (running) => {
      await running.ask(running.inputs.flatMap((input) => (input.kind === "file" ? [input.digest] : [])));
      await running.finish();
    },
    { capabilities: ["zstd"] },
  );
  const contents = new RecentContents();
  const session = await sessionTo(t, server, contents);
  for (const text of ["a", "b"]) {
    const input = await inputFile(path, text.repeat(5000));
    contents.keep(path, input.digest, Buffer.from(text.repeat(5000)));
    await session.run(actionOn(folder.path, [input]), job, never);
  }
  assert.deepEqual(
    server.uploads.map(({ base, bytes }) => [base, bytes.byteLength]),
    [
      [undefined, 5000],
      [undefined, 5000],
    ],
  );
});

test("an edited file that changes once more on its way ends its job", async (t) => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "a.c");
  await using server = await startScriptedServer(
    (running) => (running.message.label === "second" ? running.cancelled : running.finish()),
    {
      answerUpload: () => ({ kind: "rejected", reason: "digest-mismatch", message: "other bytes" }),
    },
  );
  const session = await sessionTo(t, server);
  await session.run(actionOn(folder.path, [await inputFile(path, "first")]), job, never);
  const edited = await inputFile(path, "second");
  await writeFile(path, "third!");
  await assert.rejects(
    session.run(actionOn(folder.path, [edited]), { ...job, label: "second" }, never),
    (error) => hasCode(error, "ERR_HOMCC_INPUT_CHANGED"),
  );
});

test("missing twice on one job", async (t) => {
  await using folder = await scratchFolder();
  const a = await inputFile(join(folder.path, "a.c"), "a");
  const b = await inputFile(join(folder.path, "b.h"), "b");
  await using server = await startScriptedServer(async (running) => {
    await running.ask([a.digest]);
    await running.ask([b.digest]);
    await running.finish();
  });
  const session = await sessionTo(t, server);
  await session.run(actionOn(folder.path, [a, b]), job, never);
  assert.deepEqual(
    server.uploads.map(({ bytes }) => bytes.toString()),
    ["a", "b"],
  );
});

test("hundreds of blobs, more than are sent at once", async (t) => {
  await using folder = await scratchFolder();
  const files = await Promise.all(
    Array.from({ length: 300 }, (_, n) => inputFile(join(folder.path, `${n}.h`), `file ${n}`)),
  );
  await using server = await startScriptedServer(async (running) => {
    await running.ask(files.map(({ digest }) => digest));
    await running.finish();
  });
  const session = await sessionTo(t, server);
  await session.run(actionOn(folder.path, files), job, never);
  assert.equal(new Set(server.uploads.map(({ digest }) => digest)).size, 300);
});

test("an upload that fails after its job's result came does not take the result away", async (t) => {
  await using folder = await scratchFolder();
  const source = await inputFile(join(folder.path, "a.c"), "x");
  const path = join(folder.path, "a.o");
  const uploaded = Promise.withResolvers<void>();
  const complete = Promise.withResolvers<void>();
  await using server = await startScriptedServer(
    async (running) => {
      if (server.jobs.length === 1) void running.ask([source.digest]);
      await uploaded.promise;
      const outputs = [{ kind: "written" as const, path, sizeBytes: 1, mode: 0o644 }];
      await running.finish({ outputs }, [Buffer.from("o")]);
    },
    {
      // As when another client has brought the same blob meanwhile.
      answerUpload: async () => {
        uploaded.resolve();
        await complete.promise;
        return { kind: "rejected", reason: "failed", message: "a broken disk" };
      },
    },
  );
  const session = await sessionTo(t, server);
  const result = await session.run(actionOn(folder.path, [source]), job, never);
  complete.resolve();
  // The next job's answer comes after the rejection.
  const next = session.run(actionOn(folder.path, [source]), job, never);
  await next;
  await result.commit();
  assert.equal(await readFile(path, "utf8"), "o");
});

test("a connection whose numbers run out takes no more jobs, and ends with its last one", async (t) => {
  const gate = Promise.withResolvers<void>();
  await using server = await startScriptedServer(async (running) => {
    if (running.message.label === "long") await gate.promise;
    await running.finish();
  });
  const session = await sessionTo(t, server);
  const long = session.run(actionOn("/w", []), { ...job, label: "long" }, never);
  let jobs = 0;
  while (session.takesJobs) await session.run(fillingAction(jobs++), job, never);
  assert.equal(jobs, 7);
  session.retire();
  assert.ok(server.connections[0]?.isOpen);
  gate.resolve();
  await long;
  await server.connections[0].closed;
  await assert.rejects(session.run(actionOn("/w", []), job, never), (error) =>
    hasCode(error, "ERR_HOMCC_CONNECTION_LOST"),
  );
});

test("a file that vanishes before its turn does not keep the others from being sent", async (t) => {
  await using folder = await scratchFolder();
  const gone = {
    ...(await inputFile(join(folder.path, "gone.h"), "gone")),
    path: join(folder.path, "never.h"),
  };
  const source = await inputFile(join(folder.path, "a.c"), "x");
  await using server = await startScriptedServer(async (running) => {
    await running.ask(running.inputs.flatMap((entry) => (entry.kind === "file" ? [entry.digest] : [])));
    await running.finish();
  });
  const session = await sessionTo(t, server);
  const failing = session.run(actionOn(folder.path, [gone]), job, never);
  const working = session.run(actionOn(folder.path, [source]), job, never);
  await assert.rejects(failing, (error) => hasCode(error, "ERR_HOMCC_INPUT_CHANGED"));
  await working;
  await writeFile(gone.path, "gone");
  await session.run(actionOn(folder.path, [gone]), job, never);
});
