import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import type { Toolchain } from "@homcc/compiler/toolchain";
import { HomccError } from "@homcc/observability/error";
import { silentLogger } from "@homcc/observability/log";
import { type HostId, hostIdOf } from "@homcc/scheduler/host";
import { notThere } from "./not-there.ts";
import { type Patience, type ShippingLink, ToolchainShipments } from "./toolchain-shipments.ts";
import { ToolchainRefused, type UploadWatch } from "./toolchain-upload.ts";

const content = Buffer.alloc(1000);
const toolchain: Toolchain = {
  family: "gcc",
  version: "gcc 15",
  driver: "/usr/bin/gcc-15",
  digest: digestOf(Buffer.from("manifest")),
  entries: [{ kind: "file", path: "/usr/bin/gcc-15", digest: digestOf(content), executable: true }],
};
const identities = { client: { version: "gcc 15" }, server: { version: "gcc 12" } };
const host = (name: string): HostId => hostIdOf({ name, port: 3126, limit: 1 });
const lost = new HomccError("ERR_HOMCC_CONNECTION_LOST", "cut");

interface Upload {
  readonly watch: UploadWatch;
  readonly signal: AbortSignal;
  readonly end: PromiseWithResolvers<void>;
}

class Site {
  nowMs = 0;
  busy = 0;
  readonly uploads = new Map<HostId, Upload[]>();
  readonly links: PromiseWithResolvers<ShippingLink | undefined>[] = [];
  readonly shipments = new ToolchainShipments({
    clock: { monotonicMs: () => this.nowMs, wallMs: () => this.nowMs },
    logger: silentLogger,
    busy: () => {
      this.busy += 1;
      return { [Symbol.dispose]: () => (this.busy -= 1) };
    },
    linkTo: () => {
      const link = Promise.withResolvers<ShippingLink | undefined>();
      this.links.push(link);
      return link.promise;
    },
    quickMs: 1,
  });

  link(name: string): ShippingLink {
    const hostId = host(name);
    return {
      hostId,
      upload: (_toolchain, watch, signal) => {
        const end = Promise.withResolvers<void>();
        this.uploads.set(hostId, [...(this.uploads.get(hostId) ?? []), { watch, signal, end }]);
        return end.promise;
      },
    };
  }

  last(name: string): Upload {
    const upload = this.uploads.get(host(name))?.at(-1);
    assert.ok(upload, `no upload to ${name}`);
    return upload;
  }
}

const patience = (onProgress: () => void = () => {}): Patience => ({
  signal: new AbortController().signal,
  onProgress,
});

