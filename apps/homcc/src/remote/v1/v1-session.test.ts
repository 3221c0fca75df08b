import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, Socket } from "node:net";
import { test } from "node:test";
import { TargetTriples } from "@homcc/compiler/target-triples";
import { HomccError } from "@homcc/observability/error";
import { hostIdOf } from "@homcc/scheduler/host";
import { connectToV1Server } from "@homcc/transport/connect";
import { actionOn, job } from "../remote-job.fixture.ts";
import { RefusedByServer } from "../refusal.ts";
import { FileSums } from "./file-sums.ts";
import { lifetimeMs, V1Session, type V1SessionOptions } from "./v1-session.ts";

interface Watched {
  readonly session: V1Session;
  readonly lost: boolean[];
  nowMs: number;
  mistaken: number;
}

function watched(connect: V1SessionOptions["connect"]): Watched {
  const lost: boolean[] = [];
  const watch = { lost, nowMs: 0, mistaken: 0 };
  const session = new V1Session({
    hostId: hostIdOf({ name: "old", port: 3126, limit: 1 }),
    connect,
    onLost: (_session, _reason, wasV1) => lost.push(wasV1),
    onMistaken: () => (watch.mistaken += 1),
    clock: { monotonicMs: () => watch.nowMs, wallMs: () => watch.nowMs },
    sums: new FileSums(),
    targets: new TargetTriples("/usr/bin:/bin"),
  });
  return Object.assign(watch, { session });
}

const command = {
  kind: "suitable",
  args: ["gcc", "-c", "a.c"],
  object: "/w/a.o",
  dependencyRun: undefined,
} as const;
const v1Job = { ...job, forV1: () => command };
const refusing = (): Promise<never> =>
  Promise.reject(new HomccError("ERR_HOMCC_UNAVAILABLE", "old port 3126 cannot be reached"));
const never = new AbortController().signal;

test("after its time a server is greeted anew", () => {
  const watch = watched(refusing);
  watch.nowMs = lifetimeMs - 1;
  assert.equal(watch.session.takesJobs, true);
  watch.nowMs = lifetimeMs;
  assert.equal(watch.session.takesJobs, false);
});

test("a server that cannot be reached is lost, and was none of 1.x for all we know", async () => {
  const { session, lost } = watched(refusing);
  await assert.rejects(session.run(actionOn("/w", []), v1Job, never), /cannot be reached/);
  assert.deepEqual(lost, [false]);
});

test("a server that names itself is none of 1.x: the job is to greet it anew, and nothing is left of it", async (t) => {
  const refusal = '{"message_type": "ConnectionRefusedMessage", "info": "no", "server": "homccd 2.0.0"}';
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(refusal.length));
  let asked = "";
  const listener = createServer((socket) => {
    socket.once("data", (bytes: Buffer) => {
      asked = bytes.toString();
      socket.end(Buffer.concat([prefix, Buffer.from(refusal)]));
    });
  }).listen(0, "127.0.0.1");
  t.after(() => listener.close());
  await once(listener, "listening");
  const address = listener.address();
  assert.ok(typeof address === "object" && address !== null);
  const watch = watched((signal) =>
    connectToV1Server({ host: "127.0.0.1", port: address.port, connectTimeoutMs: 5000, signal }),
  );
  await assert.rejects(watch.session.run(actionOn("/w", []), v1Job, never), (error) => {
    assert.ok(error instanceof RefusedByServer && error.isLeaving);
    assert.match(error.message, /homccd 2\.0\.0 was taken for a server of homcc 1\.x/);
    return true;
  });
  assert.match(asked, /"agent": "homcc 2/);
  assert.deepEqual([watch.mistaken, watch.lost, watch.session.takesJobs], [1, [], false]);
});

test("a job that is given up in the middle of a message to a server that does not read ends", async (t) => {
  const listener = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  assert.ok(typeof address === "object" && address !== null);
  const accepted = once(listener, "connection");
  t.after(async () => {
    listener.close();
    for (const socket of await accepted) if (socket instanceof Socket) socket.destroy();
  });
  const { session, lost } = watched((signal, onBytes = () => {}) =>
    connectToV1Server({ host: "127.0.0.1", port: address.port, connectTimeoutMs: 5000, signal, onBytes }),
  );
  const call = new AbortController();
  const long = { ...command, args: ["gcc", "x".repeat(32 << 20)] };
  const onProgress = (): void => call.abort(new Error("given up"));
  const running = session.run(actionOn("/w", []), { ...job, forV1: () => long, onProgress }, call.signal);
  await assert.rejects(running);
  assert.deepEqual(lost, [], "the server was not lost");
});

test("what 1.x cannot do is refused before anything is sent", async () => {
  const { session, lost } = watched(() => assert.fail("connected"));
  const cases = [
    [
      actionOn("/w", []),
      { ...job, forV1: () => ({ kind: "unsuitable", why: "too new" }) as const },
      /too new/,
    ],
    [actionOn("/w", [{ kind: "symlink", path: "/w/x", target: "y" }]), v1Job, /knows no links: \/w\/x/],
    [actionOn("/w", [], { environment: { CPATH: "/x" } }), v1Job, /the variable CPATH/],
  ] as const;
  for (const [action, description, why] of cases) {
    await assert.rejects(session.run(action, description, never), (error) => {
      assert.ok(error instanceof RefusedByServer);
      assert.equal(error.outcome, "mapped-unsupported");
      assert.match(error.message, why);
      return true;
    });
  }
  assert.deepEqual(lost, []);
});
