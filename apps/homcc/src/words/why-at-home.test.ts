import assert from "node:assert/strict";
import { test } from "node:test";
import { hostIdOf } from "@homcc/scheduler/host";
import { whyAtHome } from "./why-at-home.ts";

const hostId = hostIdOf({ name: "office", port: 3126, limit: 4 });

test("a job that is done sooner here says by which figures", () => {
  const link = (up: number | undefined, down: number | undefined): string =>
    whyAtHome(
      { kind: "local", why: "servers-are-slower", homeMs: 1234, remoteMs: 20_000, hostId },
      { link: () => ({ uploadBytesPerSecond: up, downloadBytesPerSecond: down }) },
    ).detail;
  assert.equal(link(62_500, 2e6), "office:3126 (0.5 Mbit/s up, 16 Mbit/s down): 1.2 s here, 20.0 s there");
  assert.equal(link(62_500, undefined), "office:3126 (0.5 Mbit/s up): 1.2 s here, 20.0 s there");
  assert.equal(link(undefined, undefined), "office:3126: 1.2 s here, 20.0 s there");
});

test("a job that local cores share and one that would wait are counted apart", () => {
  for (const [why, outcome] of [
    ["share", "local-share"],
    ["servers-are-slower", "sooner-at-home"],
  ] as const) {
    const links = { link: () => ({ uploadBytesPerSecond: undefined, downloadBytesPerSecond: undefined }) };
    assert.deepEqual(whyAtHome({ kind: "local", why, homeMs: 0, remoteMs: 100, hostId }, links), {
      outcome,
      detail: "office:3126: 0.0 s here, 0.1 s there",
    });
  }
});

test("a job that idle cores took has no figures", () => {
  const links = { link: () => ({ uploadBytesPerSecond: undefined, downloadBytesPerSecond: undefined }) };
  const advice = { kind: "local", why: "idle", homeMs: 1000, remoteMs: undefined, hostId } as const;
  assert.deepEqual(whyAtHome(advice, links), {
    outcome: "local-share",
    detail: "office:3126: files are still on their way, and local cores were idle",
  });
});
