import assert from "node:assert/strict";
import { test } from "node:test";
import { maxSandboxes, maxToolchainNames, maxToolchains } from "@homcc/protocol/limits";
import { encodeMessage } from "@homcc/protocol/message-codec";
import { serverMessages } from "@homcc/protocol/messages";
import { ServerInventory } from "./inventory.ts";

const nothing = { profiles: [], containers: [], problems: [] };

test("clients that ask at once share one answer", async () => {
  let asked = 0;
  const inventory = new ServerInventory({ list: async () => [] }, async () => {
    asked += 1;
    return { ...nothing, profiles: [{ name: "jammy" }] };
  });
  const [one, other] = await Promise.all([inventory.take(), inventory.take()]);
  assert.equal(one, other);
  assert.deepEqual([asked, one.profiles, one.omitted], [1, [{ name: "jammy" }], 0]);
});

test("whatever there is, the message is one that can be sent; what has no room is counted", async () => {
  const long = "x".repeat(10_000);
  const toolchain = {
    names: Array.from({ length: 40 }, () => long.slice(0, 255)),
    version: long,
    target: long,
  };
  const sandboxes = Array.from({ length: 200 }, (_, index) => ({ name: `box${index}`, problem: long }));
  const inventory = await new ServerInventory(
    { list: async () => Array.from({ length: 100 }, () => toolchain) },
    async () => ({
      profiles: [{ name: "-no name-" }, ...sandboxes],
      containers: sandboxes,
      problems: Array.from({ length: 20 }, () => long),
    }),
  ).take();
  const text = encodeMessage(serverMessages, { kind: "inventory", ...inventory });
  assert.ok(text.byteLength < 1 << 20, `${text.byteLength} bytes`);
  assert.deepEqual(
    [inventory.toolchains.length, inventory.toolchains[0]?.names.length, inventory.profiles.length],
    [maxToolchains, maxToolchainNames, maxSandboxes],
  );
  assert.equal(inventory.profiles[0]?.name, "box0", "no client could name the other one");
  assert.equal(inventory.omitted, 501 - maxToolchains - 2 * maxSandboxes);
});

test("what cannot be found out is told", async () => {
  const inventory = await new ServerInventory(
    { list: async () => Promise.reject(new Error("PATH is gone")) },
    async () => ({ ...nothing, problems: ["docker does not answer"] }),
  ).take();
  assert.deepEqual(inventory.problems, ["docker does not answer", "PATH is gone"]);
});
