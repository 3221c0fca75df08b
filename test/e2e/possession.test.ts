/** A digest gives nobody what is behind it, and a colleague with the same files sends none of them. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type Digest, digestOf } from "@homcc/cas/digest";
import { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import type { ClientMessage, ServerMessage } from "@homcc/protocol/messages";
import { PossessionProof } from "@homcc/protocol/possession-proof";
import type { ClientChannel } from "@homcc/transport/channel";
import { connectToServer } from "@homcc/transport/connect";
import { homccProgram } from "../support/repository.ts";
import { type Server, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../support/workplace.ts";

const secret = `static const char key[] = "${randomBytes(12).toString("hex")}";\n`;
/** Bytes that no compression makes small: an upload shows. */
const headerText = `${secret}/* ${randomBytes(100_000).toString("hex")} */\n`;
const sourceText = '#include "large.h"\nconst char *value(void) { return key; }\n';
const compile = [homccProgram, "gcc", "-c", "a.c", "-o", "a.o"];

const ranThere: ReadonlySet<string> = new Set(["compiled-remotely", "result-from-server"]);

async function developer(server: Server): Promise<Workplace> {
  const workplace = await createWorkplace({ hosts: server.address });
  await writeFile(join(workplace.project, "large.h"), headerText);
  await writeFile(join(workplace.project, "a.c"), sourceText);
  return workplace;
}

/** Compiles there and gives what its job sent. */
async function sentBytes(workplace: Workplace, count: number): Promise<number> {
  const result = await workplace.run(compile);
  assert.equal(result.status, 0, result.stderr);
  const record = (await workplace.jobs(count)).at(-1);
  assert.ok(record !== undefined && ranThere.has(record.outcome), JSON.stringify(record));
  return record.sentBytes;
}

test("the second developer proves what the first one sent, once", async () => {
  await using server = await startServer({ resultCache: true, options: ["--log-level", "DEBUG"] });
  await using first = await developer(server);
  await using second = await developer(server);
  const proofs = (): number => server.log().split("proven").length - 1;
  assert.ok((await sentBytes(first, 1)) > 100_000);
  const before = proofs();
  assert.ok((await sentBytes(second, 1)) < 20_000);
  assert.equal(proofs() - before, 1);
  assert.ok((await sentBytes(second, 2)) < 2_000);
  assert.equal(proofs() - before, 1);
  assert.match(server.log(), /a\.c: from an earlier job/);
});

/** Asks for the compile of a source of its own that includes `theirs`, of which it has only the digest. */
class Thief {
  readonly messages: ServerMessage[] = [];
  readonly #channel: ClientChannel;
  #job = 0;

  constructor(channel: ClientChannel) {
    this.#channel = channel;
  }

  async ask(theirs: Digest): Promise<void> {
    const toolchain = await gcc();
    const own = Buffer.from('#include "large.h"\nconst char *stolen(void) { return key; }\n');
    this.#job = this.#open({
      kind: "job",
      toolchain,
      steps: [{ program: toolchain.driver, argv: ["gcc", "-c", "b.c"] }],
      cwd: "/w",
      environment: { PATH: "/usr/bin:/bin" },
      umask: 0o022,
      terminal: {},
      declareFrom: 0,
      declare: [
        { kind: "file", path: "/w/b.c", digest: digestOf(own), mtimeNs: "1" },
        { kind: "file", path: "/w/large.h", digest: theirs, mtimeNs: "1" },
      ],
      inputs: [0, 1],
      outputs: [{ path: "/w/b.o", exists: false }],
      timeoutMs: 10_000,
      label: "b.c",
    });
    const upload = this.#open({ kind: "blob", digest: digestOf(own) });
    await this.#channel.sendData(upload, [own], { priority: "small", end: true });
  }

  answer(hash: string): void {
    this.#channel.send(this.#job, { kind: "proof", hash, changed: [] });
  }

  #open(message: ClientMessage): number {
    const stream = this.#channel.openStream({ onMessage: (answer) => this.messages.push(answer) });
    this.#channel.send(stream, message);
    return stream;
  }
}

async function gcc() {
  const driver = await realpath("/usr/bin/gcc");
  const inspected = await new ToolchainInspector().inspect(driver, { family: "gcc", path: "/usr/bin:/bin" });
  const { digest, family, version } = inspected;
  return { digest, driver: inspected.driver, family, version };
}

test("a client that names a digest it never had gets no use of it", async () => {
  await using server = await startServer({ resultCache: true });
  await using victim = await developer(server);
  await sentBytes(victim, 1);
  const theirs = digestOf(Buffer.from(headerText));
  const { channel } = await connectToServer({
    host: "127.0.0.1",
    port: server.port,
    connectTimeoutMs: 5_000,
  });
  try {
    const thief = new Thief(channel);
    await thief.ask(theirs);
    const prove = await waitFor("the question", () =>
      thief.messages.find((message) => message.kind === "prove" && message.digests.includes(theirs)),
    );
    assert.ok(prove.kind === "prove");
    const guess = new PossessionProof(prove.nonce);
    guess.update(Buffer.from(theirs));
    thief.answer(guess.finish());
    const missing = await waitFor("to be asked for it", () =>
      thief.messages.find((message) => message.kind === "missing" && message.digests.includes(theirs)),
    );
    assert.ok(missing.kind === "missing");
    const kinds = new Set(thief.messages.map(({ kind }) => kind));
    assert.deepEqual([kinds.has("queued"), kinds.has("started"), kinds.has("result")], [false, false, false]);
    assert.doesNotMatch(server.log(), /b\.c/);
  } finally {
    await channel.close("the test ends");
  }
});
