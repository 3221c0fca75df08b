import assert from "node:assert/strict";
import { test } from "node:test";
import { hostIdOf } from "./host.ts";
import { Ledger } from "./ledger.ts";

const near = hostIdOf({ name: "near", port: 3126, limit: 8 });
const far = hostIdOf({ name: "far", port: 3126, limit: 8 });

test("nothing is known at first", () => {
  const ledger = new Ledger();
  assert.equal(ledger.homeMs("a"), undefined);
  assert.equal(ledger.remoteMs("a", near), undefined);
  assert.equal(ledger.receivedBytes("a"), undefined);
  assert.deepEqual(ledger.server(near), {});
});

test("a file costs what it cost the last time, and nothing is known of another one", () => {
  const ledger = new Ledger();
  ledger.noteRemote("a", near, { compileMs: 1000, receivedBytes: 100 });
  ledger.noteRemote("a", near, { compileMs: 2000, receivedBytes: 200 });
  assert.equal(ledger.remoteMs("a", far), 2000);
  assert.equal(ledger.homeMs("a"), 4000, "this machine is taken to be slower than servers");
  assert.equal(ledger.receivedBytes("a"), 200);
  assert.equal(ledger.remoteMs("b", near), undefined);
  assert.equal(ledger.homeMs("b"), undefined);
  assert.equal(ledger.receivedBytes("b"), undefined);
  assert.equal(ledger.meanRemoteMs, 1300, "for the queue in front of a job");
  assert.equal(ledger.meanHomeMs, 2600);
  assert.equal(ledger.meanReceivedBytes, 130);
  ledger.noteRemote("a", near, { compileMs: undefined, receivedBytes: 300 });
  assert.equal(ledger.remoteMs("a", near), 2000, "a kept result was not compiled");
  assert.equal(ledger.receivedBytes("a"), 300);
});

test("a server's speed is learned from files that were compiled in both places", () => {
  const ledger = new Ledger();
  ledger.noteHome("a", 1000);
  ledger.noteRemote("a", near, { compileMs: 500, receivedBytes: 1 });
  assert.equal(ledger.server(near).timesHome, 0.5);
  ledger.noteHome("b", 3000);
  assert.equal(ledger.remoteMs("b", near), 1500);
  ledger.noteRemote("c", near, { compileMs: 400, receivedBytes: 1 });
  assert.equal(ledger.homeMs("c"), 800);
});

test("it is kept as text, and bounded", () => {
  const ledger = new Ledger();
  for (let n = 0; n < 17_000; n++) ledger.noteHome(`file ${n}`, 100 + n);
  for (let n = 0; n < 100; n++) {
    const host = hostIdOf({ name: `s${n}`, port: 1, limit: 1 });
    ledger.noteRemote("file 16999", host, { compileMs: 100, receivedBytes: 1 });
  }
  ledger.noteRemote("file 16999", near, { compileMs: 34_198, receivedBytes: 1 });
  const text = ledger.toText();
  assert.equal(text.files.length, 16_384);
  assert.equal(text.servers.length, 64);
  const again = new Ledger(structuredClone(text));
  assert.equal(again.homeMs("file 16999"), 17_099);
  assert.equal(again.file("file 0"), undefined);
  assert.deepEqual(again.server(near), { timesHome: 2 });
  assert.equal(again.changes, 0);
});
