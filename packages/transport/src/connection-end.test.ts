import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { Socket } from "node:net";
import { test } from "node:test";
import { hasCode, HomccError } from "@homcc/observability/error";
import { type Frame, frameTypes } from "@homcc/protocol/frame";
import { maxTextLength } from "@homcc/protocol/limits";
import type { Role } from "./channel-options.ts";
import { ConnectionEnd } from "./connection-end.ts";
import type { Timers } from "./timers.ts";

/** A socket of the kernel, of which only one thing is asked. */
class Carrier extends Socket {
  wasReset = false;

  override resetAndDestroy(): this {
    this.wasReset = true;
    return this;
  }
}

/** What happens to one end, in order. */
class Scene {
  readonly events: string[] = [];
  readonly last: Frame[] = [];
  readonly carrier = new Carrier();
  readonly socket: Duplex;
  readonly end: ConnectionEnd;
  /** The only timer there may be. */
  due: (() => void) | undefined;

  constructor(role: Role, { farewell = true, destroyed = false } = {}) {
    this.socket = new Duplex({
      read: () => {},
      final: (done) => {
        this.events.push("shut");
        done();
      },
      destroy: (error, done) => {
        this.events.push("destroyed");
        done(error);
      },
    });
    if (destroyed) this.socket.destroy();
    const timers: Timers = {
      after: (_delayMs, run) => {
        this.due = run;
        return () => (this.due = undefined);
      },
    };
    this.end = new ConnectionEnd({
      role,
      peer: "peer:1",
      socket: this.socket,
      carrier: this.carrier,
      timers,
      farewell,
      sendLast: (frame) => {
        this.events.push("last words");
        this.last.push(frame);
      },
      stop: () => this.events.push("stop"),
      ended: (reason) => {
        assert.equal(this.end.reason, reason);
        assert.equal(this.end.signal.reason, reason);
        this.events.push("ended");
      },
    });
    this.end.watch();
  }

  /** The words that the peer is told. */
  get words(): string {
    const [frame] = this.last;
    assert.equal(frame?.type, frameTypes.goodbye);
    return Buffer.from(frame.payload).toString();
  }
}

test("a goodbye is written before all stops, and the socket is closed when the peer closes its own", async () => {
  const scene = new Scene("server");
  const closed = scene.end.close("homccd is ending");
  assert.deepEqual(scene.events, ["last words", "stop", "ended", "shut"]);
  assert.equal(scene.words, "homccd is ending");
  scene.socket.push(null);
  await closed;
  assert.equal(scene.events.at(-1), "destroyed");
  assert.equal(scene.due, undefined, "the timer is cancelled");
  assert.match((await scene.end.closed).message, /^the connection to peer:1 was closed: homccd is ending$/);
  assert.equal(scene.end.isLost, false);
});

test("a peer that does not fetch the goodbye is not waited for", async () => {
  const scene = new Scene("server");
  const closed = scene.end.close("enough");
  scene.due?.();
  await closed;
  assert.ok(scene.events.includes("destroyed"));
});

test("the first reason stays", async () => {
  const scene = new Scene("client");
  const first = new HomccError("ERR_HOMCC_PROTOCOL", "first");
  assert.equal(scene.end.fail(first), first);
  assert.equal(scene.end.fail(new Error("second")), first);
  scene.end.lose("third");
  scene.end.peerLeaves(Buffer.from("fourth"));
  assert.equal(await scene.end.closed, first);
  assert.deepEqual([scene.words, scene.last.length, scene.end.isLost], ["first", 1, false]);
});

test("a mistake of ours is told without its words, which may be a user's", async () => {
  const scene = new Scene("server");
  const bug = new Error("secret");
  const reason = scene.end.fail(bug);
  assert.equal(scene.words, "an internal error on the connection to peer:1");
  assert.ok(hasCode(reason, "ERR_HOMCC_CONNECTION_LOST"));
  assert.equal(reason.cause, bug);
});

test("what the peer says is the reason: printable, cut, and never empty", async () => {
  for (const [goodbye, told] of [
    ["homccd is ending", /^peer:1 closed the connection: homccd is ending$/],
    ["", /: without a reason$/],
    ["x".repeat(2 * maxTextLength), new RegExp(`: x{1,${maxTextLength}}\\W?$`)],
    ["\u001B[2J", /^\P{Cc}+$/u],
  ] as const) {
    const scene = new Scene("client");
    scene.end.peerLeaves(Buffer.from(goodbye));
    assert.match((await scene.end.closed).message, told);
    assert.deepEqual(scene.events, ["stop", "ended", "destroyed"]);
    assert.deepEqual([scene.last.length, scene.end.isLost, scene.carrier.wasReset], [0, false, false]);
  }
});

test("a client that loses the line resets it where an end without a word would mean that it died", async () => {
  for (const [role, farewell, isReset] of [
    ["client", true, true],
    ["client", false, false],
    ["server", true, false],
  ] as const) {
    const scene = new Scene(role, { farewell });
    scene.end.lose("silent");
    assert.deepEqual([scene.end.isLost, scene.carrier.wasReset], [true, isReset], `${role} ${farewell}`);
  }
});

test("an end without a word: a client that says goodbye otherwise was killed, everybody else is lost", async () => {
  for (const [role, farewell, message, isLost] of [
    ["server", true, "peer:1 was killed", false],
    ["server", false, "peer:1 closed the connection", true],
    ["client", true, "peer:1 closed the connection", true],
  ] as const) {
    const scene = new Scene(role, { farewell });
    scene.socket.resume();
    scene.socket.push(null);
    assert.equal((await scene.end.closed).message, message);
    assert.equal(scene.end.isLost, isLost);
  }
});

test("a line that breaks says how, and one that was broken before is lost at once", async () => {
  const scene = new Scene("client");
  const failure = new Error("ECONNRESET");
  scene.socket.destroy(failure);
  const reason = await scene.end.closed;
  assert.deepEqual([reason.message, reason.cause], ["the connection to peer:1 broke", failure]);
  const late = new Scene("client", { destroyed: true });
  assert.equal(late.end.reason?.message, "the connection to peer:1 ended");
});

test("a dropped connection has no last words", async () => {
  const scene = new Scene("server");
  await scene.end.drop("a restart");
  assert.deepEqual(scene.events, ["stop", "ended", "destroyed"]);
  assert.equal(scene.end.isLost, false);
});
