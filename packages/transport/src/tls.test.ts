import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import type { X509Certificate } from "node:crypto";
import { digestOf } from "@homcc/cas/digest";
import { commonNameOf, issuedMsOf } from "@homcc/identity/certificate";
import { makePairing } from "@homcc/identity/pairing";
import { makePoolKey, type PoolKey } from "@homcc/identity/pool-key";
import { makeServerCertificate } from "@homcc/identity/server-certificate";
import type { CertificateJudgement, TlsAcceptance } from "./accept.ts";
import { connectToServer, type ServerConnection } from "./connect.ts";
import { ConnectError } from "./connect-error.ts";
import { dial, type LoopbackServer, startLoopbackServer, startServer } from "./fixtures/loopback-server.ts";
import type { ServerTrust } from "./tls-client.ts";
import { TlsListener } from "./tls-listener.ts";

const nowMs = Date.now();
const dayMs = 86_400_000;
const pool = makePoolKey(nowMs);
const stranger = makePoolKey(nowMs);

function acceptance(key: PoolKey, shown = makeServerCertificate(key, nowMs)): TlsAcceptance {
  const listener = new TlsListener({
    pool: shown,
    other: undefined,
    clientAuthorities: [key.certificate.toString()],
  });
  return { listener, judge };
}

function judge(certificate: X509Certificate, error: string | undefined): CertificateJudgement {
  if (error !== undefined) return { kind: "refused", why: `a certificate that is not good: ${error}` };
  return {
    kind: "known",
    identity: { kind: "paired", name: commonNameOf(certificate) ?? "" },
    credential: { issuedMs: issuedMsOf(certificate), expiresMs: certificate.validToDate.getTime() },
  };
}

function trustIn(
  key: PoolKey,
  pairedWith = key,
  expiresMs = nowMs + 90 * dayMs,
): Extract<ServerTrust, { kind: "pool" }> {
  const { privateKey, certificate } = makePairing(pairedWith, {
    name: "alice",
    issuedMs: nowMs,
    nowMs,
    expiresMs,
  });
  const client = {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    chain: certificate.toString(),
  };
  return { kind: "pool", fingerprint: key.fingerprint, client };
}

async function connectTo(port: number, trust: ServerTrust): Promise<ServerConnection> {
  return await connectToServer({ host: "127.0.0.1", port, connectTimeoutMs: 5_000, trust });
}

