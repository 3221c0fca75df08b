import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { decodeReply, encodeRequest } from "./codec.ts";
import { encodeFrame, FrameReader, frameTypes } from "./frame.ts";
import type { LaunchRequest } from "./messages.ts";
import { type LaunchCall, type LaunchServer, serveLaunches, type ServeLaunchesOptions } from "./server.ts";

const request: LaunchRequest = {
  argv: ["cc"],
  compilerPath: "/usr/bin/cc",
  cwd: "/",
  environment: {},
  invalidVariables: [],
  notUtf8: false,
  options: {},
  umask: 0,
  pid: process.pid,
  rootIdentity: "",
  agentIdentity: "ours",
  terminals: [undefined, undefined, undefined],
  noticeTerminal: false,
  session: 0,
};

test("a request is accepted before the agent has looked at it", async (t) => {
  const { path } = await serve(t, async () => {
    await new Promise(() => {});
  });
  const socket = createConnection(path);
  socket.write(encodeRequest(request));
  const [chunk] = await once(socket, "data");
  assert.deepEqual(kindsOf(chunk), ["accepted"]);
  socket.destroy();
});

test("a request may arrive byte by byte", async (t) => {
  const { path } = await serve(t, async (call) => call.exit(3));
  const socket = createConnection(path);
  for (const byte of encodeRequest(request)) socket.write(Uint8Array.of(byte));
  assert.deepEqual(kindsOf(await buffer(socket)), ["accepted", "exit"]);
});

test("half a request is waited for no longer than the limit", async (t) => {
  const { path, calls } = await serve(t, async (call) => call.exit(0), { requestTimeoutMs: 50 });
  const socket = createConnection(path);
  socket.write(encodeRequest(request).subarray(0, 20));
  assert.equal((await buffer(socket)).length, 0);
  assert.deepEqual(calls, []);
});

