import assert from "node:assert/strict";
import { test } from "node:test";
import { pipedMessages } from "./piped-messages.ts";

const steps = [
  { program: "/usr/bin/cc1", argv: ["cc1", "a.c", "-o", "/tmp/ccA.s"] },
  { program: "/usr/bin/as", argv: ["as", "-o", "a.o", "/tmp/ccA.s"] },
];
const message = Buffer.from("/tmp/ccA.s:6: Error: no such instruction: `\xff\n", "latin1");

test("messages about the text that a pipe would have brought name the pipe", () => {
  const piped = pipedMessages(message, steps, ["gcc", "-pipe", "-c", "a.c"]);
  assert.equal(
    Buffer.from(piped).toString("latin1"),
    "{standard input}:6: Error: no such instruction: `\xff\n",
  );
});

test("without -pipe, and without a replay, messages stay as they are", () => {
  assert.equal(pipedMessages(message, steps, ["gcc", "-c", "a.c"]), message);
  assert.equal(pipedMessages(message, steps.slice(0, 1), ["gcc", "-pipe", "-c", "a.c"]), message);
});
