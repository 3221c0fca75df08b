import assert from "node:assert/strict";
import { test } from "node:test";
import { selfTimes } from "./self-time.ts";

test("self times by function, without waiting", () => {
  const frame = (functionName: string, url: string, lineNumber: number) => ({
    functionName,
    url,
    lineNumber,
  });
  const nodes = [
    { id: 1, callFrame: frame("(idle)", "", -1) },
    { id: 2, callFrame: frame("encode", "file:///d/agent.mjs", 9) },
    { id: 3, callFrame: frame("encode", "file:///d/agent.mjs", 9) },
    { id: 4, callFrame: frame("", "node:fs", 0) },
  ];
  const profile = { nodes, samples: [1, 2, 3, 4, 4], timeDeltas: [9000, 1000, 2000, 2000, 3000] };
  assert.deepEqual(selfTimes(profile), [
    { name: "(anonymous) node:fs:1", ms: 5 },
    { name: "encode agent.mjs:10", ms: 3 },
  ]);
});
