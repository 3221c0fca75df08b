import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { systemClock } from "@homcc/observability/clock";
import { HomccError } from "@homcc/observability/error";
import { silentLogger } from "@homcc/observability/log";
import { SlotQueue } from "@homcc/scheduler/slots";
import { ClientAccounts } from "../operations/client-accounts.ts";
import type { JobRecord } from "../operations/activity.ts";
import { serveV1Client, type V1Services } from "./v1-client.ts";

const argumentMessage = { message_type: "ArgumentMessage", args: ["gcc"], cwd: "/w", dependencies: {} };
const identity = { kind: "address", address: "127.0.0.1" } as const;

async function pair(): Promise<[client: Socket, served: Socket]> {
  const listener = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  assert.ok(typeof address === "object" && address !== null);
  const accepted = once(listener, "connection");
  const client = connect({ port: address.port, host: "127.0.0.1", allowHalfOpen: true });
  client.on("error", () => {});
  const [served] = (await accepted) as unknown[];
  assert.ok(served instanceof Socket);
  listener.close();
  return [client, served];
}

/** A conversation that begins with that message. */
function beginning(socket: Socket, argued: Readonly<Record<string, unknown>> = argumentMessage) {
  return { kind: "v1", identity, socket, argumentMessage: argued, rest: Buffer.alloc(0) } as const;
}

/** A server that has no compiler, and says so in `info`. */
function refusing(slots: SlotQueue, info: string, records: JobRecord[] = []): V1Services {
  const services = {
    slots,
    accounts: new ClientAccounts(
      () => ({ maxConnections: 10, maxJobs: 10, maxBytesPerSecond: undefined }),
      systemClock,
    ),
    activity: { begun: () => {}, ended: (record: JobRecord) => void records.push(record) },
    logger: silentLogger,
    places: { placeFor: () => Promise.reject(new HomccError("ERR_HOMCC_TOOLCHAIN", info)) },
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing else is asked for without a compiler
  return services as unknown as V1Services;
}

test("a client of homcc 2 is told whom it speaks to, and takes no slot", async () => {
  const slots = new SlotQueue(0);
  const [client, served] = await pair();
  const argued = { ...argumentMessage, agent: "homcc 2.0.0" };
  const records: JobRecord[] = [];
  const serving = serveV1Client(beginning(served, argued), refusing(slots, "asked for a compiler", records));
  const said = await text(client);
  client.end();
  await serving;
  assert.match(said, /"info": "homcc 2 is not served in the format of 1\.x", "server": "homccd /);
  assert.deepEqual(
    records.map(({ outcome, reason }) => [outcome, reason]),
    [["sent-back", undefined]],
  );
});

test("why a job of 1.x went elsewhere is in the access log as for everybody", async () => {
  const none = new SlotQueue(0);
  const one = new SlotQueue(1);
  for (const [slots, argued, reason] of [
    [none, argumentMessage, "limited"],
    [one, argumentMessage, "toolchain-differs"],
    [one, { message_type: "ArgumentMessage" }, "bad-job"],
  ] as const) {
    const [client, served] = await pair();
    const records: JobRecord[] = [];
    const serving = serveV1Client(beginning(served, argued), refusing(slots, "no gcc", records));
    await text(client);
    client.end();
    await serving;
    assert.deepEqual(
      records.map((record) => [record.outcome, record.reason]),
      [["refused", reason]],
    );
  }
});

test("a client that does not read its answer has its slot for so long and no longer", async () => {
  const slots = new SlotQueue(1);
  const [client, served] = await pair();
  // More than the kernels of both ends take.
  const services = refusing(slots, "x".repeat(32 << 20));
  const serving = serveV1Client(beginning(served), services, {
    conversationMs: 100,
    farewellMs: 100,
    stallMs: 10_000,
  });
  assert.equal(slots.held, 1);
  const next = await slots.acquire();
  next.release();
  await serving;
  client.destroy();
});

test("a client that never ceases to talk after its answer is cut off", async () => {
  const slots = new SlotQueue(1);
  const [client, served] = await pair();
  const serving = serveV1Client(beginning(served), refusing(slots, "none"), {
    conversationMs: 100,
    farewellMs: 100,
    stallMs: 10_000,
  });
  let isAnswered = false;
  client.once("end", () => (isAnswered = true));
  const talking = setInterval(() => client.write("x"), 10);
  client.resume();
  // Its last word may have met a closed door, which is an error of its own.
  await new Promise((resolve) => client.once("close", resolve));
  clearInterval(talking);
  assert.ok(isAnswered, "cut off before it was answered");
  await serving;
  assert.equal(slots.held, 0);
});
