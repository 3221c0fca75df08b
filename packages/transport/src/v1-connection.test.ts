import assert from "node:assert/strict";
import { connect, createServer, Socket } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { V1Connection } from "./v1-connection.ts";

async function pair(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const accepted = once(server, "connection");
  const client = connect(address.port, "127.0.0.1");
  const sockets: unknown[] = await accepted;
  const [served] = sockets;
  assert.ok(served instanceof Socket);
  server.close();
  return [client, served];
}

test("a long payload shows that it moves on both ends before it is there", async () => {
  const [near, far] = await pair();
  let [sent, received] = [0, 0];
  using sender = new V1Connection(near, { peer: "far", onBytes: () => (sent += 1) });
  using receiver = new V1Connection(far, { peer: "near", onBytes: () => (received += 1) });
  const payload = Buffer.alloc(4 << 20, "x");
  const sending = sender.send(
    { message_type: "DependencyReplyMessage", size: payload.byteLength, compression: "no_compression" },
    [payload],
  );
  const frame = await receiver.receive(new AbortController().signal);
  await sending;
  assert.equal(frame.payloads[0]?.byteLength, payload.byteLength);
  assert.ok(sent > 10 && received > 10, `${sent} ${received}`);
});

test("a message beyond the limits is answered, after its last byte", async () => {
  const [near, far] = await pair();
  using sender = new V1Connection(near, { peer: "far" });
  using receiver = new V1Connection(far, { peer: "near", maxPayloadBytes: 1000 });
  const payload = Buffer.alloc(16 << 20, "x");
  const never = new AbortController().signal;
  const sending = sender.send(
    { message_type: "DependencyReplyMessage", size: payload.byteLength, compression: "no_compression" },
    [payload],
  );
  const tooLong = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_PROTOCOL");
  await assert.rejects(receiver.receive(never), tooLong);
  await assert.rejects(receiver.receive(never), tooLong);
  const answer = { message_type: "ConnectionRefusedMessage", info: "too long" } as const;
  await receiver.send(answer);
  receiver.finish();
  await sending;
  assert.deepEqual((await sender.receive(never)).message, answer);
});

test("what a peer says after the end is thrown away", async () => {
  const [near, far] = await pair();
  using sender = new V1Connection(near, { peer: "far" });
  using receiver = new V1Connection(far, { peer: "near" });
  receiver.finish();
  const message = { message_type: "ConnectionRefusedMessage", info: "again" } as const;
  await sender.send(message);
  const never = new AbortController().signal;
  await assert.rejects(receiver.receive(never), (error) => hasCode(error, "ERR_HOMCC_CONNECTION_LOST"));
});
