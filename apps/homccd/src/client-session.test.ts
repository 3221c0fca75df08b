import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import type { ActionResult } from "@homcc/cas/action";
import { HomccError } from "@homcc/observability/error";
import type { JobMessage } from "@homcc/protocol/messages";
import {
  actionResult,
  Client,
  eventually,
  fileOf,
  gccOf,
  openStream,
  resultWriting,
  serveClient,
  served,
  type Served,
  type ServedOptions,
} from "./served-client.fixture.ts";

const source = Buffer.from("int x;\n");

/** Nothing of any job is left on the server. */
async function assertIdle(session: Served): Promise<void> {
  const { slots } = session.services;
  await eventually(
    "all given back",
    () => session.store.pins + slots.held + slots.waiting + session.openResults() === 0,
  );
}

test("a survey is answered on its stream, which ends", (t) => {
  const inventory = {
    toolchains: [],
    profiles: [{ name: "jammy" }],
    containers: [],
    problems: [],
    omitted: 0,
  };
  return served(t, { inventory }, async (_client, session) => {
    const asked = openStream(session.client, { kind: "survey" });
    await asked.ended;
    assert.deepEqual(asked.messages, [{ kind: "inventory", ...inventory }]);
    assert.equal(session.client.openStreams, 0);
  });
});

/** An execution that lasts until it is cancelled. */
function endless(): { execute: NonNullable<ServedOptions["execute"]>; readonly running: () => number } {
  let running = 0;
  return {
    running: () => running,
    execute: (_, signal) =>
      new Promise<ActionResult>((_resolve, reject) => {
        running += 1;
        signal.addEventListener("abort", () => {
          running -= 1;
          reject(signal.reason);
        });
      }),
  };
}

test("from the job over its missing blobs to its result", (t) =>
  served(
    t,
    {
      execute: async (action) => {
        const written = await resultWriting(action.outputs[0]?.path ?? "", Buffer.from("object"));
        return { ...written, stdout: Buffer.from("out"), stderr: Buffer.from("err") };
      },
    },
    async (client, session) => {
      const header = Buffer.from("header");
      const inputs = [fileOf(source), fileOf(header, "/w/a.h"), { kind: "directory" as const, path: "/w/x" }];
      const job = client.compile(inputs, { locale: "de_DE.UTF-8" });
      const missing = await job.until("missing");
      assert.deepEqual(new Set(missing.digests), new Set([digestOf(source), digestOf(header)]));
      assert.deepEqual((await client.upload(source)).messages, [{ kind: "stored" }]);
      assert.equal(session.executed.length, 0);
      await client.upload(header);
      const result = await job.until("result");
      await job.ended;
      assert.deepEqual(
        job.messages.map(({ kind }) => kind),
        ["missing", "queued", "started", "result"],
      );
      assert.deepEqual(
        [result.stdoutBytes, result.stderrBytes, result.localeKnown, result.executor],
        [3, 3, false, "namespace"],
      );
      assert.equal(job.bytes().toString(), "outerrobject");
      const [action] = session.executed;
      assert.deepEqual(action?.inputs, inputs);
      assert.deepEqual(action?.terminal, {});
      await assertIdle(session);
      const again = client.compile(inputs, { locale: "C" });
      assert.equal((await again.until("result")).localeKnown, true);
      await again.ended;
      assert.equal(
        again.messages.some(({ kind }) => kind === "missing"),
        false,
      );
    },
  ));

test("an output is told by the base that the job names, and as ever to a peer that knows no deltas", async (t) => {
  const object = randomBytes(5000);
  const execute: ServedOptions["execute"] = (action) => resultWriting(action.outputs[0]?.path ?? "", object);
  await served(t, { execute }, async (client, session) => {
    await client.upload(source);
    const whole = client.compile([fileOf(source)]);
    const written = { kind: "written", path: "/w/a.o", sizeBytes: 5000, mode: 0o644 } as const;
    assert.deepEqual((await whole.until("result")).outputs, [{ ...written, digest: digestOf(object) }]);
    await whole.ended;
    const outputs = [{ path: "/w/a.o", exists: true, base: digestOf(object) }];
    const again = client.compile([fileOf(source)], { outputs });
    assert.deepEqual((await again.until("result")).outputs, [{ kind: "unchanged", output: 0, mode: 0o644 }]);
    await again.ended;
    assert.equal(again.bytes().byteLength, 0);
    assert.deepEqual(
      session.executed.map((action) => action.outputs.map((output) => Object.keys(output).includes("base"))),
      [[false], [false]],
    );
  });
  await served(t, { execute, capabilities: ["zstd"] }, async (client) => {
    await client.upload(source);
    const job = client.compile([fileOf(source)]);
    const { outputs } = await job.until("result");
    assert.deepEqual(outputs, [{ kind: "written", path: "/w/a.o", sizeBytes: 5000, mode: 0o644 }]);
    await job.ended;
    assert.deepEqual(job.bytes(), object);
  });
});

