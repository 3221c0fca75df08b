/**
 * A server may answer whatever it likes. The build gets the plain compiler's object all the same; nothing else is written at home,
 * nothing is read out to the server but the job's own files, and the agent stays as small as it is, for the next server.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { lstatSync, readFileSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { digestOf } from "@homcc/cas/digest";
import { bareResult } from "@homcc/transport/fixtures/example-messages";
import {
  type AnyMessage,
  type AskedJob,
  type Conversation,
  handshake,
  type HostileServer,
  type Script,
  startHostileServer,
  welcome,
} from "../../support/hostile-server.ts";
import { assertNoLeaks } from "../../support/leaks.ts";
import { agentsOf } from "../../support/processes.ts";
import { recordHostileRequest } from "../../support/reliability.ts";
import { homccProgram } from "../../support/repository.ts";
import { type Server, startServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

const key = `-----BEGIN OPENSSH PRIVATE KEY-----\n${randomBytes(600).toString("base64")}\n`;
const otherHeader = `static const char other_secret[] = "${randomBytes(24).toString("hex")}";\n`;
const source = '#include "h.h"\nint value(void) { return answer(); }\n';
const header = "inline int answer() { return 42; }\n";
const options = ["-O1", "-MD", "-MF", "a.d", "-c", "a.cpp", "-o", "a.o"];

/** A developer's machine with a key, another project whose files the agent knows, and an agent that stays the same one. */
class Home implements AsyncDisposable {
  readonly workplace: Workplace;
  readonly good: Server;
  readonly plain: { readonly object: Buffer; readonly dependencies: Buffer };
  readonly agent: number;
  readonly keyDigest = digestOf(Buffer.from(key));
  readonly otherDigest = digestOf(Buffer.from(otherHeader));

  private constructor(workplace: Workplace, good: Server, plain: Home["plain"]) {
    this.workplace = workplace;
    this.good = good;
    this.plain = plain;
    this.agent = agentsOf(workplace.homccFolder)[0]?.pid ?? -1;
  }

  static async open(): Promise<Home> {
    const good = await startServer();
    const workplace = await createWorkplace({ forbidLocal: false });
    const { project, folder } = workplace;
    await mkdir(join(folder, "home/.ssh"));
    await mkdir(join(folder, "other"));
    await writeFile(join(folder, "home/.ssh/id_rsa"), key, { mode: 0o600 });
    await writeFile(join(folder, "other/secret.h"), otherHeader);
    await writeFile(join(folder, "other/key.cpp"), '#include "secret.h"\n#include "../home/.ssh/id_rsa.h"\n');
    await writeFile(join(folder, "home/.ssh/id_rsa.h"), `R"(${key})"_x;\n`);
    await writeFile(join(folder, "other/o.cpp"), '#include "secret.h"\nint o;\n');
    await writeFile(join(project, "a.cpp"), source);
    await writeFile(join(project, "h.h"), header);
    const plain = await workplace.run(["g++", ...options]);
    assert.equal(plain.status, 0, plain.stderr);
    const [object, dependencies] = await Promise.all(
      ["a.o", "a.d"].map((name) => readFile(join(project, name))),
    );
    // The agent digests a file of another project, for a server that it may be sent to.
    const environment = workplace.environment({ HOMCC_HOSTS: `${good.address}/4` });
    const cwd = join(folder, "other");
    const other = await workplace.run([homccProgram, "g++", "-c", "o.cpp"], { cwd, environment });
    assert.deepEqual([other.status, other.stderr], [0, ""]);
    assert.equal((await workplace.jobs(1))[0]?.outcome, "compiled-remotely");
    return new Home(workplace, good, {
      object: object ?? Buffer.alloc(0),
      dependencies: dependencies ?? Buffer.alloc(0),
    });
  }

  /** Compiles with these hosts, and gives the outcome and what was printed. The object is the plain compiler's. */
  async compile(
    hosts: string,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly outcome: string; readonly stderr: string; readonly detail: string }> {
    const { project } = this.workplace;
    await rm(join(project, "a.o"), { force: true });
    await rm(join(project, "a.d"), { force: true });
    const environment = this.workplace.environment({
      HOMCC_HOSTS: hosts,
      HOMCC_VERBOSE: "1",
      HOMCC_COMPILATION_REQUEST_TIMEOUT: "3",
      HOMCC_ESTABLISH_CONNECTION_TIMEOUT: "2",
      ...variables,
    });
    const earlier = (await this.workplace.jobs()).length;
    const { status, stdout, stderr } = await this.workplace.run([homccProgram, "g++", ...options], {
      environment,
    });
    assert.deepEqual([status, stdout], [0, ""], stderr);
    assert.ok(
      !/[^\P{Cc}\n\t]/u.test(stderr),
      `control characters reach the terminal: ${JSON.stringify(stderr)}`,
    );
    assert.ok(stderr.length < 50_000, `${stderr.length} characters are printed`);
    assert.ok((await readFile(join(project, "a.o"))).equals(this.plain.object), "another object");
    assert.ok(
      (await readFile(join(project, "a.d"))).equals(this.plain.dependencies),
      "another dependency file",
    );
    const record = (await this.workplace.jobs(earlier + 1)).at(-1);
    return { outcome: record?.outcome ?? "", stderr, detail: record?.detail ?? "" };
  }

