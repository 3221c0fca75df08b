/** Which of the servers that DNS names gets a job: priorities and weights of RFC 2782. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type HostAddress, type HostId, hostIdOf } from "./host.ts";
import { HostPool, type Placement, type Readiness } from "./placement.ts";

function member(name: string, priority: number, weight = 0, limit = 2): HostAddress {
  return { name, port: 3126, limit, pool: { name: "pool", priority, weight } };
}

interface Cluster {
  readonly pool: HostPool;
  readonly states: Map<string, Readiness>;
  readonly place: (tried?: readonly string[]) => Promise<Placement<HostAddress> | undefined>;
}

function clusterOf(hosts: readonly HostAddress[]): Cluster {
  const states = new Map<string, Readiness>();
  const pool = new HostPool({ hosts, readiness: (id) => states.get(id.split(":")[0] ?? "") ?? "ready" });
  const idOf = (name: string): HostId => hostIdOf({ name, port: 3126, limit: 1 });
  return {
    pool,
    states,
    place: (tried = []) => pool.place({ tried: new Set(tried.map(idOf)), maxTries: 9 }),
  };
}

test("jobs wait for the servers with the best priority while one of them can be reached", async () => {
  const { pool, states, place } = clusterOf([member("a", 1, 0, 1), member("b", 1, 0, 1), member("z", 9)]);
  const first = [await place(), await place()];
  assert.deepEqual(first.map((placed) => placed?.host.name ?? "").toSorted(), ["a", "b"]);
  const third = place();
  assert.equal(pool.waiting, 1);
  first[0]?.release();
  assert.equal((await third)?.host.name, first[0]?.host.name);
  const fourth = place();
  for (const name of ["a", "b"]) states.set(name, "none");
  pool.healthChanged();
  assert.equal((await fourth)?.host.name, "z");
});

test("one that is being dialled is waited for, one that a job has tried is not", async () => {
  const { pool, states, place } = clusterOf([member("a", 1), member("z", 9)]);
  states.set("a", "soon");
  const waiting = place();
  assert.equal(pool.waiting, 1);
  assert.equal((await place(["a"]))?.host.name, "z");
  states.set("a", "ready");
  pool.healthChanged();
  assert.equal((await waiting)?.host.name, "a");
});

test("a slot that becomes free in the second group goes to nobody whom the first can serve", async () => {
  const { pool, states, place } = clusterOf([member("a", 1, 0, 1), member("z", 9, 0, 1)]);
  states.set("a", "none");
  const backup = await place();
  assert.equal(backup?.host.name, "z");
  states.set("a", "ready");
  const best = await place();
  assert.equal(best?.host.name, "a");
  const next = place();
  backup?.release();
  assert.equal(pool.waiting, 1);
  best?.release();
  assert.equal((await next)?.host.name, "a");
});

test("hosts with lines of their own and other pools are no matter of priorities", async () => {
  const other: HostAddress = {
    name: "o",
    port: 3126,
    limit: 1,
    pool: { name: "other", priority: 50, weight: 0 },
  };
  const alone: HostAddress = { name: "h", port: 3126, limit: 1 };
  const { place } = clusterOf([member("a", 1, 0, 1), other, alone]);
  const names = [await place(), await place(), await place()].map((placed) => placed?.host.name ?? "");
  assert.deepEqual(names.toSorted(), ["a", "h", "o"]);
});

test("weights are shares of what is free, and one without weight gets hardly anything", async () => {
  const { place } = clusterOf([member("a", 1, 30, 1), member("b", 1, 10, 1), member("c", 1, 0, 1)]);
  const counts = new Map<string, number>();
  for (let n = 0; n < 4000; n++) {
    const placed = await place();
    const name = placed?.host.name ?? "";
    counts.set(name, (counts.get(name) ?? 0) + 1);
    placed?.release();
  }
  const [a = 0, b = 0, c = 0] = ["a", "b", "c"].map((name) => counts.get(name));
  assert(a / b > 2.4 && a / b < 3.6, `${a} ${b}`);
  assert(c < 150, `${c}`);
});

test("whatever the priorities and weights, every slot of the best group is used and no other", async () => {
  const members = fc.uniqueArray(
    fc.record({
      name: fc.integer({ min: 0, max: 9 }),
      priority: fc.integer({ min: 0, max: 2 }),
      weight: fc.integer({ min: 0, max: 65_535 }),
    }),
    { selector: ({ name }) => name, minLength: 1 },
  );
  await fc.assert(
    fc.asyncProperty(members, async (drawn) => {
      const hosts = drawn.map(({ name, priority, weight }) => member(`h${name}`, priority, weight, 2));
      const best = Math.min(...drawn.map(({ priority }) => priority));
      const group = drawn.filter(({ priority }) => priority === best);
      const { pool, place } = clusterOf(hosts);
      for (let n = 0; n < group.length * 2; n++) assert.equal((await place())?.host.pool?.priority, best);
      const stop = new AbortController();
      const late = pool.place({ tried: new Set(), maxTries: 9, signal: stop.signal });
      assert.equal(pool.waiting, 1);
      stop.abort(new Error("enough"));
      await assert.rejects(late, /enough/);
    }),
    { numRuns: 50 },
  );
});