const refusals: readonly [string, Partial<JobMessage>, string, RegExp][] = [
  [
    "an option that loads code",
    { steps: [{ program: "", argv: ["gcc", "-fplugin=/w/evil.so", "-c", "a.c"] }] },
    "refused",
    /-fplugin/,
  ],
  [
    "a program outside the toolchain",
    { steps: [{ program: "/bin/sh", argv: ["sh", "-c", "id"] }] },
    "refused",
    /not part of the toolchain/,
  ],
  ["an output in /proc", { outputs: [{ path: "/proc/self/mem", exists: true }] }, "refused", /outside/],
  [
    "a variable that names programs",
    { environment: { PATH: "/usr/bin:/bin", COMPILER_PATH: "/w" } },
    "refused",
    /COMPILER_PATH/,
  ],
];

for (const [what, changes, reason, message] of refusals) {
  test(`refused: ${what}`, (t) =>
    served(t, {}, async (client, session) => {
      const toolchain = await gccOf(t);
      const steps = changes.steps?.map((step) => ({
        ...step,
        program: step.program || (toolchain?.driver ?? ""),
      }));
      const job = client.compile([fileOf(source)], { ...changes, ...(steps === undefined ? {} : { steps }) });
      const refused = await job.until("refused");
      assert.equal(refused.reason, reason);
      assert.match(refused.message, message);
      await job.ended;
      assert.equal(session.executed.length, 0);
      await assertIdle(session);
    }));
}

test("refused: another toolchain, with both identities", (t) =>
  served(t, {}, async (client, session) => {
    const toolchain = await gccOf(t);
    const digest = digestOf(Buffer.from("other"));
    const driver = toolchain?.driver ?? "";
    const job = client.compile([], { toolchain: { digest, driver, family: "gcc", version: "gcc 99" } });
    const refused = await job.until("refused");
    assert.equal(refused.reason, "toolchain-differs");
    assert.deepEqual(refused.identities, {
      client: { digest, version: "gcc 99" },
      server: { digest: toolchain?.digest, version: toolchain?.version },
    });
    await assertIdle(session);
  }));

const failures: readonly [Error, string][] = [
  [new HomccError("ERR_HOMCC_REFUSED", "no"), "refused"],
  [new HomccError("ERR_HOMCC_STORE_FULL", "no"), "server-full"],
  [new HomccError("ERR_HOMCC_TOOLCHAIN", "no"), "toolchain-differs"],
  [new HomccError("ERR_HOMCC_EXECUTOR", "no"), "executor-failed"],
  [new Error("a bug\u0007"), "executor-failed"],
  [new Error("long ".repeat(10_000)), "executor-failed"],
];

test("each failure of the executor has its reason, and the session goes on", async (t) => {
  let failure = new Error();
  await served(t, { execute: () => Promise.reject(failure) }, async (client, session) => {
    for (const [error, reason] of failures) {
      failure = error;
      const refused = await client.compile([]).until("refused");
      assert.equal(refused.reason, reason);
      await assertIdle(session);
    }
    assert.ok(session.log.some((line) => line.startsWith("ERROR Error: a bug")));
  });
});

test("cancelled while it waits for blobs, for a slot, and while it runs", async (t) => {
  const { execute, running } = endless();
  await served(t, { execute, slots: 1 }, async (client, session) => {
    const waiting = client.compile([fileOf(source)]);
    await waiting.until("missing");
    assert.equal(session.store.pins, 1);
    client.cancel(waiting);
    await assertIdle(session);

    await client.upload(source);
    const first = client.compile([fileOf(source)]);
    await first.until("started");
    const second = client.compile([fileOf(source)]);
    await second.until("queued");
    await eventually("the second waits", () => session.services.slots.waiting === 1);
    client.cancel(second);
    await eventually(
      "it waits no more",
      // The job that runs and what it runs.
      () => session.services.slots.waiting === 0 && session.store.pins === 2,
    );
    assert.equal(running(), 1);
    client.cancel(first);
    await assertIdle(session);
    assert.equal(running(), 0);
    assert.ok(session.server.isOpen);
    assert.equal(session.server.openStreams, 0);
  });
});