  /** Everything in the home, with contents; what the agent keeps for itself aside. */
  async snapshot(): Promise<string> {
    const lines: string[] = [];
    for (const top of ["home", "other", "project"]) {
      const folder = join(this.workplace.folder, top);
      for (const name of (await readdir(folder, { recursive: true })).toSorted()) {
        // What each compile writes; also where the compiler of this machine is distcc's.
        if ((top === "project" && /^a\.[od]$/.test(name)) || name.startsWith(".distcc")) continue;
        const path = join(folder, name);
        const stats = await lstat(path);
        const content = stats.isFile()
          ? digestOf(await readFile(path))
          : stats.isSymbolicLink()
            ? await readlink(path)
            : "";
        lines.push(`${top}/${name} ${stats.mode.toString(8)} ${content}`);
      }
    }
    return lines.join("\n");
  }

  /** Resident, at most, since the agent began. */
  get peakMiB(): number {
    return (
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${this.agent}/status`, "latin1"))?.[1] ?? NaN) / 1024
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.workplace[Symbol.asyncDispose]();
    await this.good.stop();
  }
}

interface Attack {
  readonly name: string;
  readonly script: (home: Home) => Script;
  /** Default: it comes to a compile at home. */
  readonly allowed?: RegExp;
  readonly check?: (
    result: Awaited<ReturnType<Home["compile"]>>,
    server: HostileServer,
    home: Home,
  ) => unknown;
}

/** Whatever is said about a server's failure; never a remote result. */
const atHome =
  /^(?:connection-lost|refused|timed-out|no-server|remote-limit|remote-crash|output-failed|missing-file|server-full|toolchain-\S+|mapped-\S+|sandbox-unavailable|input-changed|locale-missing|not-trusted|internal-error)$/;

let home: Home;

before(async () => {
  home = await Home.open();
});

after(() => home[Symbol.asyncDispose]());

async function attack({ name, script, allowed = atHome, check }: Attack): Promise<void> {
  const earlier = await home.snapshot();
  await using server = await startHostileServer(script(home));
  const result = await home.compile(`${server.address}/4`);
  assert.match(result.outcome, allowed, `${name}: ${JSON.stringify(result)}`);
  assert.notEqual(result.outcome, "internal-error", JSON.stringify(result));
  await check?.(result, server, home);
  assertHeardNothing(server);
  assert.equal(await home.snapshot(), earlier, `${name}: files at home have changed`);
}

/** Nothing but what the job is made of. */
function assertHeardNothing(server: HostileServer): void {
  const heard = server.heard().toString("latin1");
  for (const secret of [key.slice(40, 120), otherHeader.slice(20, 60)])
    assert.ok(!heard.includes(secret), "the server was given a file that is not the job's");
}

function attacks(title: string, row: string, list: readonly Attack[]): void {
  void suite(title, () => {
    for (const one of list) {
      test(one.name, async () => {
        await attack(one);
        recordHostileRequest(row, { tried: 1, refused: 1 });
      });
    }
    test("the agent lives, is small, has left nothing, and uses a good server", async () => {
      const { outcome, stderr } = await home.compile(`${home.good.address}/4`);
      assert.deepEqual(
        [outcome, agentsOf(home.workplace.homccFolder).map(({ pid }) => pid)],
        ["compiled-remotely", [home.agent]],
        stderr,
      );
      await assertNoLeaks({ workplaces: [home.workplace] });
      assert.ok(home.peakMiB < 400, `the agent has taken ${home.peakMiB.toFixed(0)} MiB`);
    });
  });
}

const onJob =
  (answer: (job: AskedJob, here: Home) => unknown): Attack["script"] =>
  (here) => ({
    onJob: (job) => answer(job, here),
  });

const object = (job: AskedJob): string => job.message.outputs[0]?.path ?? "";
const written = (path: string, sizeBytes: number, more: AnyMessage = {}): AnyMessage => ({
  kind: "written",
  path,
  sizeBytes,
  mode: 0o644,
  ...more,
});
const evil = Buffer.from("evil\n");
/** For people: long, and with all that a terminal obeys. */
const absurd = `\u001B]0;title\u0007\u001B[2J\u009B31m\r\u0000${"long ".repeat(100_000)}`;

/** The honest result, with more or other outputs. */
function honest(job: AskedJob, here: Home, more: readonly AnyMessage[] = [], ...bytes: Uint8Array[]): void {
  const { object: whole, dependencies } = here.plain;
  const outputs = job.message.outputs.flatMap(({ path }) =>
    path.endsWith(".o")
      ? [written(path, whole.byteLength)]
      : path.endsWith(".d")
        ? [written(path, dependencies.byteLength)]
        : [],
  );
  const parts = job.message.outputs.flatMap(({ path }) =>
    path.endsWith(".o") ? [whole] : path.endsWith(".d") ? [dependencies] : [],
  );
  job.finish({ outputs: [...outputs, ...more] }, ...parts, ...bytes);
}

const elsewhere: readonly ((here: Home, job: AskedJob) => string)[] = [
  (here) => join(here.workplace.folder, "home/.bashrc"),
  (here) => join(here.workplace.folder, "home/.ssh/authorized_keys"),
  (here) => join(here.workplace.project, "b.o"),
  (here) => join(here.workplace.project, "h.h"),
  (here) => join(here.workplace.project, "a.cpp"),
  (here) => `${here.workplace.project}/../home/.bashrc`,
  (here) => `${here.workplace.project}/./a.o`,
  (here) => `${here.workplace.project}//a.o`,
  (_, job) => `${object(job)}/`,
  (_, job) => `${object(job)}\0`,
  (_, job) => `${object(job)}\n`,
  () => "a.o",
  () => "/",
  () => "",
  () => "/etc/cron.d/homcc-test",
  () => "/tmp/homcc-hostile-\u001B[31m\u0007",
  () => `/${"x".repeat(4000)}`,
  () => `/${"x".repeat(100_000)}`,
];

attacks(
  "a result names what is no output of the job",
  "an output that the command's analysis did not declare, from a server",
  [
    ...elsewhere.map((path, at) => ({
      name: `writes elsewhere (${at})`,
      script: onJob((job, here) => honest(job, here, [written(path(here, job), evil.byteLength)], evil)),
    })),
    ...elsewhere.map((path, at) => ({
      name: `removes elsewhere (${at})`,
      script: onJob((job, here) => honest(job, here, [{ kind: "removed", path: path(here, job) }])),
    })),
    {
      name: "the same output twice",
      script: onJob((job, here) => honest(job, here, [written(object(job), evil.byteLength)], evil)),
    },
    {
      name: "numbers that no output has",
      script: onJob((job, here) => honest(job, here, [{ kind: "unchanged", output: 200, mode: 0o644 }])),
    },
    {
      name: "a number below zero",
      script: onJob((job, here) => honest(job, here, [{ kind: "unchanged", output: -1, mode: 0o644 }])),
    },
    {
      name: "a base that was not named",
      script: onJob((job) => job.finish({ outputs: [{ kind: "unchanged", output: 0, mode: 0o644 }] })),
    },
    {
      name: "300 outputs",
      script: onJob((job, here) =>
        honest(
          job,
          here,
          Array.from({ length: 300 }, (_, at) => written(`/tmp/homcc-hostile-${at}`, 0)),
        ),
      ),
    },
  ],
);

attacks(
  "modes",
  "set-user-ID and other modes of outputs, from a server",
  [0o4755, 0o6777, 0o7777, 0o10644, -1].map((mode) => ({
    name: `mode ${mode.toString(8)}`,
    allowed: mode < 0 || mode > 0o7777 ? atHome : /^compiled-remotely$/,
    script: onJob((job, here) => {
      const { object: whole, dependencies } = here.plain;
      job.finish(
        {
          outputs: [
            written(object(job), whole.byteLength, { mode }),
            written(join(here.workplace.project, "a.d"), dependencies.byteLength),
          ],
          reuse: { fromCache: false, reusable: true },
        },
        whole,
        dependencies,
      );
    }),
    check: () => {
      const has = lstatSync(join(home.workplace.project, "a.o")).mode;
      assert.equal(has & 0o7000, 0, has.toString(8));
    },
  })),
);

const blockBytes = 128 << 10;

/** One zstd frame of so many zeros: blocks that say "128 kB of this byte". */
function bomb(sizeBytes: number): Buffer {
  const blocks = Math.ceil(sizeBytes / blockBytes);
  const frame = Buffer.alloc(6 + 4 * blocks);
  frame.writeUInt32LE(0xfd2fb528);
  frame.writeUInt8((17 - 10) << 3, 5); // a window of 128 kB
  for (let at = 0; at < blocks; at += 1)
    frame.writeUIntLE((at === blocks - 1 ? 1 : 0) | (1 << 1) | (blockBytes << 3), 6 + 4 * at, 3);
  return frame;
}

const megabyte = zstdCompressSync(Buffer.alloc(1 << 20));

/** Sends the frame as long as the connection takes it. */
async function flood(job: AskedJob, send: () => void): Promise<void> {
  while (!job.socket.destroyed) {
    send();
    if (job.socket.writableLength > 1 << 20)
      await waitFor(
        "the client to read, or to go",
        () => job.socket.destroyed || job.socket.writableLength < 1 << 19,
        20_000,
      );
    else await new Promise(setImmediate);
  }
}

const announce = (job: AskedJob, changes: AnyMessage): void =>
  job.say(job.stream, { ...bareResult, ...changes });

const gigabytes4 = 4 * 2 ** 30;

attacks("sizes", "a result that is longer or shorter than it says, endless or a bomb, from a server", [
  {
    name: "less than it says",
    script: onJob((job) => job.finish({ outputs: [written(object(job), 1000)] }, evil)),
  },
  {
    name: "more than it says",
    script: onJob((job) => job.finish({ outputs: [written(object(job), 1)] }, evil)),
  },
  {
    name: "4 GB that never come",
    script: onJob((job) => job.finish({ outputs: [written(object(job), gigabytes4)] }, evil)),
  },
  {
    name: "more than there may be",
    script: onJob((job) => job.finish({ outputs: [written(object(job), gigabytes4 + 1)] }, evil)),
  },
  {
    name: "a size below zero, and none",
    script: onJob((job) =>
      job.finish({ outputs: [written(object(job), job.number === 0 ? -1 : 1.5)] }, evil),
    ),
  },
  {
    name: "messages of 8 GB",
    script: onJob((job) => job.finish({ stdoutBytes: gigabytes4, stderrBytes: gigabytes4 }, evil)),
  },
  {
    name: "messages of 64 MB, which are bombs",
    allowed: /./,
    script: onJob((job) => {
      announce(job, {
        stdoutBytes: 32 << 20,
        stderrBytes: 32 << 20,
        termination: { kind: "signalled", signal: 9 },
      });
      for (let at = 0; at < 64; at += 1) job.data(job.stream, megabyte, at === 63, true);
    }),
  },
  {
    name: "data before a result",
    script: onJob((job) => job.data(job.stream, evil)),
  },
  {
    name: "endless data behind a result",
    script: onJob((job) => {
      announce(job, { outputs: [written(object(job), 5)] });
      return flood(job, () => job.data(job.stream, Buffer.alloc(65_536)));
    }),
  },
  {
    name: "no main output",
    script: onJob((job) => job.finish({})),
  },
  {
    name: "the object is removed",
    script: onJob((job) => job.finish({ outputs: [{ kind: "removed", path: object(job) }] })),
  },
  {
    name: "two results",
    script: onJob((job) => {
      announce(job, { outputs: [written(object(job), 5)] });
      announce(job, { outputs: [written(object(job), 5)] });
    }),
  },
  {
    name: "a bomb of 10 GB as data",
    script: onJob((job) => {
      announce(job, { outputs: [written(object(job), gigabytes4)] });
      job.data(job.stream, bomb(10e9), true, true);
    }),
  },
  {
    name: "a bomb of 10 GB as a message",
    script: onJob((job) => job.frame(1, 0x01, job.stream, bomb(10e9))),
  },
  {
    name: "a bomb in JSON",
    script: onJob((job) =>
      job.frame(
        1,
        0x01,
        job.stream,
        zstdCompressSync(Buffer.from(`{"kind":"result","x":[${"[],".repeat(2e6)}0]}`)),
      ),
    ),
  },
  {
    name: "JSON that is deep",
    script: onJob((job) =>
      job.frame(
        1,
        0x01,
        job.stream,
        zstdCompressSync(Buffer.from(`{"kind":"result","x":${"[".repeat(3e6)}`)),
      ),
    ),
  },
  {
    name: "a frame of 1 GB",
    script: onJob((job) => {
      const head = Buffer.alloc(12);
      head.writeUInt32LE(1 << 30, 0);
      head.writeUInt8(1, 4);
      head.writeUInt32LE(job.stream, 8);
      job.socket.write(head);
      return flood(job, () => job.socket.write(Buffer.alloc(65_536)));
    }),
  },
  {
    name: "damaged zstd",
    script: onJob((job) => {
      announce(job, { outputs: [written(object(job), 5)] });
      job.data(job.stream, randomBytes(100), true, true);
    }),
  },
]);

/** The first job is answered honestly, its object with this digest, so that it becomes the base of the next one. */
function afterBase(digest: (here: Home) => string, answer: (job: AskedJob) => unknown): Attack["script"] {
  return (here) => ({
    onJob: (job) => {
      if (job.number > 0) return answer(job);
      const { object: whole, dependencies } = here.plain;
      job.finish(
        {
          outputs: [
            written(object(job), whole.byteLength, { digest: digest(here) }),
            written(join(here.workplace.project, "a.d"), dependencies.byteLength),
          ],
        },
        whole,
        dependencies,
      );
      return undefined;
    },
  });
}

const honestDigest = (here: Home): string => digestOf(here.plain.object);
const delta = (job: AskedJob, bytes: Uint8Array, digest: string): void =>
  job.finish(
    { outputs: [{ kind: "delta", output: 0, mode: 0o644, digest, deltaBytes: bytes.byteLength }] },
    bytes,
  );

void suite("deltas", () => {
  const cases: readonly { readonly name: string; readonly script: Attack["script"] }[] = [
    {
      name: "random bytes",
      script: afterBase(honestDigest, (job) => delta(job, randomBytes(500), `${"0".repeat(64)}/1000`)),
    },
    {
      name: "a bomb",
      script: afterBase(honestDigest, (job) =>
        delta(job, bomb(10e9).subarray(4), `${"0".repeat(64)}/16000000`),
      ),
    },
    {
      name: "a bomb with its magic number",
      script: afterBase(honestDigest, (job) => delta(job, bomb(10e9), `${"0".repeat(64)}/10000000000`)),
    },
    {
      name: "a digest that the bytes do not have",
      script: afterBase(honestDigest, (job) => delta(job, zstdCompressSync(evil), `${"0".repeat(64)}/5`)),
    },
    {
      name: "more than there may be",
      script: afterBase(honestDigest, (job) =>
        job.finish({
          outputs: [
            { kind: "delta", output: 0, mode: 0o644, digest: `${"0".repeat(64)}/5`, deltaBytes: gigabytes4 },
          ],
        }),
      ),
    },
    {
      name: "unchanged, and the object was told with another file's digest",
      script: afterBase(
        (here) => here.keyDigest,
        (job) => job.finish({ outputs: [{ kind: "unchanged", output: 0, mode: 0o644 }] }),
      ),
    },
    {
      name: "a proof of another file that the object was said to be",
      script: afterBase(
        (here) => here.keyDigest,
        (job) => job.say(job.stream, { kind: "prove", nonce: "0".repeat(64), digests: [home.keyDigest] }),
      ),
    },
  ];
  for (const { name, script } of cases) {
    test(name, async () => {
      await using server = await startHostileServer(script(home));
      const first = await home.compile(`${server.address}/4`);
      assert.equal(first.outcome, "compiled-remotely", JSON.stringify(first));
      // The edit is undone before the plain compiler's object is compared.
      const second = await home.compile(`${server.address}/4`, { HOMCC_TEST: name });
      assert.match(second.outcome, atHome, JSON.stringify(second));
      assert.notEqual(second.outcome, "internal-error", JSON.stringify(second));
      assertHeardNothing(server);
      recordHostileRequest("a delta that is damaged, a bomb, or of other bytes than it says, from a server", {
        tried: 1,
        refused: 1,
      });
    });
  }
});

const unknownDigest = `${"ab".repeat(32)}/1000`;
const say = (message: (here: Home, job: AskedJob) => AnyMessage | string): Attack["script"] =>
  onJob((job, here) => job.say(job.stream, message(here, job)));
const sourceDigest = (job: AskedJob): string =>
  job.inputs.flatMap((entry) => (entry.kind === "file" ? entry.digest : []))[0] ?? "";

/** The digests of files that the agent has, and that are none of the job's. */
const secrets = (here: Home): readonly string[] => [here.keyDigest, here.otherDigest];

attacks("questions", "a file that is not the job's, asked for by its digest, from a server", [
  {
    name: "a key",
    script: say((here) => ({ kind: "missing", digests: [here.keyDigest] })),
  },
  {
    name: "a header of another project that the agent has digested",
    script: say((here) => ({ kind: "missing", digests: [here.otherDigest] })),
  },
  {
    name: "both, behind one of the job's",
    script: say((here, job) => ({ kind: "missing", digests: [sourceDigest(job), ...secrets(here)] })),
  },
  {
    name: "what nobody has",
    script: say(() => ({ kind: "missing", digests: [unknownDigest] })),
  },
  {
    name: "paths for digests",
    script: say((here) => ({
      kind: "missing",
      digests: [join(here.workplace.folder, "home/.ssh/id_rsa"), "../x/1"],
    })),
  },
  {
    name: "100,000 digests",
    script: say(() => ({ kind: "missing", digests: Array.from({ length: 100_000 }, () => unknownDigest) })),
  },
  {
    name: "proofs of both: they count as changed, and nothing is read",
    allowed: /^timed-out$/,
    script: say((here) => ({ kind: "prove", nonce: "0".repeat(64), digests: secrets(here) })),
    check: (_, server) => {
      const proof = server.messages.find((message) => message.kind === "proof");
      assert.deepEqual(proof?.changed, secrets(home));
      assert.equal(proof?.hash, digestOf(Buffer.from("0".repeat(64), "hex")).split("/")[0]);
    },
  },
  {
    name: "one of the job's files, again and again",
    script: (here) => {
      let asked: (() => void) | undefined;
      return {
        onJob: (job) => {
          asked = () => job.say(job.stream, { kind: "missing", digests: [sourceDigest(job)] });
          asked();
        },
        onMessage: (message, stream, conversation) => {
          if (message.kind !== "blob") return false;
          setImmediate(() => {
            conversation.say(stream, { kind: "stored" }, true);
            asked?.();
          });
          assert.ok(here.agent > 0);
          return true;
        },
      };
    },
    check: (_, server) => {
      const blobs = server.messages.filter((message) => message.kind === "blob").length;
      assert.ok(blobs < 10, `it was sent ${blobs} times`);
    },
  },
  {
    name: "a flood of proofs",
    script: onJob((job) => {
      const digests = Array.from({ length: 30_000 }, () => sourceDigest(job));
      const text = JSON.stringify({ kind: "prove", nonce: "0".repeat(64), digests });
      const packed = zstdCompressSync(Buffer.from(text));
      for (let at = 0; at < 200; at += 1) job.frame(1, 0x01, job.stream, packed);
    }),
  },
  {
    name: "a blob that is never answered",
    allowed: /^timed-out$/,
    script: () => ({
      onJob: (job) => job.say(job.stream, { kind: "missing", digests: [sourceDigest(job)] }),
      onMessage: (message) => message.kind === "blob",
    }),
  },
  ...["digest-mismatch", "server-full", "base-missing", "failed", "no reason of this version"].map(
    (reason) => ({
      name: `blobs that are rejected: ${reason}`,
      script: (): Script => ({
        onJob: (job) => job.say(job.stream, { kind: "missing", digests: [sourceDigest(job)] }),
        onMessage: (message, stream, conversation) => {
          if (message.kind !== "blob") return false;
          conversation.say(stream, { kind: "rejected", reason, message: absurd }, true);
          return true;
        },
      }),
    }),
  ),
]);

const refusals = [
  "toolchain-differs",
  "refused",
  "server-full",
  "mapped-unsupported",
  "sandbox-unavailable",
  "limited",
  "bad-job",
  "input-changed",
  "executor-failed",
  "shutting-down",
  "no reason of this version",
];

attacks("texts", "texts for people that are endless or obeyed by terminals, from a server", [
  ...refusals.map((reason) => ({
    name: `refused: ${reason}`,
    script: say(() => ({
      kind: "refused",
      reason,
      message: absurd,
      hint: absurd,
      identities: { client: { version: absurd }, server: { version: absurd, digest: unknownDigest } },
    })),
  })),
  {
    name: "a limit",
    script: onJob((job) => job.finish({ termination: { kind: "limited", limit: absurd } })),
  },
  {
    name: "a file that the compiler did not find, and that exists",
    script: onJob((job, here) => {
      const stderr = Buffer.from(
        `a.cpp:1:10: fatal error: ${here.workplace.project}/h.h\u0007\u001B[31m: No such file or directory\nx: fatal error: h.h: No such file or directory\n`,
      );
      job.finish({ termination: { kind: "exited", status: 1 }, stderrBytes: stderr.byteLength }, stderr);
    }),
  },
  {
    name: "notes, executors, undeclared and unlisted files",
    script: onJob((job) =>
      job.finish({
        executor: absurd,
        undeclared: Array.from({ length: 256 }, () => absurd.slice(0, 5000)),
        unlisted: Array.from({ length: 16 }, () => absurd.slice(0, 5000)),
        reuse: { fromCache: false, reusable: true, note: absurd },
      }),
    ),
  },
  {
    name: "more unlisted files than there may be",
    script: onJob((job) => job.finish({ unlisted: Array.from({ length: 100_000 }, () => "/etc/passwd") })),
  },
  {
    name: "a goodbye",
    script: onJob((job) => job.frame(5, 0, 0, Buffer.from(absurd))),
  },
  {
    name: "no JSON",
    script: say(() => absurd),
  },
  {
    name: "a kind that is no kind, then another message's members",
    allowed: /^timed-out$/,
    script: onJob((job) => {
      job.say(job.stream, { kind: absurd.slice(0, 1000) });
      job.say(job.stream, { kind: "queued", ahead: Number.MAX_SAFE_INTEGER });
    }),
  },
  {
    name: "members of other types",
    script: say(() => ({ kind: "result", termination: absurd, outputs: {}, usage: [] })),
  },
]);

attacks(
  "inputs",
  "files of the client that a server says its compiler read, or wants to be there",
  [["/etc/passwd"], ["/etc/shadow", "h.h"], ["../../home/.ssh/id_rsa"], [""]].map((unlisted) => ({
    name: `unlisted: ${unlisted.join(" ") || "nothing"}`,
    script: onJob((job, here) => {
      const { object: whole, dependencies } = here.plain;
      job.finish(
        {
          outputs: [
            written(object(job), whole.byteLength),
            written(join(here.workplace.project, "a.d"), dependencies.byteLength),
          ],
          unlisted,
        },
        whole,
        dependencies,
      );
    }),
    check: (_: unknown, server: HostileServer) => assert.ok(server.jobs <= 3, `${server.jobs} jobs`),
  })),
);

const quote = (text: string): string => text.replaceAll("\n", "\\n");
const makefiles = [
  "a.o: $(shell touch pwned)\n",
  "a.o: ${shell touch pwned}\n",
  "a.o: a.cpp\n\ttouch pwned\n",
  "a.o: a.cpp ; touch pwned\n",
  "CC = ./evil\na.o: a.cpp\n",
  "a.o: CXXFLAGS += -fplugin=./evil.so\na.o: a.cpp\n",
  "x != touch pwned\na.o: a.cpp\n",
  "include /tmp/evil.mk\n",
  "-include evil.mk\na.o: a.cpp\n",
  "define x\ny\nendef\n",
  "a.o: a.cpp \\\n$(x)\n",
  "a.o: $$$(shell touch pwned)\n",
  "export PATH\n",
  randomBytes(1000).toString("latin1"),
];

attacks(
  "dependency files",
  "a dependency file with commands for make in it, from a server",
  makefiles.map((text) => ({
    name: quote(text).slice(0, 60),
    allowed: /^refused$/,
    script: onJob((job, here) => {
      const { object: whole } = here.plain;
      const bytes = Buffer.from(text, "latin1");
      job.finish(
        {
          outputs: [
            written(object(job), whole.byteLength),
            written(join(here.workplace.project, "a.d"), bytes.byteLength),
          ],
        },
        whole,
        bytes,
      );
    }),
  })),
);

attacks("floods", "frames and messages without end, from a server", [
  {
    name: "100,000 pings",
    allowed: /^timed-out$/,
    script: onJob((job) => {
      for (let at = 0; at < 100_000; at += 1) job.frame(3, 0, 0, Buffer.alloc(64));
    }),
  },
  {
    name: "a ping of 1000 bytes",
    script: onJob((job) => job.frame(3, 0, 0, Buffer.alloc(1000))),
  },
  {
    name: "pongs that nobody asked for",
    allowed: /^timed-out$/,
    script: onJob((job) => {
      for (let at = 0; at < 10_000; at += 1) job.frame(4, 0, 0, randomBytes(4));
    }),
  },
  {
    name: "it ends, 10,000 times, and refuses",
    script: onJob((job) => {
      for (let at = 0; at < 10_000; at += 1) job.frame(6, 0, 0, Buffer.of(at % 256));
      job.say(job.stream, { kind: "refused", reason: "shutting-down", message: "" }, true);
    }),
  },
  {
    name: "an end without a word",
    script: onJob((job) => job.frame(6, 0, 0, Buffer.alloc(0))),
  },
  {
    name: "streams that nobody opened, and stream 0",
    script: onJob((job) => {
      for (let at = 0; at < 5000; at += 1) job.say(1000 + at, { kind: "stored" }, true);
      job.data(99_999, Buffer.alloc(65_536));
      job.data(0, evil);
    }),
  },
  {
    name: "unknown frames",
    allowed: /^timed-out$/,
    script: onJob((job) => {
      for (let at = 0; at < 200; at += 1) job.frame(200, 0xff, job.stream, Buffer.alloc(65_536));
    }),
  },
  {
    name: "data in pieces of which none is the last",
    script: onJob((job) => {
      announce(job, { outputs: [written(object(job), 1e9)] });
      for (let at = 0; at < 2000; at += 1) job.frame(2, 0x08, job.stream, Buffer.alloc(65_536));
    }),
  },
  {
    name: "queued and started for ever",
    allowed: /^timed-out$/,
    script: onJob(async (job) => {
      while (!job.socket.destroyed && job.socket.writableLength < 1 << 20) {
        for (let at = 0; at < 20; at += 1)
          job.say(job.stream, { kind: at % 2 === 0 ? "queued" : "started", ahead: at });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }),
  },
  {
    name: "a result after the refusal, and another one",
    script: onJob((job, here) => {
      job.say(job.stream, { kind: "refused", reason: "refused", message: "no" }, true);
      honest(job, here);
      honest(job, here);
    }),
  },
]);

attacks("time", "a job or a handshake that a server never ends", [
  {
    name: "nothing",
    allowed: /^timed-out$/,
    script: onJob(() => {}),
  },
  {
    name: "started, and nothing",
    allowed: /^timed-out$/,
    script: say(() => ({ kind: "started" })),
  },
  {
    name: "a byte of the result now and then",
    allowed: /^timed-out$/,
    script: onJob(async (job) => {
      announce(job, { outputs: [written(object(job), 1e6)] });
      while (!job.socket.destroyed) {
        job.data(job.stream, Buffer.alloc(1));
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }),
  },
  {
    name: "a welcome, a byte a second",
    allowed: /^no-server$/,
    script: () => ({
      greet: (socket) => {
        const timer = setInterval(() => socket.write("a"), 100);
        socket.once("close", () => clearInterval(timer));
        socket.write(Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]));
      },
    }),
  },
  {
    name: "a welcome of 1 GB",
    allowed: /^no-server$/,
    script: () => ({ greet: (socket) => socket.write(Buffer.from([0, 0, 0, 0x40, 0, 0, 0, 0])) }),
  },
  ...[
    { version: 3 },
    { server: absurd },
    { executors: Array.from({ length: 100 }, () => "namespace") },
    { capabilities: Array.from({ length: 1000 }, () => "zstd") },
    { slots: 1e12 },
    { slots: -1 },
    { maxFrameBytes: 1 },
    { disk: { freeBytes: "much", totalBytes: 0 } },
  ].map((changes) => ({
    name: `a welcome with another ${Object.keys(changes).join("")}`,
    allowed: /^(?:no-server|timed-out)$/,
    script: (): Script => ({ greet: (socket: Socket) => socket.end(welcome(changes)) }),
  })),
  {
    name: "a refusal in the handshake",
    allowed: /^(?:no-server|not-trusted)$/,
    script: () => ({
      greet: (socket) =>
        socket.end(
          handshake({
            message_type: "ConnectionRefusedMessage",
            server: absurd.slice(0, 3000),
            info: absurd.slice(0, 6000),
            versions: [2],
          }),
        ),
    }),
  },
]);

/** The server lacks the toolchain and takes it; these are its answers to that. */
function takesToolchain(
  answer: (stream: number, conversation: Conversation, here: Home) => void,
): Attack["script"] {
  return (here) => ({
    onJob: (job) =>
      job.say(job.stream, { kind: "refused", reason: "toolchain-missing", message: "not here" }, true),
    onMessage: (message, stream, conversation) => {
      if (message.kind === "toolchain" || message.kind === "pieces") answer(stream, conversation, here);
      return false;
    },
  });
}

attacks("toolchains", "files outside of the toolchain that a server takes", [
  {
    name: "a key, and a header",
    script: takesToolchain((stream, conversation, here) =>
      conversation.say(stream, { kind: "missing", digests: secrets(here) }, true),
    ),
  },
  {
    name: "the same, as proofs",
    script: takesToolchain((stream, conversation, here) =>
      conversation.say(stream, { kind: "prove", nonce: "0".repeat(64), digests: secrets(here) }),
    ),
    check: async (_, server) => {
      await waitFor("the proof", () => server.messages.some((message) => message.kind === "proof"));
      const proof = server.messages.find((message) => message.kind === "proof");
      assert.deepEqual(proof?.changed, secrets(home));
    },
  },
  {
    name: "refused with absurd words",
    script: takesToolchain((stream, conversation) =>
      conversation.say(stream, { kind: "refused", reason: "refused", message: absurd, hint: absurd }, true),
    ),
  },
  {
    name: "no answer",
    script: takesToolchain(() => {}),
  },
]);

test("homcc status, doctor and --show-hosts say it in words without control characters, and end", async () => {
  const inventory: AnyMessage = {
    kind: "inventory",
    toolchains: [{ names: [absurd.slice(0, 400)], version: absurd, target: absurd.slice(0, 400) }],
    profiles: [{ name: "a", problem: absurd }],
    containers: [],
    problems: [absurd, absurd],
    omitted: Number.MAX_SAFE_INTEGER,
  };
  const answers: readonly (readonly [string, Script["onMessage"], AnyMessage])[] = [
    [
      "an inventory",
      (message, stream, { say: tell }) => message.kind === "survey" && tell(stream, inventory, true),
      {},
    ],
    [
      "a bomb",
      (message, stream, { frame }) => message.kind === "survey" && frame(1, 0x01, stream, bomb(10e9)),
      {},
    ],
    [
      "too many compilers",
      (message, stream, { say: tell }) =>
        message.kind === "survey" &&
        tell(
          stream,
          {
            ...inventory,
            toolchains: Array.from({ length: 5000 }, () => ({ names: [], version: "", target: "" })),
          },
          true,
        ),
      {},
    ],
    [
      "its state",
      (message, stream, { say: tell }) => message.kind === "survey" && tell(stream, inventory, true),
      {
        server: absurd.slice(0, 3000),
        executors: ["namespace", "\u001B[31mred"],
        unavailable: [{ executor: "\u001B[2J", reason: absurd.slice(0, 3000) }],
        timeMs: Number.MAX_SAFE_INTEGER,
        disk: { freeBytes: 0, totalBytes: Number.MAX_SAFE_INTEGER },
      },
    ],
  ];
  for (const [name, onMessage, changes] of answers) {
    await using server = await startHostileServer({
      welcome: changes,
      ...(onMessage === undefined ? {} : { onMessage }),
      onJob: (job) => job.say(job.stream, { kind: "refused", reason: "refused", message: absurd }, true),
    });
    await home.compile(`${server.address}/4`);
    const environment = home.workplace.environment({
      HOMCC_HOSTS: `${server.address}/4`,
      HOMCC_ESTABLISH_CONNECTION_TIMEOUT: "2",
    });
    for (const words of [
      ["status"],
      ["status", "--json"],
      ["stats"],
      ["doctor"],
      ["--show-hosts", "--verbose"],
    ]) {
      const { stdout, stderr } = await home.workplace.run([homccProgram, ...words], { environment });
      const said = Buffer.from(stdout + stderr, "latin1").toString();
      assert.ok(!/[^\P{Cc}\n\t]/u.test(said), `${name}: ${words.join(" ")}: ${JSON.stringify(said)}`);
      assert.ok(said.length < 100_000, `${name}: ${words.join(" ")} prints ${said.length} characters`);
      recordHostileRequest("what a server says about itself, to those who ask", { tried: 1, refused: 1 });
    }
  }
});

test("an output that is a link at home becomes what the plain compiler makes of it, whatever the server says", async () => {
  const { project, folder } = home.workplace;
  const target = join(folder, "home/target");
  const lay = async (name: string): Promise<void> => {
    for (const path of [target, join(project, "a.o"), join(project, "a.d")]) await rm(path, { force: true });
    await writeFile(target, "as it was\n");
    await symlink(target, join(project, name));
  };
  const seen = async (): Promise<readonly (string | Buffer)[]> => {
    const contents = await Promise.all(
      [join(project, "a.o"), join(project, "a.d"), target].map((path) => readFile(path)),
    );
    const kinds = ["a.o", "a.d"].map((name) =>
      lstatSync(join(project, name)).isSymbolicLink() ? "link" : "file",
    );
    return [...kinds, ...contents];
  };
  await using server = await startHostileServer({ onJob: (job) => honest(job, home) });
  const environment = home.workplace.environment({ HOMCC_HOSTS: `${server.address}/4` });
  for (const name of ["a.o", "a.d"]) {
    await lay(name);
    assert.equal((await home.workplace.run(["g++", ...options])).status, 0);
    const plain = await seen();
    await lay(name);
    const { status, stderr } = await home.workplace.run([homccProgram, "g++", ...options], { environment });
    assert.equal(status, 0, stderr);
    assert.deepEqual(await seen(), plain, name);
  }
  await rm(target);
});
