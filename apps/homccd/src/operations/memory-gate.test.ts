import assert from "node:assert/strict";
import { test } from "node:test";
import { SlotQueue } from "@homcc/scheduler/slots";
import { MemoryGate } from "./memory-gate.ts";
import { type MemoryReading, readMemory } from "./memory-reading.ts";

/** A gate before four slots, with memory and time that the test makes. */
function gated(minFreeBytes = 1000) {
  const world = {
    nowMs: 0,
    readings: 0,
    shut: [] as string[],
    memory: { availableBytes: 5000, stalledPercent: 0 } as MemoryReading,
  };
  const due = new Set<{ readonly atMs: number; readonly run: () => void }>();
  const gate: MemoryGate = new MemoryGate({
    read: () => {
      world.readings += 1;
      return world.memory;
    },
    minFreeBytes: () => minFreeBytes,
    clock: { wallMs: () => 0, monotonicMs: () => world.nowMs },
    timers: {
      after: (delayMs, run) => {
        const timer = { atMs: world.nowMs + delayMs, run };
        due.add(timer);
        return () => void due.delete(timer);
      },
    },
    onShut: (why) => world.shut.push(why),
    onLook: () => slots.lookAgain(),
    onLongShut: (reason) => slots.refuseWaiting(reason),
  });
  const slots = new SlotQueue(4, (running) => gate.admits(running));
  const advance = async (byMs: number): Promise<void> => {
    for (const untilMs = world.nowMs + byMs; world.nowMs < untilMs;) {
      world.nowMs += 250;
      for (const timer of due) {
        if (timer.atMs > world.nowMs) continue;
        due.delete(timer);
        timer.run();
      }
      await new Promise(setImmediate);
    }
  };
  return { world, slots, gate, advance, timers: () => due.size };
}

test("short of memory: what runs goes on, one always may, the others wait until there is some", async () => {
  const { world, slots, advance, timers } = gated();
  world.memory = { availableBytes: 999, stalledPercent: 0 };
  const first = await slots.acquire();
  const second = slots.acquire();
  await advance(1000);
  assert.deepEqual([slots.held, slots.waiting], [1, 1]);
  world.memory = { availableBytes: 1000, stalledPercent: 0 };
  await advance(250);
  const slot = await second;
  assert.equal(slots.held, 2);
  await advance(500);
  assert.equal(timers(), 0, "nobody waits: no timer");
  assert.equal(world.shut.length, 1, "said once");
  first.release();
  slot.release();
});

test("who waits for long is refused with the numbers, and so is who comes later; 0 looks at slots alone", async () => {
  const { world, slots, advance } = gated();
  world.memory = { availableBytes: 100 * 2 ** 20, stalledPercent: 30 };
  const { slots: free } = gated(0);
  const first = await slots.acquire();
  const stalled = assert.rejects(slots.acquire(), /30 % of the last ten seconds/);
  await advance(9_750);
  assert.equal(slots.waiting, 1, "not before");
  await advance(500);
  await stalled;
  world.memory = { availableBytes: 0, stalledPercent: 0 };
  const late = assert.rejects(slots.acquire(), /short of memory: 0 MiB available, min_free_memory/);
  await advance(500);
  await late;
  first.release();
  for (let job = 0; job < 4; job += 1) assert.ok(free.tryAcquire());
});

test("a hundred jobs at once cost one reading", () => {
  const { world, gate } = gated();
  for (let job = 1; job <= 100; job += 1) assert.ok(gate.admits(job));
  assert.equal(world.readings, 1);
});

const version2 = {
  "/proc/meminfo": "MemTotal:  100 kB\nMemFree: 3 kB\nMemAvailable:    2000 kB\n",
  "/proc/self/cgroup": "0::/system.slice/homccd.service\n",
  "/sys/fs/cgroup/system.slice/homccd.service/memory.max": "max\n",
  "/sys/fs/cgroup/system.slice/homccd.service/memory.current": "1000000\n",
  "/sys/fs/cgroup/system.slice/memory.max": "1000000\n",
  "/sys/fs/cgroup/system.slice/memory.current": "900000\n",
  "/sys/fs/cgroup/system.slice/memory.stat":
    "anon 5\ninactive_file 20000\nactive_file 25000\nslab_reclaimable 5000\n",
  "/proc/pressure/memory":
    "some avg10=9.00 avg60=0 avg300=0 total=1\nfull avg10=1.25 avg60=0.00 avg300=0.00 total=0\n",
  "/sys/fs/cgroup/system.slice/homccd.service/memory.pressure": "full avg10=33.00 avg60=0 avg300=0 total=0\n",
};

const readings: readonly [string, Readonly<Record<string, string>>, MemoryReading][] = [
  ["groups of version 2", version2, { availableBytes: 150_000, stalledPercent: 33 }],
  [
    "a group of version 2 that is stopped before its limit",
    {
      "/proc/self/cgroup": "0::/a\n",
      "/sys/fs/cgroup/a/memory.max": "9000\n",
      "/sys/fs/cgroup/a/memory.high": "7000\n",
      "/sys/fs/cgroup/a/memory.current": "4000\n",
    },
    { availableBytes: 3000, stalledPercent: 0 },
  ],
  [
    "groups of version 1, the one above with a limit: its own figures are without those below",
    {
      "/proc/meminfo": "MemAvailable: 1 kB\n",
      "/proc/self/cgroup": "9:name=systemd:/a\n4:cpu,memory:/a/b\n0::/\n",
      "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "9223372036854771712\n",
      "/sys/fs/cgroup/memory/a/b/memory.usage_in_bytes": "7\n",
      "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "700\n",
      "/sys/fs/cgroup/memory/a/memory.usage_in_bytes": "690\n",
      "/sys/fs/cgroup/memory/a/memory.stat":
        "inactive_file 1\nactive_file 2\nhierarchical_memory_limit 700\ntotal_inactive_file 10\ntotal_active_file 300\n",
    },
    { availableBytes: 320, stalledPercent: 0 },
  ],
  [
    "a container whose group of version 1 is mounted where the root was, and is used up",
    {
      "/proc/self/cgroup": "4:memory:/docker/0123\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "500\n",
      "/sys/fs/cgroup/memory/memory.usage_in_bytes": "700\n",
    },
    { availableBytes: 0, stalledPercent: 0 },
  ],
  [
    "both versions: memory is in groups of the first, pressure in those of the second",
    {
      "/proc/self/cgroup": "4:memory:/\n0::/system.slice/homccd.service\n",
      "/sys/fs/cgroup/unified/system.slice/homccd.service/memory.pressure":
        "some avg10=50.00 avg60=0 avg300=0 total=9\nfull avg10=40.50 avg60=0 avg300=0 total=9\n",
    },
    { availableBytes: undefined, stalledPercent: 40.5 },
  ],
  ["a system that says nothing", {}, { availableBytes: undefined, stalledPercent: 0 }],
  [
    "nonsense",
    { "/proc/meminfo": "x", "/proc/self/cgroup": "::\n\n1" },
    { availableBytes: undefined, stalledPercent: 0 },
  ],
];

for (const [what, files, expected] of readings) {
  test(`memory that is left: ${what}`, () =>
    assert.deepEqual(
      readMemory((path) => files[path]),
      expected,
    ));
}

test("memory that is left here", () => {
  const { availableBytes = 0, stalledPercent } = readMemory();
  assert.ok(availableBytes > 2 ** 20, String(availableBytes));
  assert.ok(stalledPercent <= 100);
});
