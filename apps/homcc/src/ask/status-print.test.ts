import assert from "node:assert/strict";
import { test } from "node:test";
import { hostIdOf } from "@homcc/scheduler/host";
import { renderStatus } from "./status-print.ts";

const nowMs = Date.parse("2026-11-25T12:03:00.000Z");
const host = (name: string) => hostIdOf({ name, port: 3126, limit: 1 });

test("an agent with a busy server, one that is down and one that nobody needed", () => {
  const text = renderStatus(
    {
      agent: {
        pid: 42,
        version: "homcc 2.0.0",
        since: "2026-11-25T12:00:00.000Z",
        socket: "/run/s",
        log: "",
      },
      servers: [
        {
          host: host("build"),
          state: "connected",
          version: "homccd 2.0.0",
          executors: ["namespace", "mapped"],
          serverSlots: 8,
          roundTripMs: 12.3,
          slots: { held: 1, limit: 4 },
          jobs: [{ job: "a.cpp", seconds: 3.2 }],
        },
        {
          host: host("down"),
          state: "unreachable",
          reason: "connection refused",
          nextTryAt: "2026-11-25T12:03:04.000Z",
          slots: { held: 0, limit: 2 },
          jobs: [],
        },
        { host: host("new"), state: "unused", slots: { held: 0, limit: 2 }, jobs: [] },
      ],
      pools: [
        {
          name: "_homcc._tcp.example.com",
          members: ["one:3126", "two:3126"],
          answeredAt: "2026-11-25T12:02:48.000Z",
        },
        { name: "_homcc._tcp.example.org", members: [], problem: "DNS has no such name" },
      ],
      toolchains: [
        {
          host: host("build"),
          toolchain: "gcc 14.2.0",
          identity: "0123456789ab",
          state: "sending",
          sizeBytes: 100 << 20,
          thereBytes: 25 << 20,
          remainingMs: 240_000,
        },
        {
          host: host("down"),
          toolchain: "gcc 14.2.0",
          identity: "0123456789ab",
          state: "refused",
          sizeBytes: 0,
          thereBytes: 0,
          reason: "not taken",
        },
      ],
      local: { slots: { held: 1, limit: 2 }, jobs: [{ job: "g++ -o app", seconds: 130 }] },
      audits: { counts: { identical: 7, different: 0, void: 1, impossible: 0 }, waiting: 2, findings: [] },
      queues: { servers: 3, local: 1, discovery: 0 },
    },
    nowMs,
  );
  assert.equal(
    text,
    `Agent   homcc 2.0.0, process 42
Since   2026-11-25T12:00:00.000Z (3 min)
Socket  /run/s
Log     -

SERVER      STATE        SLOTS HELD  SERVER'S SLOTS  ROUND TRIP  EXECUTOR   VERSION
build:3126  connected    1 of 4      8               12.3 ms     namespace  homccd 2.0.0
    3.2 s  a.cpp
down:3126   unreachable  0 of 2      -               -           -          -
    connection refused
    next try in 4.0 s
new:3126    unused       0 of 2      -               -           -          -

Pool srv:_homcc._tcp.example.com: one:3126 two:3126, by DNS 12 s ago
Pool srv:_homcc._tcp.example.org: no servers known
    DNS has no such name

TOOLCHAIN                  FOR SERVER  STATE    THERE                  REMAINING
gcc 14.2.0 (0123456789ab)  build:3126  sending  25.0 MiB of 100.0 MiB  4 min
gcc 14.2.0 (0123456789ab)  down:3126   refused  -                      -
    not taken

Local slots: 1 of 2 held
    2 min  g++ -o app
Waiting: 3 for servers, 1 for local slots, 0 for discovery
Audits: 7 identical, 0 different, 1 void, 0 not possible; 2 to come
`,
  );
});

test("no agent and no servers", () => {
  const why = "No agent runs.";
  const text = renderStatus(
    {
      agent: null,
      why,
      servers: [],
      pools: [],
      toolchains: null,
      local: null,
      audits: { findings: [] },
      queues: null,
    },
    nowMs,
  );
  assert.equal(text, `${why}\n\nNo servers: write ~/.homcc/hosts or set HOMCC_HOSTS.\n`);
});