test("a client that goes away in each of these states", async (t) => {
  const { execute, running } = endless();
  const toolchain = await gccOf(t);
  if (toolchain === undefined) return;
  await using session = await serveClient({ execute, slots: 1 });
  const client = new Client(session.client, toolchain);
  await client.upload(source);
  await client.compile([fileOf(source)]).until("started");
  await client.compile([fileOf(source)]).until("queued");
  await client.compile([fileOf(Buffer.from("missing"), "/w/b.c")]).until("missing");
  void openStream(session.client, { kind: "blob", digest: digestOf(Buffer.from("never sent")) });
  await eventually("all are there", () => session.store.pins === 5 && session.server.openStreams === 4);
  await session.client.close("gone");
  await session.ended;
  assert.ok(session.executorClosed());
  await assertIdle(session);
  assert.equal(running(), 0);
});

test("a client that goes away while its result is sent", async (t) => {
  const toolchain = await gccOf(t);
  if (toolchain === undefined) return;
  const bytes = randomBytes(32 << 20);
  await using session = await serveClient({ execute: () => resultWriting("/w/a.o", bytes) });
  const client = new Client(session.client, toolchain);
  await client.compile([]).until("result");
  assert.equal(session.openResults(), 1);
  await session.client.close("gone");
  await session.ended;
  await assertIdle(session);
});

test("the slot is free while the result is on its way", (t) =>
  served(
    t,
    { slots: 1, execute: () => resultWriting("/w/a.o", randomBytes(1 << 20)) },
    async (client, session) => {
      const jobs = Array.from({ length: 4 }, () => client.compile([]));
      await Promise.all(jobs.map((job) => job.ended));
      assert.ok(jobs.every((job) => job.bytes().byteLength === 1 << 20));
      await assertIdle(session);
    },
  ));

test("more jobs than one client may have; the numbers of the refused one count", async (t) => {
  const { execute } = endless();
  await served(t, { execute, slots: 1 }, async (client, session) => {
    const jobs = Array.from({ length: 1024 }, () => client.compile([fileOf(source)]));
    const refused = await client.compile([fileOf(Buffer.from("new"), "/w/new.h")]).until("refused");
    assert.equal(refused.reason, "limited");
    for (const job of jobs) client.cancel(job);
    await assertIdle(session);
    // A cancelled job counts until a moment after it gave its slot back.
    for (let isTaken = false; !isTaken;) {
      const next = client.compile([fileOf(Buffer.from("newer"), "/w/newer.h")]);
      const missing = await next.until("missing").catch(() => undefined);
      isTaken = missing !== undefined;
      if (isTaken) assert.deepEqual(missing?.digests, [digestOf(Buffer.from("newer"))]);
      client.cancel(next);
    }
  });
});

test("numbers that do not fit end the connection", (t) =>
  served(t, {}, async (client, session) => {
    client.compile([], { declareFrom: 7 });
    assert.match((await session.client.closed).message, /declareFrom is 7/);
    await session.ended;
    assert.ok(session.executorClosed());
  }));

test("uploads that are damaged, too long, too short or too large for the store", (t) =>
  served(t, { maxBytes: 100_000 }, async (client, session) => {
    const digest = digestOf(source);
    const cases: readonly [Uint8Array, string][] = [
      [Buffer.from("int y;\n"), "digest-mismatch"],
      [Buffer.from("int x;\n\n"), "digest-mismatch"],
      [Buffer.from("int x;"), "digest-mismatch"],
      [Buffer.alloc(0), "digest-mismatch"],
    ];
    for (const [bytes, reason] of cases) {
      const [answer] = (await client.upload(bytes, digest)).messages;
      assert.ok(answer?.kind === "rejected");
      assert.equal(answer.reason, reason);
    }
    const [full] = (await client.upload(randomBytes(200_000))).messages;
    assert.ok(full?.kind === "rejected");
    assert.equal(full.reason, "server-full");
    assert.deepEqual(await session.store.findMissing([digest]), [digest]);
  }));

test("a job goes on when a blob comes right after a damaged one", (t) =>
  served(t, {}, async (client) => {
    const job = client.compile([fileOf(source)]);
    await job.until("missing");
    await client.upload(Buffer.from("wrong!\n"), digestOf(source));
    await client.upload(source);
    await job.until("result");
  }));

test("uploads that fail do not stop the connection", (t) =>
  served(t, {}, async (client, session) => {
    const bytes = randomBytes(300_000);
    const wrong = digestOf(randomBytes(300_000));
    // The fault shows in the middle of a piece: together more bytes than a connection holds back.
    session.store.put = async (_, content) => {
      for await (const _chunk of content) throw new Error("a broken disk");
    };
    for (let round = 0; round < 30; round += 1) {
      const [answer] = (await client.upload(bytes, wrong)).messages;
      assert.ok(answer?.kind === "rejected");
      assert.equal(answer.reason, "failed");
    }
    const last = client.compile([]);
    await last.until("result");
  }));

