/** Whatever breaks while a toolchain is sent: objects are right, nothing arrives twice, and in the end it is there. */
import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type CountedLink, startCountedLink } from "../../support/counted-link.ts";
import {
  type Developer,
  foreignDeveloper,
  statusOf,
  untilOutcome,
  untilRemote,
} from "../../support/foreign-developer.ts";
import { processesMentioning } from "../../support/processes.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { meets } from "../../support/requirements.ts";
import { type Server, startServer } from "../../support/server.ts";
import { type SlowLink, startSlowLink } from "../../support/slow-link.ts";
import { waitFor } from "../../support/wait-for.ts";

const megabyte = 1 << 20;
const extraBytes = 3 * megabyte;

interface Line extends AsyncDisposable {
  readonly address: string;
  readonly counted: CountedLink;
}

/** A link that takes some seconds for a toolchain, and counts. */
async function startLine(server: Server, bytesPerSecond = 3 * megabyte): Promise<Line> {
  const slow: SlowLink = await startSlowLink(server.port, bytesPerSecond);
  const counted = await startCountedLink(() => Number(slow.address.split(":")[1]));
  return {
    address: counted.address,
    counted,
    [Symbol.asyncDispose]: async () => {
      await counted[Symbol.asyncDispose]();
      await slow[Symbol.asyncDispose]();
    },
  };
}

/** So long a loaded machine may take for what is quick otherwise. */
const patienceMs = 90_000;

/** Begins to send it, and waits until so many bytes have arrived. */
async function partlySent({ compile, workplace }: Developer, bytes: number): Promise<void> {
  assert.equal((await compile()).outcome, "toolchain-under-way");
  let atFirst: number | undefined;
  await waitFor(
    `${bytes} bytes there`,
    async () => {
      const [shipment] = (await statusOf(workplace)).toolchains;
      if (shipment?.state !== "sending") return false;
      atFirst ??= shipment.thereBytes;
      return shipment.thereBytes >= atFirst + bytes;
    },
    patienceMs,
  );
}

interface Upload extends AsyncDisposable {
  readonly server: Server;
  readonly line: Line;
  readonly client: Developer;
}

/** A developer who sends a toolchain over a line, of which so many bytes have arrived. */
async function startUpload(bytes: number): Promise<Upload> {
  await using made = new AsyncDisposableStack();
  const server = made.use(await startServer());
  const line = made.use(await startLine(server));
  const client = await foreignDeveloper(line.address, extraBytes);
  made.use(client.workplace);
  await partlySent(client, bytes);
  const begun = made.move();
  return { server, line, client, [Symbol.asyncDispose]: () => begun.disposeAsync() };
}

/** What a whole upload takes on the wire. */
async function wholeBytes(): Promise<number> {
  await using server = await startServer();
  await using counted = await startCountedLink(() => server.port);
  const client = await foreignDeveloper(counted.address, extraBytes, true);
  await using _workplace = client.workplace;
  assert.equal((await client.compile()).outcome, "compiled-remotely");
  return counted.sentBytes();
}

/** Pieces on their way when something breaks, and what every connection says anew. */
const lostAtMost = 5 * megabyte;

test("the server is killed during the upload and starts again: it goes on without a job, and not from the beginning", async (t) => {
  if (!meets(t, "root")) return;
  const whole = await wholeBytes();
  await using upload = await startUpload(10 * megabyte);
  const { server: first, line, client } = upload;
  first.kill("SIGKILL");
  await first.ended;
  await using _second = await startServer({ port: first.port, storeFolder: first.storeFolder });
  await waitFor(
    "the toolchain",
    async () => (await statusOf(client.workplace)).toolchains.length === 0,
    patienceMs,
  );
  assert.equal((await client.compile()).outcome, "compiled-remotely");
  const sent = line.counted.sentBytes();
  assert.ok(sent < whole + lostAtMost, `${sent} instead of ${whole}`);
  recordSurvived("the server is killed while a toolchain is uploaded");
});

