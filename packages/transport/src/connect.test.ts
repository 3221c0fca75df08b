import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { encodeHello, encodeRefusal, encodeWelcome, knownCapabilities } from "@homcc/protocol/hello";
import { connectToServer, type ServerConnection } from "./connect.ts";
import { ConnectError, type ConnectFailure } from "./connect-error.ts";
import { startLoopbackServer, startServer } from "./fixtures/loopback-server.ts";

const connect = (port: number, connectTimeoutMs = 5_000, signal?: AbortSignal): Promise<ServerConnection> =>
  connectToServer({ host: "127.0.0.1", port, connectTimeoutMs, ...(signal === undefined ? {} : { signal }) });

async function failureOf(connecting: Promise<unknown>): Promise<ConnectError> {
  const error = await connecting.then(
    () => assert.fail("connected"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConnectError, String(error));
  return error;
}

async function assertFailure(
  connecting: Promise<unknown>,
  failure: ConnectFailure,
  message: RegExp,
): Promise<void> {
  const error = await failureOf(connecting);
  assert.equal(error.failure, failure, error.message);
  assert.match(error.message, message);
}

/** A 1.x server reads the length and the JSON and closes on a `message_type` it does not know. */
function v1Frame(message: object): Buffer {
  const json = Buffer.from(JSON.stringify(message));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(json.byteLength));
  return Buffer.concat([size, json]);
}

test("a homccd 2 welcomes us", async () => {
  await using server = await startLoopbackServer();
  const { channel, welcome } = await connect(server.port);
  assert.deepEqual(
    [welcome.version, welcome.server, welcome.executors, welcome.slots],
    [2, "homccd 2.0.0", ["namespace"], 4],
  );
  const accepted = await server.next();
  assert.ok(accepted.kind === "v2");
  assert.equal(accepted.hello.agent, "homcc 2.0.0");
  await channel.close("done");
});

test("nobody listens", async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server has an address object
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  await assertFailure(connect(port), "unreachable", /^127\.0\.0\.1:\d+ cannot be reached$/);
  assert.equal((await failureOf(connect(port))).code, "ERR_HOMCC_UNAVAILABLE");
});

test("a name that does not exist", async () => {
  const connecting = connectToServer({ host: "homcc.invalid", port: 3126, connectTimeoutMs: 10_000 });
  const error = await failureOf(connecting);
  assert.ok(error.failure === "unreachable" || error.failure === "timed-out");
});

test("a server that does not answer, or stops within its answer", async () => {
  for (const start of [
    Buffer.alloc(0),
    encodeWelcome({ version: 2, server: "s", capabilities: [], executors: [], slots: 1 }).subarray(0, -1),
  ]) {
    await using server = await startServer((socket) => socket.write(start));
    await assertFailure(connect(server.port, 150), "timed-out", /did not answer within 150 ms/);
    assert.equal((await failureOf(connect(server.port, 100))).code, "ERR_HOMCC_CONNECT_TIMEOUT");
  }
});

test("a homcc 1.x server closes on our hello, or refuses before it", async () => {
  await using closing = await startServer((socket) => {
    socket.once("data", () => socket.destroy());
    socket.resume();
  });
  await assertFailure(
    connect(closing.port),
    "v1",
    /is no homcc 2 server: it closed the connection on our hello/,
  );
  await using full = await startServer((socket) => {
    socket.end(v1Frame({ message_type: "ConnectionRefusedMessage", info: "Limit 4 reached" }));
  });
  await assertFailure(connect(full.port), "v1", /a homcc 1\.x server refuses: Limit 4 reached/);
});