async function failureOf(port: number, trust: ServerTrust): Promise<ConnectError> {
  const error = await connectTo(port, trust).then(
    ({ channel }) => channel.close("not expected"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConnectError, String(error));
  return error;
}

async function paired(server: LoopbackServer): Promise<ServerConnection> {
  return await connectTo(server.port, trustIn(pool));
}

const tls = acceptance(pool);

test("a paired client is known by its name, and says as much as over a plain connection", async () => {
  await using server = await startLoopbackServer({ tls, allow: { allows: () => false } });
  const { channel, welcome } = await paired(server);
  const accepted = await server.next();
  assert.ok(accepted.kind === "v2");
  assert.deepEqual(accepted.identity, { kind: "paired", name: "alice" });
  assert.equal(accepted.credential?.issuedMs, nowMs);
  assert.match(accepted.channel.peer, /^alice \(127\.0\.0\.1:\d+\)$/);
  assert.equal(welcome.server, "homccd 2.0.0");
  const bytes = Buffer.alloc(5 << 20, "homcc");
  const received: Uint8Array[] = [];
  const whole = Promise.withResolvers<void>();
  accepted.channel.serve(() => ({
    onMessage: () => {},
    onData: (chunk) => void received.push(Buffer.from(chunk)),
    onEnd: () => whole.resolve(),
  }));
  const stream = channel.openStream({ onMessage: () => {} });
  channel.send(stream, { kind: "blob", digest: digestOf(bytes) });
  await channel.sendData(stream, [bytes], { priority: "large", end: true });
  await whole.promise;
  assert.ok(Buffer.concat(received).equals(bytes));
  await channel.close("done");
});

test("a client that is killed, resets or says goodbye is told apart as over a plain connection", async () => {
  await using server = await startLoopbackServer({ tls });
  const goodbye = await paired(server);
  const first = await server.next();
  assert.ok(first.kind === "v2");
  first.channel.serve(() => undefined);
  await goodbye.channel.close("enough");
  assert.match((await first.channel.closed).message, /enough/);
  assert.ok(!first.channel.isLost);
  // The kernel ends a killed process's connection without TLS knowing.
  const hello = Buffer.from(
    JSON.stringify({ message_type: "HomccV2Hello", versions: [2], agent: "x", capabilities: ["farewell"] }),
  );
  const size = Buffer.alloc(8);
  size.writeUInt32LE(hello.byteLength);
  const carrier = connect(server.port, "127.0.0.1");
  await once(carrier, "connect");
  const { client } = trustIn(pool);
  const socket = connectTls({
    socket: carrier,
    cert: client.chain,
    key: client.key,
    rejectUnauthorized: false,
  });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  socket.write(Buffer.concat([size, hello]));
  const killed = await server.next();
  assert.ok(killed.kind === "v2");
  killed.channel.serve(() => undefined);
  await once(socket, "data");
  carrier.end();
  assert.match((await killed.channel.closed).message, /was killed/);
  assert.ok(!killed.channel.isLost);
});

test("another key is refused by the client, with both fingerprints, before it says anything", async () => {
  await using server = await startLoopbackServer({ tls: acceptance(stranger) });
  const error = await failureOf(server.port, trustIn(pool));
  assert.equal(error.failure, "untrusted");
  assert.ok(error.message.includes(pool.fingerprint), error.message);
  assert.ok(error.message.includes(stranger.fingerprint), error.message);
  const accepted = await server.next();
  assert.ok(accepted.kind === "rejected");
});

test("a paired client cannot pass for a server, nor can a certificate that has no time left", async () => {
  const { privateKey, certificate } = makePairing(pool, {
    name: "mallory",
    issuedMs: nowMs,
    nowMs,
    expiresMs: nowMs + dayMs,
  });
  const asServer = {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    chain: `${certificate.toString()}${pool.certificate.toString()}`,
  };
  for (const [shown, why] of [
    [asServer, /certificate of a client/],
    [makeServerCertificate(pool, nowMs + 2 * dayMs), /valid from .* and this machine's clock says/],
    [makeServerCertificate(pool, nowMs - 4_000 * dayMs), /valid until .* and this machine's clock says/],
  ] as const) {
    await using server = await startLoopbackServer({ tls: acceptance(pool, shown) });
    const error = await failureOf(server.port, trustIn(pool));
    assert.equal(error.failure, "untrusted");
    assert.match(error.message, why);
  }
});

test("a certificate of a client that is not good is refused with a text, inside TLS", async () => {
  await using server = await startLoopbackServer({ tls });
  for (const [trust, why] of [
    [trustIn(pool, stranger), /CERT_SIGNATURE_FAILURE/],
    [trustIn(pool, pool, nowMs - 1000), /CERT_HAS_EXPIRED/],
  ] as const) {
    const error = await failureOf(server.port, trust);
    assert.equal(error.failure, "refused");
    assert.match(error.message, why);
  }
});

test("whoever answers in plain text, or not in TLS 1.3, is not talked to", async () => {
  const seen: Buffer[] = [];
  for (const answer of [
    "",
    "\0\0\0\0\0\0\0\0{}",
    "HTTP/1.1 200 OK\r\n\r\n",
    "150301000202",
    "SSH-2.0-x\r\n",
  ]) {
    await using server = await startServer((socket) => {
      socket.on("data", (chunk: Buffer) => seen.push(chunk));
      socket.once("data", () => socket.end(answer));
      socket.resume();
    });
    const error = await failureOf(server.port, trustIn(pool));
    assert.equal(error.failure, "untrusted", error.message);
  }
  for (const chunk of seen) assert.doesNotMatch(chunk.toString("latin1"), /HomccV2Hello|alice/);
  const shown = makeServerCertificate(pool, nowMs);
  const { createServer } = await import("node:tls");
  const old = createServer({ cert: shown.chain, key: shown.key, maxVersion: "TLSv1.2" }).listen(
    0,
    "127.0.0.1",
  );
  await once(old, "listening");
  const address = old.address();
  assert.ok(typeof address === "object" && address !== null);
  assert.match((await failureOf(address.port, trustIn(pool))).message, /does not speak TLS 1\.3/);
  old.close();
});

test("TLS 1.2, noise after the first byte, and a hello that breaks off are let go, and nobody else is", async () => {
  await using server = await startLoopbackServer({ tls, handshakeTimeoutMs: 300 });
  const { socket, closed } = await dial(server.port);
  socket.resume();
  socket.write(Buffer.concat([Buffer.from("1603010200", "hex"), Buffer.alloc(600, 7)]));
  await closed;
  const noise = await server.next();
  assert.ok(noise.kind === "rejected");
  assert.match(noise.why, /handshake of TLS 1\.3 failed/);
  const old = connectTls({
    port: server.port,
    host: "127.0.0.1",
    maxVersion: "TLSv1.2",
    rejectUnauthorized: false,
  });
  const [error]: unknown[] = await once(old, "error");
  assert.match(String(error), /protocol version/);
  assert.equal((await server.next()).kind, "rejected");
  const slow = await dial(server.port);
  slow.socket.resume();
  slow.socket.write(Buffer.from("16030102000100", "hex"));
  const other = await paired(server);
  await slow.closed;
  const outcomes = [await server.next(), await server.next()];
  assert.equal(outcomes.filter(({ kind }) => kind === "v2").length, 1);
  const late = outcomes.find((accepted) => accepted.kind === "rejected");
  assert.match(late?.kind === "rejected" ? late.why : "", /no complete hello within 300 ms|closed/);
  await other.channel.close("done");
});

test("sessions are not resumed: a certificate is looked at anew each time", async () => {
  await using server = await startLoopbackServer({ tls });
  let session: Buffer | undefined;
  for (const expected of [false, false]) {
    const { client } = trustIn(pool);
    const socket = connectTls({
      port: server.port,
      host: "127.0.0.1",
      cert: client.chain,
      key: client.key,
      rejectUnauthorized: false,
      ...(session === undefined ? {} : { session }),
    });
    socket.on("error", () => {});
    socket.on("session", (given: Buffer) => (session = given));
    await once(socket, "secureConnect");
    assert.equal(socket.isSessionReused(), expected);
    // It may come behind the handshake, together with the refusal of what is no hello.
    socket.end("GET / HTTP/1.0\r\n\r\n");
    socket.resume();
    await once(socket, "close");
    session ??= socket.getSession();
  }
});

test("who must have a certificate and has none is told how to get one", async () => {
  for (const [options, why] of [
    [{ requiresCertificate: true }, /serves no client that is not paired \(run homccd pair --name NAME/],
    [
      { allow: { allows: () => false } },
      /address 127\.0\.0\.1 is not allowed without a pairing \(run homccd pair/,
    ],
  ] as const) {
    await using server = await startLoopbackServer({ tls, ...options });
    await assert.rejects(
      connectToServer({ host: "127.0.0.1", port: server.port, connectTimeoutMs: 5_000 }),
      (error) => error instanceof ConnectError && error.failure === "refused" && why.test(error.message),
    );
    const rejected = await server.next();
    assert.ok(rejected.kind === "rejected");
    assert.match(rejected.why, why);
  }
});

test("two hundred at once are all welcomed", async () => {
  await using server = await startLoopbackServer({ tls, handshakeTimeoutMs: 60_000 });
  const trust = trustIn(pool);
  const connections = await Promise.all(
    Array.from(
      { length: 200 },
      async () =>
        await connectToServer({ host: "127.0.0.1", port: server.port, connectTimeoutMs: 60_000, trust }),
    ),
  );
  for (let count = 0; count < 200; count++) assert.equal((await server.next()).kind, "v2");
  await Promise.all(connections.map(async ({ channel }) => await channel.close("done")));
});