test("the line is cut again and again: every piece arrives once", async (t) => {
  if (!meets(t, "root")) return;
  const whole = await wholeBytes();
  await using upload = await startUpload(2 * megabyte);
  const { line, client } = upload;
  const cuts = 3;
  for (let cut = 1; cut <= cuts; cut++) {
    const before = line.counted.sentBytes();
    line.counted.cut();
    await waitFor(
      "more bytes, or the end",
      async () => {
        const { toolchains } = await statusOf(client.workplace);
        return toolchains.length === 0 || line.counted.sentBytes() > before + megabyte;
      },
      patienceMs,
    );
  }
  await untilRemote(client);
  const sent = line.counted.sentBytes();
  assert.ok(sent < whole + cuts * lostAtMost, `${sent} instead of ${whole}`);
  recordSurvived("the line is cut while a toolchain is uploaded", cuts);
});

test("the agent is killed: the next one sends what is missing", async (t) => {
  if (!meets(t, "root")) return;
  const whole = await wholeBytes();
  await using upload = await startUpload(10 * megabyte);
  const { line, client } = upload;
  const { agent } = await statusOf(client.workplace);
  process.kill(agent.pid, "SIGKILL");
  await waitFor(
    "its end",
    () => !processesMentioning(client.workplace.folder).some(({ pid }) => pid === agent.pid),
  );
  await untilRemote(client);
  const sent = line.counted.sentBytes();
  assert.ok(sent < whole + lostAtMost, `${sent} instead of ${whole}`);
  recordSurvived("the agent is killed while it uploads a toolchain");
});

test("the compiler is replaced while it is sent: the new one is sent in its place", async (t) => {
  if (!meets(t, "root")) return;
  await using upload = await startUpload(2 * megabyte);
  const { server, client } = upload;
  const [old] = (await statusOf(client.workplace)).toolchains;
  await client.compiler.upgrade(1000);
  await untilRemote(client);
  const log = await readdir(join(server.storeFolder, "toolchain-manifests"));
  assert.equal(log.length, 1, "the old one never became one");
  assert.ok(old !== undefined && !log[0]?.startsWith(old.identity));
  recordSurvived("the compiler is upgraded while it is uploaded");
});

test("two clients send the same at once: one toolchain, right for both", async (t) => {
  if (!meets(t, "root")) return;
  await using server = await startServer();
  const one = await foreignDeveloper(server.address, extraBytes, true);
  const other = await foreignDeveloper(server.address, 0, true, one.compiler);
  await using _one = one.workplace;
  await using _other = other.workplace;
  const outcomes = await Promise.all([one.compile(), other.compile()]);
  for (const { outcome } of outcomes) assert.equal(outcome, "compiled-remotely");
  assert.equal((await readdir(join(server.storeFolder, "toolchain-manifests"))).length, 1);
});

test("no room in the store: compiled at home, told once, and jobs of other compilers go on", async (t) => {
  if (!meets(t, "root")) return;
  await using server = await startServer({ options: ["--max-dependency-cache-size", "6M"] });
  const client = await foreignDeveloper(server.address, extraBytes);
  await using _workplace = client.workplace;
  const said = await untilOutcome(client, "toolchain-differs");
  assert.match(said, /no room for a toolchain/);
  assert.equal((await client.compile()).said, "");
  assert.equal((await client.compile({ driver: "/usr/bin/gcc" })).outcome, "compiled-remotely");
  recordSurvived("a server's store has no room for a toolchain");
});

test("damaged on the server's disk: found out at the start, and laid out or sent again", async (t) => {
  if (!meets(t, "root")) return;
  const first = await startServer();
  await using _first = first;
  await using counted = await startCountedLink(() => first.port);
  const client = await foreignDeveloper(counted.address, extraBytes, true);
  await using _workplace = client.workplace;
  assert.equal((await client.compile()).outcome, "compiled-remotely");
  first.kill("SIGKILL");
  await first.ended;
  const layers = join(first.storeFolder, "toolchains");
  const layer = (await readdir(layers)).find((name) => name.startsWith("shipped-"));
  await writeFile(join(layers, layer ?? "", client.compiler.cc1), "no compiler any more");
  await using _second = await startServer({ port: first.port, storeFolder: first.storeFolder });
  const before = counted.sentBytes();
  assert.equal((await client.compile()).outcome, "compiled-remotely");
  assert.ok(counted.sentBytes() - before < megabyte, "its blobs were still in the store");
  recordSurvived("a shipped toolchain is damaged on the server's disk");
});
