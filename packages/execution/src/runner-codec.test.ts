import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import * as fc from "fast-check";
import {
  encodeCancel,
  encodeRun,
  maxRunnerFrameBytes,
  type RunnerJob,
  type RunnerReply,
  RunnerReplyDecoder,
} from "./runner-codec.ts";

const job: RunnerJob = {
  folder: "j/1",
  layers: "j/1/l:base",
  absent: ["/a"],
  cwd: "/c",
  umask: 0o22,
  terminals: { stdin: false, stdout: true, stderr: true },
  columns: 80,
  rows: 25,
  terminalOutputLimitBytes: 7,
  limits: [{ resource: 1, value: 9n }],
  bounds: { memoryBytes: 2 ** 33, processes: 3, writtenBytes: 4, minFreeBytes: 5 },
  readable: ["/usr"],
  environment: { A: "b" },
  steps: [{ program: "/p", argv: ["p", ""] }],
};

test("a run message, byte by byte", () => {
  const text = (value: string) => Buffer.concat([u32(value.length + 1), Buffer.from(`${value}\0`)]);
  const body = Buffer.concat([
    Buffer.from("R"),
    u32(5),
    text("j/1"),
    text("j/1/l:base"),
    u32(1),
    text("/a"),
    text("/c"),
    u32(0o22),
    Buffer.from([6, 80, 0, 25, 0, 7, 0, 0, 0, 0, 0, 0, 0]),
    u32(1),
    u32(1),
    Buffer.from([9, 0, 0, 0, 0, 0, 0, 0]),
    Buffer.from([
      0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0,
    ]),
    u32(1),
    text("/usr"),
    u32(1),
    text("A=b"),
    u32(1),
    text("/p"),
    u32(2),
    text("p"),
    text(""),
  ]);
  assert.deepEqual(encodeRun(5, job), Buffer.concat([u32(body.length), body]));
  assert.deepEqual(encodeCancel(5), Buffer.from([5, 0, 0, 0, "C".charCodeAt(0), 5, 0, 0, 0]));
});

test("what the runner could not take is refused", () => {
  refused({ steps: [] });
  refused({ steps: Array.from({ length: 65 }, () => ({ program: "/p", argv: [] })) });
  refused({ cwd: "/a\0b" });
  refused({ environment: { LARGE: "x".repeat(maxRunnerFrameBytes) } });
});

test("replies survive any split", () => {
  const u32s = fc.nat(0xffffffff);
  const reply: fc.Arbitrary<RunnerReply> = fc.oneof(
    u32s.map((pid) => ({ kind: "ready", pid }) as const),
    fc
      .record({
        id: u32s,
        cpu: fc.nat(1e9),
        maxRssKiB: u32s,
        outcome: fc.nat(2),
        value: u32s,
        call: fc.string({ maxLength: 60 }),
      })
      .map(({ id, cpu, maxRssKiB, outcome, value, call }) => {
        const usage = { kind: "done", id, cpuMs: cpu / 1000, maxRssKiB } as const;
        if (outcome === 0) return { ...usage, outcome: "ended", waitStatus: value } as const;
        if (outcome === 1)
          return { ...usage, outcome: "failed", errno: value, call: call.replaceAll("\0", "") } as const;
        return { ...usage, outcome: "killed" } as const;
      }),
  );
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 8 }), fc.array(fc.nat(40)), (replies, cuts) => {
      let bytes = Buffer.concat(replies.map(encodeReply));
      const decoder = new RunnerReplyDecoder();
      const decoded: RunnerReply[] = [];
      for (const cut of cuts) {
        decoded.push(...decoder.push(bytes.subarray(0, cut)));
        bytes = bytes.subarray(cut);
      }
      decoded.push(...decoder.push(bytes));
      assert.deepEqual(decoded, replies);
    }),
  );
});

test("a reply that is none is an error, also when it is long", () => {
  for (const bytes of [
    u32(0),
    u32(5000),
    Buffer.concat([u32(1), Buffer.from("?")]),
    Buffer.concat([u32(3), Buffer.from("D12")]),
  ]) {
    assert.throws(() => new RunnerReplyDecoder().push(bytes));
  }
});

function refused(changes: Partial<RunnerJob>): void {
  assert.throws(
    () => encodeRun(1, { ...job, ...changes }),
    (error) => hasCode(error, "ERR_HOMCC_REFUSED"),
  );
}

function encodeReply(reply: RunnerReply): Buffer {
  if (reply.kind === "ready") return Buffer.concat([u32(5), Buffer.from("S"), u32(reply.pid)]);
  const outcome = { ended: 0, failed: 1, killed: 2, limited: 3 }[reply.outcome];
  const value = reply.outcome === "ended" ? reply.waitStatus : reply.outcome === "failed" ? reply.errno : 0;
  const text = Buffer.from(
    `${reply.outcome === "failed" ? reply.call : reply.outcome === "limited" ? reply.limit : ""}\0`,
  );
  const cpu = Buffer.alloc(8);
  cpu.writeBigUInt64LE(BigInt(Math.round(reply.cpuMs * 1000)));
  const body = Buffer.concat([
    Buffer.from("D"),
    u32(reply.id),
    u32(outcome),
    u32(value),
    cpu,
    u32(reply.maxRssKiB),
    u32(text.length),
    text,
  ]);
  return Buffer.concat([u32(body.length), body]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
