import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { type LinkProfile, startSharedLink, startThinLink, type ThinLink } from "./link/thin-link-process.ts";

interface Bench extends AsyncDisposable {
  readonly link: ThinLink;
  open(): Promise<Socket>;
}

/** A server behind a link; `serve` gets each of its connections. */
async function behindLink(profile: LinkProfile, serve: (socket: Socket) => void): Promise<Bench> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("error", () => {}); // A client that has seen enough leaves.
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const link = await startThinLink(`127.0.0.1:${portOf(server)}`, profile);
  return {
    link,
    open: async () => {
      const socket = connect({ port: link.port, host: "127.0.0.1", noDelay: true });
      await once(socket, "connect");
      return socket;
    },
    [Symbol.asyncDispose]: async () => {
      await link[Symbol.asyncDispose]();
      server.close();
    },
  };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

const echo = (socket: Socket): unknown => socket.pipe(socket);
const lan = { upMegabits: 1000, downMegabits: 1000, roundTripMs: 1 };
const home = { upMegabits: 10, downMegabits: 50, roundTripMs: 30 };

async function roundTripMs(socket: Socket): Promise<number> {
  const startMs = performance.now();
  socket.write("?");
  await once(socket, "data");
  return performance.now() - startMs;
}

/** The least of several: a machine that is busy with other things only ever adds. */
async function leastRoundTripMs(socket: Socket, rounds: number): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < rounds; round += 1) least = Math.min(least, await roundTripMs(socket));
  return least;
}

test("a word and its answer take the round trip, and the first of a connection one more", async () => {
  for (const profile of [home, lan]) {
    await using bench = await behindLink(profile, echo);
    const socket = await bench.open();
    const firstMs = await roundTripMs(socket);
    const leastMs = await leastRoundTripMs(socket, 50);
    assert.ok(firstMs >= 1.9 * profile.roundTripMs, `first ${firstMs} ms`);
    assert.ok(leastMs >= 0.99 * profile.roundTripMs, `least ${leastMs} ms`);
    assert.ok(leastMs <= profile.roundTripMs + 2, `least ${leastMs} ms of ${profile.roundTripMs}`);
    socket.destroy();
  }
});

test("bytes arrive whole, at the rate of their direction, and are counted", async () => {
  const reply = randomBytes(1_000_000);
  const received = Promise.withResolvers<Buffer>();
  await using bench = await behindLink(home, (socket) => {
    void buffer(socket).then((bytes) => {
      received.resolve(bytes);
      socket.end(reply);
    });
  });
  const sent = randomBytes(500_000);
  const socket = await bench.open();
  const startMs = performance.now();
  socket.end(sent);
  const answer = buffer(socket);
  assert.equal(digest(await received.promise), digest(sent));
  const upMs = performance.now() - startMs;
  assert.equal(digest(await answer), digest(reply));
  const downMs = performance.now() - startMs - upMs;
  const { up, down, connections } = await bench.link.counters();
  assert.deepEqual([up.payloadBytes, down.payloadBytes, connections], [500_000, 1_000_000, 1]);
  // The line's time for payload, headers and acknowledgements; what comes on top is windows, round trips and this machine.
  const lineMs = { up: (up.wireBytes * 8) / 10_000, down: (down.wireBytes * 8) / 50_000 };
  assert.ok(up.wireBytes > 515_000 && up.wireBytes < 560_000, `${up.wireBytes} bytes up`);
  assert.ok(down.wireBytes > 1_035_000 && down.wireBytes < 1_080_000, `${down.wireBytes} bytes down`);
  assert.ok(upMs > 0.9 * lineMs.up && upMs < 2 * lineMs.up + 300, `${upMs} ms up, ${lineMs.up} on the line`);
  assert.ok(downMs > 0.9 * lineMs.down && downMs < 2 * lineMs.down + 500, `${downMs} ms down`);
});

test("connections share the line: a word beside an upload waits for a few segments, not for all of it", async () => {
  await using bench = await behindLink(home, echo);
  const upload = await bench.open();
  let echoed = 0;
  upload.on("data", (chunk: Buffer) => (echoed += chunk.byteLength));
  upload.write(randomBytes(2_000_000));
  await once(upload, "data");
  const word = await bench.open();
  await roundTripMs(word);
  const leastMs = await leastRoundTripMs(word, 5);
  assert.ok(echoed < 2_000_000, "the upload was over before");
  assert.ok(leastMs < home.roundTripMs + 15, `${leastMs} ms`);
  upload.destroy();
  word.destroy();
});

test("several targets share the line, each at its own port", async () => {
  const servers = ["one", "two"].map((name) => createServer((socket) => socket.end(name)));
  for (const server of servers) await once(server.listen(0, "127.0.0.1"), "listening");
  const routes = servers.map((server) => ({ listen: "127.0.0.1:0", to: `127.0.0.1:${portOf(server)}` }));
  await using link = await startSharedLink(routes, lan);
  const answers = link.ports.map(async (port) => (await buffer(connect(port, "127.0.0.1"))).toString());
  assert.deepEqual(await Promise.all(answers), ["one", "two"]);
  const { down, connections } = await link.counters();
  assert.deepEqual([down.payloadBytes, connections], [6, 2]);
  for (const server of servers) server.close();
});

test("loss costs time and bytes on the wire, and no byte of the stream", async () => {
  const sent = randomBytes(300_000);
  const times: number[] = [];
  for (const lossPercent of [0, 5]) {
    await using bench = await behindLink({ ...home, lossPercent }, echo);
    const socket = await bench.open();
    const startMs = performance.now();
    socket.end(sent);
    assert.equal(digest(await buffer(socket)), digest(sent));
    times.push(performance.now() - startMs);
    const { up } = await bench.link.counters();
    assert.equal(up.payloadBytes, sent.byteLength);
  }
  const [clean = 0, lossy = 0] = times;
  assert.ok(lossy > clean + home.roundTripMs, `${clean} ms without, ${lossy} ms with loss`);
});

test("a reset crosses the link", async () => {
  await using bench = await behindLink(lan, (socket) => socket.once("data", () => socket.resetAndDestroy()));
  const socket = await bench.open();
  socket.on("error", () => {}); // What the test waits for.
  const closed = once(socket, "close");
  socket.write("?");
  await closed;
});

test("a call that says nothing useful is refused", () => {
  const program = join(import.meta.dirname, "thin-link.ts");
  for (const words of [[], ["--to", "nowhere"], ["--to", "a:1", "--up", "much"]]) {
    const { status, stderr } = spawnSync(process.execPath, [program, ...words], { encoding: "utf8" });
    assert.equal(status, 64, stderr);
    assert.match(stderr, /^--(to is HOST:PORT|up is a number)/);
  }
});

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
