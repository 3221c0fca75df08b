import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import { ManualTime } from "./manual-time.fixture.ts";
import { job } from "./remote-job.fixture.ts";
import { SessionOutlook, UnsentFiles } from "./session-outlook.ts";

const fresh = (freshBytes: number): { freshBytes: number; sendingBytes: number } => ({
  freshBytes,
  sendingBytes: 0,
});

test("what the server wants of new files is learned from what it asked for", () => {
  const outlook = new SessionOutlook(new ManualTime().clock, () => 0);
  assert.equal(outlook.wantedBytes({ freshBytes: 1000, sendingBytes: 500 }), 1500, "all of it at first");
  for (let n = 0; n < 20; n++) {
    using watched = outlook.watch(job, 1000);
    if (n % 2 === 0) watched.job.onUpload?.({ server: "s", files: 1, sizeBytes: 200 });
    watched.job.onPhase?.("compile");
  }
  const wanted = outlook.wantedBytes(fresh(1000));
  assert.ok(wanted > 50 && wanted < 150, `${wanted}`);
  using _knownFiles = outlook.watch(job, 0);
  assert.equal(outlook.wantedBytes(fresh(1000)), wanted, "a job without new files says nothing");
});

test("the queue is what the server said lately, and our own jobs that wait", () => {
  const time = new ManualTime();
  const outlook = new SessionOutlook(time.clock, () => 0);
  assert.equal(outlook.jobsAhead, 0);
  const one = outlook.watch(job, 0);
  one.job.onQueued?.(40);
  one.job.onPhase?.("blocked");
  assert.equal(outlook.jobsAhead, 41);
  const other = outlook.watch(job, 0);
  other.job.onPhase?.("blocked");
  time.pass(6_000);
  assert.equal(outlook.jobsAhead, 2);
  one.job.onPhase?.("compile");
  assert.equal(outlook.jobsAhead, 1);
  other[Symbol.dispose]();
  one[Symbol.dispose]();
  assert.equal(outlook.jobsAhead, 0);
});

test("the downlink is measured while at least one result comes", () => {
  const time = new ManualTime();
  let received = 0;
  const outlook = new SessionOutlook(time.clock, () => received);
  const measured = (): number | undefined => outlook.downloadBytesPerSecond;
  const receive = (bytes: number, ms: number): void => {
    const one = outlook.watch(job, 0);
    const other = outlook.watch(job, 0);
    one.job.onPhase?.("receive");
    other.job.onPhase?.("receive");
    received += bytes;
    time.pass(ms);
    one[Symbol.dispose]();
    other[Symbol.dispose]();
  };
  receive(250_000, 1000);
  assert.equal(measured(), undefined, "too little to tell");
  receive(1_000_000, 2000);
  assert.equal(measured(), 500_000);
  receive(1_000_000, 4000);
  const slower = measured() ?? 0;
  assert.ok(slower > 250_000 && slower < 500_000, `${slower}`);
  receive(1_000_000, 500);
  assert.equal(measured(), 2_000_000);
});

test("files are new, on their way, or known", () => {
  const digests = ["new!", "sending", "known"].map((text) => digestOf(Buffer.from(text)));
  const files = digests.map((digest, n) => ({ kind: "file", path: `/w/${n}`, digest, mtimeNs: 0n }) as const);
  const inputs = [...files, { kind: "directory", path: "/w" } as const];
  const named = new Set(digests.slice(1));
  const sending = new Set(digests.slice(1, 2));
  const asked: (string | undefined)[] = [];
  const unsent = new UnsentFiles(
    (digest) => {
      asked.push(digest);
      return named.has(digest);
    },
    {
      isSending: (digest) => sending.has(digest),
      get sendingBytes() {
        return sending.size * 7;
      },
    },
  );
  assert.deepEqual(unsent.of(inputs), { freshBytes: 4, sendingBytes: 7 });
  sending.clear();
  asked.length = 0;
  assert.deepEqual(unsent.of(inputs), { freshBytes: 4, sendingBytes: 0 });
  assert.deepEqual(asked, [digests[0]]);
  for (const set of [named, sending]) for (const digest of digests.slice(0, 1)) set.add(digest);
  assert.deepEqual(unsent.of(inputs), { freshBytes: 0, sendingBytes: 4 });
});
