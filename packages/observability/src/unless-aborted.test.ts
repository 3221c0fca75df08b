import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { unlessAborted } from "./unless-aborted.ts";

const never = new Promise<never>(() => {});

test("what is waited for ends it", async () => {
  const { signal } = new AbortController();
  await unlessAborted(Promise.resolve(), signal);
  await assert.rejects(unlessAborted(Promise.reject(new Error("lost")), signal), /lost/);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("an abort ends it with its reason, before and meanwhile", async () => {
  const controller = new AbortController();
  const meanwhile = unlessAborted(never, controller.signal);
  controller.abort(new Error("cancelled"));
  await assert.rejects(meanwhile, /cancelled/);
  await assert.rejects(unlessAborted(never, controller.signal), /cancelled/);
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
});
