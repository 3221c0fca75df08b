import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type LoadedSettings, loadSettings } from "@homcc/config/load";
import { silentLogger } from "@homcc/observability/log";
import { recordMalformedInput } from "../../../../../test/support/reliability.ts";
import { ManualTime } from "../manual-time.fixture.ts";
import { scratchFolder } from "../scratch-folder.fixture.ts";
import { ServerPools } from "./server-pools.ts";
import type { PoolMember } from "./srv-lookup.ts";

const one: PoolMember = { name: "one", port: 1, priority: 10, weight: 5 };
const two: PoolMember = { name: "two", port: 2, priority: 5, weight: 0 };

type Answer = readonly PoolMember[] | Error;

interface Room {
  readonly time: ManualTime;
  readonly path: string;
  /** Of lookups that are under way, the oldest first. */
  readonly asked: { readonly name: string; answer(answer: Answer): Promise<void> }[];
  readonly open: () => ServerPools;
  readonly load: (hosts: string) => Promise<LoadedSettings>;
}

async function withRoom(body: (room: Room) => Promise<void>): Promise<void> {
  await using scratch = await scratchFolder();
  const time = new ManualTime();
  const path = join(scratch.path, "agent", "pools.json");
  const asked: Room["asked"] = [];
  const lookup = (name: string): Promise<readonly PoolMember[]> =>
    new Promise((resolve, reject) => {
      const settle = async (answer: Answer): Promise<void> => {
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
        await new Promise(setImmediate);
      };
      asked.push({ name, answer: settle });
    });
  await body({
    time,
    path,
    asked,
    open: () =>
      new ServerPools({ path, logger: silentLogger, lookup, clock: time.clock, timers: time.timers }),
    load: (hosts) =>
      loadSettings({
        environment: { HOMCC_HOSTS: hosts, HOMCC_DIR: scratch.path },
        systemFolder: "/nonexistent",
      }),
  });
}

function namesOf({ hosts }: Pick<LoadedSettings, "hosts">): string[] {
  return hosts.map(({ name, port, limit }) => `${name}:${port}/${limit}`);
}

function noSuchName(): Error {
  return Object.assign(new Error("querySrv ENOTFOUND"), { code: "ENOTFOUND" });
}

test("a list without pools is given back as it is", () =>
  withRoom(async ({ open, load, asked }) => {
    const loaded = await load("a/3");
    assert.equal(await open().resolve(loaded), loaded);
    assert.equal(asked.length, 0);
  }));

test("the first job of a pool waits for the answer, the next ones do not, and an old one is asked for anew", () =>
  withRoom(async ({ open, load, asked, time }) => {
    const pools = open();
    const loaded = await load("h srv:pool/3");
    const first = pools.resolve(loaded);
    await asked[0]?.answer([one, two]);
    assert.deepEqual(namesOf(await first), ["h:3126/2", "two:2/3", "one:1/3"]);
    await pools.resolve(loaded);
    assert.equal(asked.length, 1);
    time.pass(30_000);
    assert.deepEqual(namesOf(await pools.resolve(loaded)), ["h:3126/2", "two:2/3", "one:1/3"]);
    assert.equal(asked.length, 2);
    await pools.resolve(loaded);
    assert.equal(asked.length, 2);
    let changes = 0;
    pools.onChange(() => (changes += 1));
    await asked[1]?.answer([two]);
    assert.deepEqual([namesOf(await pools.resolve(loaded)), changes], [["h:3126/2", "two:2/3"], 1]);
    assert.equal(time.pending, 0);
  }));

test("where nobody answers the first jobs wait a moment together, and later ones not at all", () =>
  withRoom(async ({ open, load, asked, time }) => {
    const pools = open();
    const loaded = await load("srv:pool");
    const jobs = [pools.resolve(loaded), pools.resolve(loaded)];
    time.pass(700);
    for (const job of jobs) assert.deepEqual(namesOf(await job), []);
    assert.deepEqual(namesOf(await pools.resolve(loaded)), []);
    assert.equal(asked.length, 1);
    assert.equal(time.pending, 0);
    assert.match(
      pools.describe({ name: "pool", text: "srv:pool", limit: 2, compression: undefined, source: "" }),
      /no answer yet/,
    );
  }));

