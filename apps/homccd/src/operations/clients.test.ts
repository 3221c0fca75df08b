import assert from "node:assert/strict";
import { test } from "node:test";
import { Clients } from "./clients.ts";

test("bytes of homcc 1.x connections count while they last and when they are gone", async () => {
  const clients = new Clients();
  const wire = { bytesRead: 100, bytesWritten: 10 };
  const running = Promise.withResolvers<void>();
  const served = clients.serveV1(wire, running.promise);
  assert.deepEqual(clients.bytes, { receivedBytes: 100, sentBytes: 10 });
  wire.bytesWritten = 5_000;
  assert.deepEqual(clients.bytes, { receivedBytes: 100, sentBytes: 5_000 });
  running.resolve();
  await served;
  assert.equal(clients.connections, 0);
  const failed = clients.serveV1({ bytesRead: 1, bytesWritten: 1 }, Promise.reject(new Error("lost")));
  await assert.rejects(failed, /lost/);
  assert.deepEqual(clients.bytes, { receivedBytes: 101, sentBytes: 5_001 });
});
