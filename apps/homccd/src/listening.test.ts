import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { HomccError } from "@homcc/observability/error";
import { silentLogger } from "@homcc/observability/log";
import { type Listening, listenOn, passedSockets } from "./listening.ts";

/** Listens as homccd does, and ends each connection at once. */
async function listen(addresses: readonly string[], port = 0): Promise<Listening & Disposable> {
  const listening = await listenOn({ addresses, port }, silentLogger, (socket) => socket.destroy());
  return { ...listening, [Symbol.dispose]: () => listening.close() };
}

async function answers(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

test("each form of address serves the families it names, all with one port", async () => {
  const cases: readonly [addresses: string[], v4: boolean, v6: boolean][] = [
    [["127.0.0.1"], true, false],
    [["::1"], false, true],
    [["127.0.0.1", "::1"], true, true],
    [["::"], true, true],
    [["0.0.0.0"], true, false],
    [["::", "0.0.0.0"], true, true],
    [["::", "127.0.0.1"], true, true],
    [["0.0.0.0", "::1"], true, true],
  ];
  for (const [addresses, v4, v6] of cases) {
    using listening = await listen(addresses);
    const reached = [await answers("127.0.0.1", listening.port), await answers("::1", listening.port)];
    assert.deepEqual(reached, [v4, v6], addresses.join());
  }
});

test("a port in use on one of the addresses is an error that names it, and nothing stays open", async () => {
  const other = createServer().listen(0, "::1");
  await once(other, "listening");
  const address = other.address();
  assert.ok(typeof address === "object" && address !== null);
  const { port } = address;
  await assert.rejects(listen(["127.0.0.1", "::1"], port), (error) => {
    assert.ok(error instanceof HomccError && error.code === "ERR_HOMCC_BIND");
    assert.equal(error.message, `cannot listen on ::1 port ${port}`);
    assert.match(error.hint ?? "", /another homccd running\?.*--port/);
    return true;
  });
  assert.equal(await answers("127.0.0.1", port), false);
  other.close();
});

test("an address that is not of this machine", async () => {
  await assert.rejects(listen(["127.0.0.1", "203.0.113.7"]), (error) => {
    assert.ok(error instanceof HomccError && error.code === "ERR_HOMCC_BIND");
    assert.match(error.message, /203\.0\.113\.7/);
    assert.match(error.hint ?? "", /an address of this machine/);
    return true;
  });
});

test("sockets of a service manager are for the process that they name, and for no program that it starts", () => {
  const passed = (environment: NodeJS.ProcessEnv): [number, string[]] => [
    passedSockets(environment, 7),
    Object.keys(environment),
  ];
  assert.deepEqual(passed({ LISTEN_PID: "7", LISTEN_FDS: "2", LISTEN_FDNAMES: "a:b", A: "" }), [2, ["A"]]);
  assert.deepEqual(passed({ LISTEN_PID: "8", LISTEN_FDS: "2" }), [0, []]);
  for (const count of ["0", "-1", "x", "", "1000"])
    assert.deepEqual(passed({ LISTEN_PID: "7", LISTEN_FDS: count }), [0, []]);
  assert.deepEqual(passed({}), [0, []]);
});