test("a lookup that fails changes nothing, and is tried again five seconds later", () =>
  withRoom(async ({ open, load, asked, time }) => {
    const pools = open();
    const loaded = await load("srv:pool");
    const first = pools.resolve(loaded);
    await asked[0]?.answer([one]);
    await first;
    time.pass(30_000);
    await pools.resolve(loaded);
    await asked[1]?.answer(noSuchName());
    assert.deepEqual(namesOf(await pools.resolve(loaded)), ["one:1/2"]);
    assert.deepEqual(
      pools.status().map(({ members, problem }) => [members, problem]),
      [[["one:1"], "DNS has no such name"]],
    );
    time.pass(4_999);
    await pools.resolve(loaded);
    assert.equal(asked.length, 2);
    time.pass(1);
    await pools.resolve(loaded);
    await asked[2]?.answer([]);
    assert.deepEqual(namesOf(await pools.resolve(loaded)), []);
    assert.equal(pools.status()[0]?.problem, undefined);
  }));

test("the next agent begins with the last answer, and waits for nobody", () =>
  withRoom(async ({ open, load, asked, path }) => {
    const loaded = await load("srv:pool");
    const first = open().resolve(loaded);
    await asked[0]?.answer([one]);
    await first;
    assert.deepEqual(namesOf(await open().resolve(loaded)), ["one:1/2"]);
    for (const text of ["", "{", "[]", '{"pool":1}', '{"pool":{"atMs":1,"members":[{"name":1}]}}']) {
      await writeFile(path, text);
      const pools = open();
      const resolving = pools.resolve(loaded);
      await asked.at(-1)?.answer(noSuchName());
      assert.deepEqual(namesOf(await resolving), [], text);
    }
    recordMalformedInput("the file of pools that DNS named", { tried: 5, crashes: 0 });
  }));

test("the file keeps the pools of others, and a bounded number of them", () =>
  withRoom(async ({ open, load, asked, path, time }) => {
    for (let n = 0; n < 40; n++) {
      time.pass(1000);
      const resolving = open().resolve(await load(`srv:pool${n}`));
      await asked.at(-1)?.answer([one]);
      await resolving;
    }
    const kept: Readonly<Record<string, unknown>> = JSON.parse(await readFile(path, "utf8"));
    assert.equal(Object.keys(kept).length, 32);
    assert(kept["pool39"] !== undefined && kept["pool0"] === undefined);
  }));

test("a folder that takes no file costs the answer only after the agent", () =>
  withRoom(async ({ open, load, asked, path }) => {
    await writeFile(join(path, ".."), "");
    const pools = open();
    const resolving = pools.resolve(await load("srv:pool"));
    await asked[0]?.answer([one]);
    assert.deepEqual(namesOf(await resolving), ["one:1/2"]);
  }));

test("a line of a server's own beats the pool's, unless only the pool demands a key", () =>
  withRoom(async ({ open, load, asked }) => {
    const key = "a".repeat(43);
    for (const [hosts, limit, isKeyed] of [
      ["one:1/7 srv:pool/3", 7, false],
      [`one:1/7 srv:pool/3,key=${key}`, 3, true],
      [`ONE:1/7,key=${key} srv:pool/3`, 7, true],
    ] as const) {
      const pools = open();
      const resolving = pools.resolveNow(await load(hosts));
      await asked.at(-1)?.answer([one]);
      const resolved = await resolving;
      assert.deepEqual(
        resolved.hosts.map((host) => [host.limit, host.tls !== undefined]),
        [[limit, isKeyed]],
        hosts,
      );
    }
  }));