test("more uploads at once than any client of ours has", (t) =>
  served(t, {}, async (client, session) => {
    const digests = Array.from({ length: 257 }, (_, n) => digestOf(Buffer.from(`${n}`)));
    const uploads = digests.map((digest) => openStream(session.client, { kind: "blob", digest }));
    const rejected = await uploads[256]?.until("rejected");
    assert.match(rejected?.message ?? "", /more than 256 uploads/);
    for (const { stream } of uploads) {
      await session.client.sendData(stream, [Buffer.from("x")], { priority: "small", end: true });
    }
    await Promise.all(uploads.map(({ ended }) => ended));
    assert.deepEqual((await client.upload(source)).messages, [{ kind: "stored" }]);
  }));

test("a file that this machine has at the same path is not asked for", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    await chmod(folder, 0o755);
    await writeFile(join(folder, "same.h"), source, { mode: 0o644 });
    await writeFile(join(folder, "other.h"), "something else");
    await served(t, { adoptedFolders: [folder] }, async (client) => {
      const other = Buffer.from("at the client");
      const job = client.compile([
        fileOf(source, join(folder, "same.h")),
        fileOf(other, join(folder, "other.h")),
      ]);
      assert.deepEqual((await job.until("missing")).digests, [digestOf(other)]);
      await client.upload(other);
      await job.until("result");
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("an output that vanishes before it is sent: no result", (t) =>
  served(
    t,
    {
      execute: () =>
        Promise.resolve(
          actionResult({
            outputs: [
              { kind: "written", path: "/w/a.o", file: "/nonexistent/a.o", sizeBytes: 3, mode: 0o644 },
            ],
          }),
        ),
    },
    async (client, session) => {
      const job = client.compile([]);
      await job.until("refused");
      await assertIdle(session);
    },
  ));

test("a cancellation without a job, and one that comes too late", (t) =>
  served(t, {}, async (client, session) => {
    const stray = openStream(session.client, { kind: "cancel" });
    const job = client.compile([]);
    await job.ended;
    client.cancel(job);
    client.cancel(stray);
    await client.compile([]).until("result");
    assert.ok(session.server.isOpen);
  }));

test("an upload of which nothing comes any more is given up, one that goes on is not", (t) =>
  served(t, { uploadWindowMs: 200 }, async (client, session) => {
    const bytes = randomBytes(100_000);
    const going = openStream(session.client, { kind: "blob", digest: digestOf(bytes) });
    for (let sent = 0; sent < bytes.byteLength; sent += 10_000) {
      const end = sent + 10_000 === bytes.byteLength;
      const part = bytes.subarray(sent, sent + 10_000);
      await session.client.sendData(going.stream, [part], { priority: "small", end });
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    await going.ended;
    assert.deepEqual(going.messages, [{ kind: "stored" }]);
    const stalled = openStream(session.client, { kind: "blob", digest: digestOf(randomBytes(100_000)) });
    await session.client.sendData(stalled.stream, [Buffer.from("x")], { priority: "small", end: false });
    const rejected = await stalled.until("rejected");
    assert.match(rejected.message, /stalled/);
    assert.ok(session.client.isOpen, "the connection's jobs have nothing to do with it");
    assert.deepEqual((await client.upload(source)).messages, [{ kind: "stored" }]);
  }));

test("jobs beyond a client's limit are refused, over all its connections, and their numbers count", async (t) => {
  const toolchain = await gccOf(t);
  if (toolchain === undefined) return;
  const { execute } = endless();
  const identity = { kind: "paired", name: "alice" } as const;
  await using first = await serveClient({ execute, identity, limits: { maxJobs: 2 } });
  await using second = await serveClient({ execute, identity, sharing: first });
  await using other = await serveClient({ execute, sharing: first });
  const [one, two, three] = [first, second, other].map((session) => new Client(session.client, toolchain));
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  for (const client of [one, two, three]) await client.upload(source);
  await one.compile([fileOf(source)]).until("started");
  await two.compile([fileOf(source)]).until("started");
  const refused = await two.compile([fileOf(Buffer.from("new"), "/w/new.h")]).until("refused");
  assert.equal(refused.reason, "limited");
  assert.match(refused.message, /max_jobs_per_client/);
  await three.compile([fileOf(source)], { umask: 0 }).until("started");
});
