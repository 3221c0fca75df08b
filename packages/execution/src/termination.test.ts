import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultJobLimits } from "./job-limits.ts";
import { type JobEnd, terminationOf } from "./termination.ts";

const limits = { ...defaultJobLimits, cpuSeconds: 10, textBytes: 100, minFreeBytes: 1000 };

function ended(waitStatus: number, stderr = "", changes: Partial<JobEnd> = {}) {
  const result = { outcome: "ended", waitStatus, cpuMs: 100, maxRssKiB: 1 } as const;
  const end: JobEnd = {
    result,
    stdoutBytes: 0,
    stderrBytes: 0,
    stderrText: () => stderr,
    freeBytes: 5000,
    ...changes,
  };
  return terminationOf(end, limits);
}

test("status and signal pass through", () => {
  assert.deepEqual(ended(0), { kind: "exited", status: 0 });
  assert.deepEqual(ended(4 << 8, "a.c:1: error"), { kind: "exited", status: 4 });
  assert.deepEqual(ended(11 | 0x80), { kind: "signalled", signal: 11 });
});

test("limits are told from errors of the program", () => {
  assert.deepEqual(ended(0, "", { freeBytes: 999 }), limited("disk"));
  assert.deepEqual(ended(0, "", { stderrBytes: 101 }), limited("size of the messages"));
  assert.deepEqual(ended(9), limited("memory"));
  assert.deepEqual(ended(24), limited("CPU time"));
  assert.deepEqual(ended(25), limited("file size"));
  assert.deepEqual(terminationOf({ ...endOf("killed") }, limits), limited("memory"));
  assert.deepEqual(ended(256, "as: a.o: No space left on device"), limited("disk"));
  assert.deepEqual(
    ended(256, "gcc: fatal error: Killed signal terminated program cc1plus"),
    limited("memory"),
  );
  assert.deepEqual(ended(0, "warning: No space left on device"), { kind: "exited", status: 0 });
});

function limited(limit: string) {
  return { kind: "limited", limit };
}

function endOf(outcome: "killed"): JobEnd {
  const result = { outcome, cpuMs: 0, maxRssKiB: 0 };
  return { result, stdoutBytes: 0, stderrBytes: 0, stderrText: () => "", freeBytes: 5000 };
}