test("other programs", async () => {
  await using web = await startServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await assertFailure(connect(web.port), "not-v2", /begin no protocol of homcc/);
  await using echo = await startServer((socket) => socket.pipe(socket));
  await assertFailure(connect(echo.port), "not-v2", /HomccV2Hello from the server/);
  await using long = await startServer((socket) => socket.write(Buffer.from("ffffff0000000000", "hex")));
  await assertFailure(connect(long.port), "not-v2", /16777215 bytes/);
  await using odd = await startServer((socket) =>
    socket.write(v1Frame({ message_type: "HomccV2Welcome", version: "two" })),
  );
  await assertFailure(connect(odd.port), "not-v2", /welcome\.version: expected an integer/);
});

test("a server of another version is named with ours", async () => {
  await using newer = await startServer((socket) => {
    socket.end(encodeRefusal({ info: "no", server: "homccd 4.1.0", versions: [4, 3] }));
  });
  await assertFailure(
    connect(newer.port),
    "version-mismatch",
    /\(homccd 4\.1\.0\) speaks protocol version 4, 3, this client 2$/,
  );
  await using deaf = await startServer((socket) => {
    socket.write(
      encodeWelcome({ version: 3, server: "homccd 3.0.0", capabilities: [], executors: [], slots: 1 }),
    );
  });
  await assertFailure(connect(deaf.port), "version-mismatch", /version 3, this client 2$/);
});

test("a server that does not want us", async () => {
  await using server = await startLoopbackServer({ welcome: () => ({ refuse: "maintenance until noon" }) });
  await assertFailure(connect(server.port), "refused", /\(homccd 2\.0\.0\) refuses: maintenance until noon/);
  const accepted = await server.next();
  assert.ok(accepted.kind === "rejected" && accepted.why.endsWith("maintenance until noon"));
});

test("aborting ends an attempt at any point with the signal's reason", async () => {
  const reason = new Error("not needed any more");
  await using silent = await startServer(() => {});
  const controller = new AbortController();
  const connecting = connect(silent.port, 5_000, controller.signal);
  setTimeout(() => controller.abort(reason), 30);
  await assert.rejects(connecting, reason);
  await assert.rejects(connect(silent.port, 5_000, AbortSignal.abort(reason)), reason);
});

test("a welcome that comes in pieces, with frames behind it", async () => {
  const welcome = encodeWelcome({
    version: 2,
    server: "homccd 2.0.1",
    capabilities: [],
    executors: [],
    slots: 1,
  });
  const goodbye = Buffer.from("060000000500000000000000", "hex");
  const bytes = Buffer.concat([welcome, goodbye, Buffer.from("so far")]);
  await using server = await startServer((socket) => {
    socket.setNoDelay(true);
    let offset = 0;
    const step = (): void => {
      socket.write(bytes.subarray(offset, (offset += 50)));
      if (offset < bytes.byteLength) setTimeout(step, 2);
    };
    step();
  });
  const { channel } = await connect(server.port);
  assert.match((await channel.closed).message, /closed the connection: so far/);
});

test("a client that gives a silent server up resets the connection, and does not seem to have been killed", async () => {
  const errors: unknown[] = [];
  const closed = Promise.withResolvers<void>();
  await using server = await startServer((socket) => {
    socket.on("error", (error) => errors.push(error));
    socket.on("close", () => closed.resolve());
    socket.resume();
    socket.once("data", () =>
      socket.write(
        encodeWelcome({
          version: 2,
          server: "homccd 2.0.0",
          capabilities: knownCapabilities,
          executors: [],
          slots: 1,
        }),
      ),
    );
  });
  const { channel } = await connectToServer({
    host: "127.0.0.1",
    port: server.port,
    connectTimeoutMs: 5_000,
    channel: { busyPace: { pingIntervalMs: 10, deadAfterMs: 50 } },
  });
  channel.openStream({ onMessage: () => {} });
  await closed.promise;
  assert.ok(channel.isLost);
  assert.match(String(errors), /ECONNRESET/);
});

test("the hello is what a 1.x server takes for one of its messages", () => {
  const hello = encodeHello({ versions: [2], agent: "a", capabilities: [] });
  assert.equal(hello.readUInt32LE(4), 0);
});