/** Promises that are settled have been acted on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("one upload for all jobs, who go elsewhere meanwhile; then nothing is known against the server", async () => {
  const site = new Site();
  const { shipments } = site;
  const link = site.link("a");
  const standings = await Promise.all([1, 2, 3].map(() => shipments.offer(link, toolchain, identities)));
  for (const { kind } of standings) assert.equal(kind, "under-way");
  assert.equal(site.uploads.get(host("a"))?.length, 1);
  assert.equal(site.busy, 1);
  assert.deepEqual(shipments.lacking(toolchain.digest), new Set([host("a")]));
  let moves = 0;
  const patient = shipments.offer(
    link,
    toolchain,
    identities,
    patience(() => (moves += 1)),
  );
  const { watch, signal, end } = site.last("a");
  using _turn = await watch.turn(signal);
  watch.planned(600);
  site.nowMs = 100;
  watch.present(100);
  watch.stored(200);
  assert.equal(moves, 1, "its time limit begins anew");
  const [line] = shipments.status();
  assert.deepEqual(
    [line?.state, line?.thereBytes, line?.sizeBytes, line?.remainingMs],
    ["sending", 700, 1000, 150],
  );
  const standing = shipments.standing(host("a"), toolchain.digest);
  assert.ok(standing?.kind === "under-way");
  assert.equal(notThere(standing).outcome, "toolchain-under-way");
  end.resolve();
  assert.deepEqual(await patient, { kind: "ready" });
  assert.equal(shipments.standing(host("a"), toolchain.digest), undefined);
  assert.deepEqual([shipments.status(), shipments.lacking(toolchain.digest), site.busy], [[], new Set(), 0]);
});

test("a server that has it at once costs nobody a detour", async () => {
  const site = new Site();
  const offered = site.shipments.offer(site.link("a"), toolchain, identities, patience());
  site.last("a").end.resolve();
  assert.deepEqual(await offered, { kind: "ready" });
});

test("a connection that is cut is waited for, and the agent stays; a server that does not come back is given up", async () => {
  const site = new Site();
  await site.shipments.offer(site.link("a"), toolchain, identities);
  site.last("a").end.reject(lost);
  await settle();
  assert.deepEqual([site.busy, site.shipments.status()[0]?.state], [1, "interrupted"]);
  site.links[0]?.resolve(site.link("a"));
  await settle();
  assert.equal(site.uploads.get(host("a"))?.length, 2);
  site.last("a").end.reject(lost);
  await settle();
  site.links[1]?.resolve(undefined);
  await settle();
  assert.deepEqual([site.busy, site.shipments.status()], [0, []]);
  assert.equal(site.shipments.standing(host("a"), toolchain.digest), undefined, "the next job asks");
});

test("files go to one server at a time", async () => {
  const site = new Site();
  await site.shipments.offer(site.link("a"), toolchain, identities);
  await site.shipments.offer(site.link("b"), toolchain, identities);
  const [a, b] = [site.last("a"), site.last("b")];
  const first = await a.watch.turn(a.signal);
  let hasTurn = false;
  const second = b.watch.turn(b.signal).then((turn) => {
    hasTurn = true;
    return turn;
  });
  await settle();
  assert.equal(hasTurn, false);
  assert.deepEqual(
    site.shipments.status().map(({ state }) => state),
    ["sending", "waiting"],
  );
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
});

test("a refusal is the same for all jobs, with both identities, until the server is another", async () => {
  const site = new Site();
  const offered = site.shipments.offer(site.link("a"), toolchain, identities, patience());
  const refused = { kind: "refused", reason: "toolchain-differs", message: "no", hint: "ask" } as const;
  site.last("a").end.reject(new ToolchainRefused(refused));
  const standing = await offered;
  assert.ok(standing.kind === "refused");
  const error = notThere(standing);
  assert.deepEqual([error.outcome, error.message], ["toolchain-differs", "no; here gcc 15, there gcc 12"]);
  assert.deepEqual(site.shipments.standing(host("a"), toolchain.digest), standing);
  assert.equal(site.shipments.status()[0]?.state, "refused");
  site.shipments.connectionEnded(host("a"));
  assert.equal(site.shipments.standing(host("a"), toolchain.digest), undefined);
});

test("what failed is tried again some day, a compiler that was replaced at once", async () => {
  const site = new Site();
  const failing = site.shipments.offer(site.link("a"), toolchain, identities, patience());
  site.last("a").end.reject(new HomccError("ERR_HOMCC_STORE_FULL", "full"));
  assert.equal((await failing).kind, "refused");
  site.nowMs += 599_000;
  assert.equal(site.shipments.standing(host("a"), toolchain.digest)?.kind, "refused");
  site.nowMs += 1_000;
  assert.equal(site.shipments.standing(host("a"), toolchain.digest), undefined);
  await site.shipments.offer(site.link("a"), toolchain, identities);
  site.last("a").end.reject(new HomccError("ERR_HOMCC_INPUT_CHANGED", "changed"));
  await settle();
  assert.equal(site.shipments.standing(host("a"), toolchain.digest), undefined);
});

test("it ends with the agent", async () => {
  const site = new Site();
  await site.shipments.offer(site.link("a"), toolchain, identities);
  const { signal, end } = site.last("a");
  site.shipments.close();
  assert.equal(signal.aborted, true);
  end.reject(signal.reason);
  await settle();
  assert.equal(site.busy, 0);
});
