import assert from "node:assert/strict";
import { test } from "node:test";
import { maxUndeclared } from "./limits.ts";
import { encodeMessage } from "./message-codec.ts";
import { serverMessages } from "./messages.ts";
import { toResultMessage } from "./result-message.ts";

test("a result is announced in whole numbers, within the limits", () => {
  const message = toResultMessage(
    {
      termination: { kind: "exited", status: 1 },
      stdout: Buffer.from("out"),
      stderr: Buffer.from("error"),
      undeclared: Array.from({ length: 1000 }, (_, index) => `/w/${index}`),
      usage: { wallMs: 12.7, cpuMs: 10.2, maxRssKiB: 20_000.5 },
    },
    [
      { kind: "written", path: "/w/a.o", sizeBytes: 1234, mode: 0o644 },
      { kind: "removed", path: "/w/b.o" },
    ],
    { executor: "namespace", localeKnown: true },
  );
  assert.deepEqual(message.outputs, [
    { kind: "written", path: "/w/a.o", sizeBytes: 1234, mode: 0o644 },
    { kind: "removed", path: "/w/b.o" },
  ]);
  assert.deepEqual([message.stdoutBytes, message.stderrBytes], [3, 5]);
  assert.deepEqual(message.usage, { wallMs: 13, cpuMs: 10, maxRssKiB: 20_001 });
  assert.equal(message.undeclared.length, maxUndeclared);
  encodeMessage(serverMessages, message);
});
