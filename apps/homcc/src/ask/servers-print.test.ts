import assert from "node:assert/strict";
import { test } from "node:test";
import { renderServers } from "./servers-print.ts";

test("one line a server, and below it why it does not answer", () => {
  const welcome = {
    version: 2,
    server: "homccd 2.0.0",
    capabilities: [],
    executors: ["namespace", "mapped"],
    slots: 34,
  };
  const text = renderServers([
    { text: "build/32", kind: "welcome", welcome, roundTripMs: 12.34 },
    { text: "old:3127", kind: "v1" },
    { text: "me@away/4", kind: "failed", why: "away did not answer within 10000 ms" },
  ]);
  assert.equal(
    text,
    `HOST       VERSION       SLOTS  ROUND TRIP  EXECUTORS
build/32   homccd 2.0.0  34     12.3 ms     namespace mapped
old:3127   homcc 1.x     -      -           -
me@away/4  no answer     -      -           -
    away did not answer within 10000 ms
`,
  );
});
