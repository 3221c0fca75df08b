import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf } from "@homcc/cas/digest";
import { IncomingBlobs } from "./incoming-blobs.ts";

const [a, b] = [digestOf(Buffer.from("a")), digestOf(Buffer.from("b"))];

interface Receiving {
  readonly asked: Digest[][];
  readonly done: Promise<void>;
  readonly isDone: () => boolean;
}

function receive(blobs: IncomingBlobs, digests: Digest[], signal = new AbortController().signal): Receiving {
  const asked: Digest[][] = [];
  let isDone = false;
  const done = blobs.receive(digests, (lacking) => asked.push([...lacking]), signal);
  void done.then(
    () => (isDone = true),
    () => {},
  );
  return { asked, done, isDone: () => isDone };
}

test("what is on its way is not asked for, the rest is, in one message", async () => {
  const blobs = new IncomingBlobs();
  blobs.began(a);
  const [all, some] = [receive(blobs, [a, b]), receive(blobs, [a])];
  assert.deepEqual([all.asked, some.asked], [[[b]], []]);
  blobs.ended(a, true);
  await some.done;
  assert.equal(all.isDone(), false);
  blobs.began(b);
  blobs.ended(b, true);
  await all.done;
  assert.equal(blobs.isUnderWay(a), false);
});

test("a blob that does not arrive is asked for, unless it is still coming another time", async () => {
  const blobs = new IncomingBlobs();
  blobs.began(a);
  blobs.began(a);
  const job = receive(blobs, [a]);
  blobs.ended(a, false);
  assert.deepEqual(job.asked, []);
  blobs.ended(a, false);
  assert.deepEqual(job.asked, [[a]]);
  blobs.began(a);
  blobs.ended(a, true);
  await job.done;
});

test("a cancelled job waits no longer and asks for nothing any more", async () => {
  const blobs = new IncomingBlobs();
  const abort = new AbortController();
  blobs.began(a);
  const job = receive(blobs, [a], abort.signal);
  abort.abort(new Error("cancelled"));
  await assert.rejects(job.done, /cancelled/);
  blobs.ended(a, false);
  assert.deepEqual(job.asked, []);
  await assert.rejects(receive(blobs, [a], abort.signal).done, /cancelled/);
});
