import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerMessage } from "@homcc/protocol/messages";
import { connectPair } from "@homcc/transport/fixtures/loopback-server";
import { askInventory } from "./inventory.ts";

const inventory = { toolchains: [], profiles: [{ name: "jammy" }], containers: [], problems: [], omitted: 0 };
const able = { server: "homccd 2.1.0", capabilities: ["zstd", "inventory"] };

test("a server is asked for its inventory, and one that is too old for it is left in peace", async () => {
  await using pair = await connectPair();
  let asked = 0;
  pair.server.serve((stream, message) => {
    if (message.kind !== "survey") return undefined;
    asked += 1;
    const answer: ServerMessage = { kind: "inventory", ...inventory };
    queueMicrotask(() => pair.server.send(stream, answer, { end: true }));
    return { onMessage: () => {} };
  });
  assert.deepEqual(await askInventory(pair.client, able), { kind: "told", inventory });
  assert.equal(asked, 1);
  const old = await askInventory(pair.client, { server: "homccd 2.0.0", capabilities: ["zstd"] });
  assert.deepEqual(old, {
    kind: "unknown",
    why: "homccd 2.0.0 is too old to tell its toolchains, profiles and containers",
  });
  assert.equal(asked, 1);
});

test("a connection that ends before the answer is a reason and no error", async () => {
  await using pair = await connectPair();
  pair.server.serve((_stream, message) => {
    if (message.kind === "survey") void pair.server.close("ending");
    return { onMessage: () => {} };
  });
  const answer = await askInventory(pair.client, able);
  assert.ok(answer.kind === "unknown" && answer.why.includes("ending"), JSON.stringify(answer));
});
