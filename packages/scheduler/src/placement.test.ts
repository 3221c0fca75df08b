import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { type HostAddress, type HostId, hostIdOf } from "./host.ts";
import { choose, HostPool, type Placement, type Readiness, soonest } from "./placement.ts";

function host(name: string, limit: number): HostAddress {
  return { name, limit, port: 3126 };
}

function id(name: string): HostId {
  return hostIdOf(host(name, 1));
}

/** The Park-Miller generator: the same numbers on every machine. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

interface Options {
  readonly hosts: readonly HostAddress[];
  readonly dead?: Set<HostId>;
  readonly dialled?: Map<HostId, "soon" | "missed" | "late">;
  readonly random?: () => number;
}

function poolOf({ hosts, dead = new Set(), dialled = new Map(), random = seeded(1) }: Options): HostPool {
  const readiness = (hostId: HostId): Readiness =>
    dead.has(hostId) ? "none" : (dialled.get(hostId) ?? "ready");
  return new HostPool({ hosts, random, readiness });
}

function place(
  pool: HostPool,
  tried: readonly string[] = [],
  signal?: AbortSignal,
): Promise<Placement<HostAddress> | undefined> {
  const request = { tried: new Set(tried.map(id)), maxTries: 3 };
  return pool.place(signal === undefined ? request : { ...request, signal });
}

function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

test("twenty placements, pinned: whoever moves them has to say so here", async () => {
  const pool = poolOf({
    hosts: [host("small", 4), host("medium", 8), host("large", 16)],
    random: seeded(42),
  });
  const names: string[] = [];
  for (let number = 0; number < 20; number += 1) names.push((await place(pool))?.host.name ?? "nowhere");
  assert.equal(
    names.join(" "),
    "small large medium large large large large large small medium " +
      "large large medium small large large large large medium large",
  );
});

test("a job that a server has begun goes there while it has room, and elsewhere otherwise", async () => {
  const pool = poolOf({ hosts: [host("large", 100), host("begun", 2)] });
  const request = { tried: new Set<HostId>(), maxTries: 3, preferred: id("begun") };
  const placed = [await pool.place(request), await pool.place(request), await pool.place(request)];
  assert.deepEqual(
    placed.map((placement) => placement?.host.name),
    ["begun", "begun", "large"],
  );
});

test("an idle cluster is filled in proportion to the limits", () => {
  const random = seeded(7);
  const candidates = [
    { hostId: id("a"), freeSlots: 2 },
    { hostId: id("full"), freeSlots: 0 },
    { hostId: id("b"), freeSlots: 6 },
  ];
  const counts = new Map<HostId | undefined, number>();
  for (let number = 0; number < 8000; number += 1) {
    const chosen = choose(candidates, random);
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
  }
  assert.deepEqual(new Set(counts.keys()), new Set([id("a"), id("b")]));
  assert.ok(Math.abs((counts.get(id("a")) ?? 0) - 2000) < 150);
});

test("no candidate, or none with a free slot, is no choice", () => {
  assert.equal(
    choose([], () => 0.5),
    undefined,
  );
  assert.equal(
    choose([{ hostId: id("a"), freeSlots: 0 }], () => 0),
    undefined,
  );
});

test("a job is never given a server twice, nor more servers than maxTries", async () => {
  const pool = poolOf({ hosts: ["a", "b", "c", "d"].map((name) => host(name, 5)) });
  const tried = new Set<HostId>();
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const placement = await pool.place({ tried, maxTries: 3 });
    assert.ok(placement);
    assert.ok(!tried.has(placement.hostId));
    tried.add(placement.hostId);
    placement.release();
  }
  assert.equal(await pool.place({ tried, maxTries: 3 }), undefined);
  assert.equal(await place(pool, ["a", "b", "c", "d"]), undefined);
});

test("hosts with limit 0, dead ones and no hosts at all are no place", async () => {
  assert.equal(await place(poolOf({ hosts: [] })), undefined);
  assert.equal(await place(poolOf({ hosts: [host("a", 0)] })), undefined);
  assert.equal(await place(poolOf({ hosts: [host("a", 3)], dead: new Set([id("a")]) })), undefined);
});

test("when everything is full jobs wait for the first free slot, in order", async () => {
  const pool = poolOf({ hosts: [host("a", 1), host("b", 1)] });
  const held = [await place(pool), await place(pool)];
  assert.deepEqual(new Set(held.map((placement) => placement?.host.name)), new Set(["a", "b"]));
  const order: string[] = [];
  const jobs = ["first", "second", "third"].map(async (job) => {
    const placement = await place(pool);
    order.push(`${job} on ${placement?.host.name}`);
    return placement;
  });
  assert.equal(pool.waiting, 3);
  const [onA, onB] = held[0]?.host.name === "a" ? held : held.reverse();
  onB?.release();
  onB?.release();
  await jobs[0];
  onA?.release();
  await jobs[1];
  await settled();
  assert.deepEqual(order, ["first on b", "second on a"]);
  (await jobs[0])?.release();
  await jobs[2];
  assert.equal(order[2], "third on b");
});

test("an edited file in another terminal waits for one slot, not for all that a build in this one wants", async () => {
  const pool = poolOf({ hosts: [host("a", 2)] });
  const request = { tried: new Set<HostId>(), maxTries: 3 };
  const held = [await pool.place(request), await pool.place(request)];
  const order: string[] = [];
  const wait = async (name: string, party: number): Promise<void> => {
    const placement = await pool.place({ ...request, party });
    order.push(name);
    await settled();
    placement?.release();
  };
  const build = Array.from({ length: 64 }, (_, at) => wait(`build ${at}`, 1));
  const edited = wait("edited", 2);
  for (const placement of held) placement?.release();
  await Promise.all([...build, edited]);
  assert.equal(order.indexOf("edited"), 1);
  assert.deepEqual(
    order.filter((name) => name !== "edited"),
    Array.from({ length: 64 }, (_, at) => `build ${at}`),
  );
});

test("a waiter that has tried the free server does not hold up the next", async () => {
  const pool = poolOf({ hosts: [host("a", 1), host("b", 1)] });
  const [first, second] = [await place(pool, ["b"]), await place(pool, ["a"])];
  const picky = place(pool, ["a"]);
  const easy = place(pool);
  first?.release();
  assert.equal((await easy)?.host.name, "a");
  assert.equal(pool.waiting, 1);
  second?.release();
  assert.equal((await picky)?.host.name, "b");
});

test("an abort ends the wait and leaks nothing", async () => {
  const pool = poolOf({ hosts: [host("a", 1)] });
  const held = await place(pool);
  const abort = new AbortController();
  const waiting = place(pool, [], abort.signal);
  abort.abort(new Error("gone"));
  await assert.rejects(waiting, /gone/);
  await assert.rejects(place(pool, [], abort.signal), /gone/);
  held?.release();
  assert.deepEqual([pool.waiting, pool.heldOn(id("a"))], [0, 0]);
});

test("waiters learn at once when the last server they could use dies, and when one is back", async () => {
  const dead = new Set<HostId>([id("b")]);
  const pool = poolOf({ hosts: [host("a", 1), host("b", 1)], dead });
  const held = await place(pool);
  assert.equal(held?.host.name, "a");
  const [first, second] = [place(pool), place(pool)];
  dead.delete(id("b"));
  pool.healthChanged();
  assert.equal((await first)?.host.name, "b");
  dead.add(id("a")).add(id("b"));
  pool.healthChanged();
  assert.equal(await second, undefined);
});

test("a job goes where a connection is, and waits for a dial only when there is none", async () => {
  const dialled = new Map<HostId, "soon" | "late">([
    [id("a"), "soon"],
    [id("c"), "late"],
  ]);
  const pool = poolOf({ hosts: [host("a", 64), host("b", 1), host("c", 64)], dialled });
  assert.equal((await place(pool))?.host.name, "b");
  const waiting = place(pool);
  assert.equal(pool.waiting, 1, "b is full, a is on its way");
  dialled.delete(id("a"));
  pool.healthChanged();
  assert.equal((await waiting)?.host.name, "a");
});

test("a missed server is waited for like one that is dialled, and told of where there is no other", async () => {
  const dialled = new Map<HostId, "soon" | "missed" | "late">([
    [id("a"), "missed"],
    [id("b"), "soon"],
  ]);
  const pool = poolOf({ hosts: [host("a", 1), host("b", 1)], dialled });
  const tried = new Set<HostId>();
  const waiting = pool.place({ tried, maxTries: 1 });
  assert.deepEqual(pool.missedFor({ tried }), [], "b may be here at once");
  assert.deepEqual(pool.missedFor({ tried: new Set([id("b")]) }), [id("a")]);
  assert.deepEqual(pool.missedFor({ tried, unfit: new Set([id("b")]) }), [id("a")]);
  dialled.set(id("b"), "late");
  assert.deepEqual(pool.missedFor({ tried }), [id("a")]);
  assert.deepEqual(pool.missedFor({ tried: new Set([id("a"), id("b")]) }), [], "it waits for nobody");
  pool.healthChanged();
  assert.equal(pool.waiting, 1);
  dialled.delete(id("a"));
  pool.healthChanged();
  assert.equal((await waiting)?.host.name, "a");
});

test("a dial that has become late is waited for by those who have no other place", async () => {
  const dialled = new Map<HostId, "soon" | "late">([[id("a"), "soon"]]);
  const pool = poolOf({ hosts: [host("a", 1)], dialled });
  const request = { tried: new Set<HostId>(), maxTries: 1 };
  const ordinary = pool.place(request);
  const patient = pool.place({ ...request, patient: true });
  dialled.set(id("a"), "late");
  pool.healthChanged();
  assert.equal(await ordinary, undefined);
  assert.deepEqual(
    [pool.hasPlaceFor(request), pool.hasPlaceFor({ ...request, patient: true })],
    [false, true],
  );
  assert.equal(pool.waiting, 1);
  dialled.clear();
  pool.healthChanged();
  assert.equal((await patient)?.host.name, "a");
});

test("a changed hosts file applies at once, to slots and to waiters", async () => {
  const pool = poolOf({ hosts: [host("a", 1), host("b", 1)] });
  const held = [await place(pool), await place(pool)];
  const waiting = place(pool);
  pool.setHosts([host("a", 2), host("c", 0)]);
  assert.equal((await waiting)?.host.name, "a");
  assert.equal(pool.heldOn(id("b")), 1);
  for (const placement of held) placement?.release();
  pool.setHosts([host("b", 3)]);
  assert.equal(pool.heldOn(id("b")), 0);
  assert.equal((await place(pool))?.host.name, "b");
});

test("names differ by port, not by the case of letters", () => {
  assert.equal(
    hostIdOf({ name: "Build1", port: 1, limit: 1 }),
    hostIdOf({ name: "build1", port: 1, limit: 9 }),
  );
  assert.notEqual(hostIdOf({ name: "a", port: 1, limit: 1 }), hostIdOf({ name: "a", port: 2, limit: 1 }));
  assert.equal(hostIdOf({ name: "::1", port: 3126, limit: 1 }), "[::1]:3126");
});

const limits = fc.array(fc.nat(3), { minLength: 1, maxLength: 4 });
const operation = fc.tuple(
  fc.constantFrom("place", "place", "release", "abort", "kill", "revive" as const),
  fc.nat(),
);

test("property: limits hold, nobody waits beside a free slot, nothing leaks", async () => {
  await fc.assert(
    fc.asyncProperty(
      limits,
      fc.array(operation, { maxLength: 50 }),
      fc.integer({ min: 1 }),
      async (limits, operations, seed) => {
        const hosts = limits.map((limit, number) => host(`h${number}`, limit));
        const dead = new Set<HostId>();
        const gone = new Error("gone");
        const failures: unknown[] = [];
        const pool = poolOf({ hosts, dead, random: seeded(seed) });
        const held: Placement<HostAddress>[] = [];
        let waiting: { readonly tried: Set<HostId>; readonly abort: AbortController }[] = [];
        const hostAt = (which: number): HostId => hostIdOf(hosts[which % hosts.length] ?? host("none", 0));
        for (const [kind, which] of operations) {
          if (kind === "place") {
            const waiter = { tried: new Set([hostAt(which)]), abort: new AbortController() };
            waiting.push(waiter);
            const placed = async (): Promise<void> => {
              const placement = await pool.place({
                tried: waiter.tried,
                maxTries: 2,
                signal: waiter.abort.signal,
              });
              waiting = waiting.filter((other) => other !== waiter);
              if (placement === undefined) return;
              assert.ok(!waiter.tried.has(placement.hostId) && !dead.has(placement.hostId));
              held.push(placement);
            };
            placed().catch((error: unknown) => error === gone || failures.push(error));
          } else if (kind === "release" && held.length > 0) {
            held.splice(which % held.length, 1)[0]?.release();
          } else if (kind === "abort" && waiting.length > 0) {
            const waiter = waiting[which % waiting.length];
            waiting = waiting.filter((other) => other !== waiter);
            waiter?.abort.abort(gone);
          } else if (kind === "kill" || kind === "revive") {
            if (kind === "kill") dead.add(hostAt(which));
            else dead.delete(hostAt(which));
            pool.healthChanged();
          }
          await settled();
          assert.deepEqual(failures, []);
          assert.equal(pool.waiting, waiting.length);
          for (const address of hosts) {
            const hostId = hostIdOf(address);
            const count = held.filter((placement) => placement.hostId === hostId).length;
            assert.equal(pool.heldOn(hostId), count);
            assert.ok(count <= address.limit);
            const suited = waiting.some(({ tried }) => !tried.has(hostId));
            assert.ok(!suited || dead.has(hostId) || count === address.limit, "waits beside a free slot");
          }
        }
      },
    ),
  );
});

describe("free slots decide among servers that are as good as the best", () => {
  // Of each server: its free slots, and when it would have the result.
  const rows: readonly [string, readonly (readonly [number, number | undefined])[], readonly number[]][] = [
    [
      "nothing is known",
      [
        [1, undefined],
        [2, undefined],
      ],
      [0, 1],
    ],
    [
      "a tenth and a bit more is as good",
      [
        [1, 1_000],
        [1, 1_119],
        [1, 1_121],
      ],
      [0, 1],
    ],
    [
      "an unknown one is as good as any",
      [
        [1, 5_000],
        [1, undefined],
        [1, 1_000],
      ],
      [1, 2],
    ],
    [
      "a full one is not waited for because of a second",
      [
        [0, 100],
        [1, 1_100],
      ],
      [1],
    ],
    [
      "… nor because of 10 s of 30 s",
      [
        [0, 20_000],
        [1, 30_000],
      ],
      [1],
    ],
    [
      "… but when the free ones are much later",
      [
        [0, 1_000],
        [1, 3_100],
        [1, 9_000],
      ],
      [],
    ],
    [
      "… unless one of them is unknown",
      [
        [0, 1_000],
        [1, 3_100],
        [1, undefined],
      ],
      [1, 2],
    ],
    [
      "… and not for one that is unknown",
      [
        [0, undefined],
        [1, 9_000],
      ],
      [1],
    ],
    [
      "all are full",
      [
        [0, 1_000],
        [0, undefined],
      ],
      [],
    ],
  ];
  for (const [name, servers, good] of rows)
    test(name, () => {
      const ids = servers.map((_, n) => id(`s${n}`));
      const candidates = servers.map(([freeSlots], n) => ({ hostId: id(`s${n}`), freeSlots }));
      const chosen = soonest(candidates, (hostId) => servers[ids.indexOf(hostId)]?.[1]);
      assert.deepEqual(
        chosen.map(({ hostId }) => ids.indexOf(hostId)),
        good,
      );
    });
});

test("a server that is unfit for a job is not given to it, is no try of it, and is not waited for", async () => {
  const pool = poolOf({ hosts: [host("unfit", 1), host("fit", 1)] });
  const request = { tried: new Set<HostId>(), maxTries: 1, unfit: new Set([id("unfit")]) };
  const first = await pool.place(request);
  assert.equal(first?.hostId, id("fit"));
  const second = pool.place(request);
  using _other = await pool.place({ tried: new Set<HostId>(), maxTries: 1 });
  first.release();
  assert.equal((await second)?.hostId, id("fit"));
  assert.equal(await pool.place({ ...request, unfit: new Set([id("unfit"), id("fit")]) }), undefined);
});