for (const [name, bytes] of [
  ["a frame above the limit", Buffer.from([0xff, 0xff, 0xff, 0xff, frameTypes.request])],
  ["a frame of another type", encodeFrame(frameTypes.exit, Buffer.alloc(4))],
  [
    "a payload that is none",
    encodeFrame(frameTypes.request, Buffer.from("\x01\x04\0\0\0ours\xff\xff\xff\xff", "latin1")),
  ],
  ["another protocol", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
] as const) {
  test(`${name} ends the connection and nothing else`, async (t) => {
    const { path, errors } = await serve(t, async (call) => call.exit(0));
    const socket = createConnection(path);
    socket.write(bytes);
    assert.equal((await buffer(socket)).length, 0);
    assert.equal(errors.length, 1);
    assert.deepEqual(await ask(path), ["accepted", "exit"]);
  });
}

test("an agent of another version retires, for that launcher and for all that follow", async (t) => {
  let retired = 0;
  const { path, calls } = await serve(t, async (call) => call.exit(0), { onRetired: () => (retired += 1) });
  const waiting = createConnection(path);
  await once(waiting, "connect");
  assert.deepEqual(await ask(path, { ...request, agentIdentity: "theirs" }), ["retired"]);
  assert.equal(existsSync(path), false);
  waiting.write(encodeRequest(request));
  assert.deepEqual(kindsOf(await buffer(waiting)), ["retired"]);
  assert.deepEqual([retired, calls.length], [1, 0]);
});

test("a request of an unknown version retires the agent", async (t) => {
  const { path } = await serve(t, async (call) => call.exit(0));
  const socket = createConnection(path);
  socket.write(encodeFrame(frameTypes.request, Buffer.from("\x02\x04\0\0\0oursunknown", "latin1")));
  assert.deepEqual(kindsOf(await buffer(socket)), ["retired"]);
});

test("close waits for open calls and removes the name", async (t) => {
  const finish = Promise.withResolvers<void>();
  const { path, server } = await serve(t, async (call) => {
    await finish.promise;
    call.exit(0);
  });
  const answer = ask(path);
  await waitForCalls(server);
  let closed = false;
  const closing = server.close().then(() => (closed = true));
  assert.equal(existsSync(path), false);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(closed, false);
  finish.resolve();
  assert.deepEqual(await answer, ["accepted", "exit"]);
  await closing;
  assert.equal(server.openCalls, 0);
});

test("close leaves a name alone that has become another agent's", async (t) => {
  const { path, server } = await serve(t, async (call) => call.exit(0));
  rmSync(path);
  writeFileSync(path, "another");
  await server.close();
  assert.equal(existsSync(path), true);
});

test("a launcher that goes away aborts its call, one that was answered does not", async (t) => {
  const { path, calls } = await serve(t, async (call) => {
    if (call.request.argv[0] === "answer") call.exit(0);
    else await new Promise<void>((resolve) => call.signal.addEventListener("abort", () => resolve()));
  });
  const socket = createConnection(path);
  socket.write(encodeRequest(request));
  await once(socket, "data");
  socket.destroy();
  await once(calls[0]?.signal ?? new EventTarget(), "abort");
  assert.deepEqual(await ask(path, { ...request, argv: ["answer"] }), ["accepted", "exit"]);
  assert.equal(calls[1]?.signal.aborted, false);
});

test("a call that was aborted takes every answer in silence, one that was answered none", async (t) => {
  const { path, calls } = await serve(t, async (call) => {
    await new Promise<void>((resolve) => call.signal.addEventListener("abort", () => resolve()));
    await call.stdout(Buffer.from("x"));
    await call.execute("", []);
    assert.equal(await call.supervise("", []), undefined);
    call.exit(0);
    call.killedBy(1);
    call.abandon();
  });
  const socket = createConnection(path);
  socket.write(encodeRequest(request));
  await once(socket, "data");
  socket.destroy();
  const [call] = calls;
  assert.ok(call !== undefined);
  await once(call.signal, "abort");

  const twice = await serve(t, async (each) => {
    each.exit(0);
    each.exit(1);
  });
  assert.deepEqual(await ask(twice.path), ["accepted", "exit"]);
  assert.equal(twice.errors.length, 1);
});

test("an answer to supervise that is none ends the call", async (t) => {
  const ends: unknown[] = [];
  const { path } = await serve(t, async (call) => {
    ends.push(await call.supervise("", []));
  });
  for (const type of [frameTypes.exit, frameTypes.ended]) {
    const socket = createConnection(path);
    socket.write(encodeRequest(request));
    socket.once("data", () => socket.write(encodeFrame(type, Buffer.from([0, 1, 0, 0]))));
    await buffer(socket);
  }
  assert.deepEqual(ends, [undefined, undefined]);
});

interface Served {
  readonly path: string;
  readonly server: LaunchServer;
  readonly calls: LaunchCall[];
  readonly errors: unknown[];
}

async function serve(
  t: TestContext,
  onLaunch: (call: LaunchCall) => Promise<void>,
  options: Partial<ServeLaunchesOptions> = {},
): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), "homcc-launches-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "agent.sock");
  const calls: LaunchCall[] = [];
  const errors: unknown[] = [];
  const server = await serveLaunches({
    path,
    identity: "ours",
    closeGraceMs: 0,
    onLaunch: async (call) => {
      calls.push(call);
      await onLaunch(call);
    },
    onError: (error) => errors.push(error),
    ...options,
  });
  t.after(() => void server.close());
  return { path, server, calls, errors };
}

async function ask(path: string, each: LaunchRequest = request): Promise<string[]> {
  const socket: Socket = createConnection(path);
  socket.write(encodeRequest(each));
  return kindsOf(await buffer(socket));
}

function kindsOf(bytes: Uint8Array): string[] {
  return new FrameReader().push(bytes).map((frame) => decodeReply(frame).kind);
}

async function waitForCalls(server: LaunchServer): Promise<void> {
  while (server.openCalls === 0) await new Promise((resolve) => setTimeout(resolve, 5));
}
