import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHosts } from "@homcc/config/hosts";
import { makePoolKey } from "@homcc/identity/pool-key";
import { withHost } from "./hosts-lines.ts";

const { fingerprint } = makePoolKey(Date.now());
const key = `key=${fingerprint}`;
const other = `key=${makePoolKey(Date.now()).fingerprint}`;

test("a host is added once, and its line is the same one that is read", () => {
  const added = withHost("", "build1:3126/10", fingerprint);
  assert.deepEqual(added, {
    text: `build1:3126/10,${key}\n`,
    change: "added",
    host: `build1:3126/10,${key}`,
  });
  assert.deepEqual(withHost(added.text, "build1:3126/10", fingerprint).change, "present");
  const [host] = parseHosts(added.text, "hosts").hosts;
  assert.deepEqual([host?.name, host?.limit, host?.tls?.kind], ["build1", 10, "pool"]);
});

test("everything else stays as it is, and the user's own limit counts", () => {
  for (const [before, after] of [
    ["# mine\nbuild2 # fast", `# mine\nbuild2 # fast\nbuild1:3126/10,${key}\n`],
    ["a BUILD1/3  # near\nb\n", `a BUILD1/3,${key}  # near\nb\n`],
    ["build1\r\n", `build1/10,${key}\r\n`],
    ["build1 : 3126 / 4 , lzo b", `build1:3126/4,lzo,${key} b`],
    [`build1/2,${other}`, `build1/2,${key}`],
    ["build1/2,tls,lzo", `build1/2,lzo,${key}`],
    [`build1:3127/2`, `build1:3127/2\nbuild1:3126/10,${key}\n`],
    ["me@build1", `me@build1\nbuild1:3126/10,${key}\n`],
    [`x\nbuild1 build1/7,${key}`, `x\nbuild1 build1/7,${key}`],
  ] as const) {
    assert.equal(withHost(before, "build1:3126/10", fingerprint).text, after);
  }
});

test("so is a pool that DNS names", () => {
  for (const [before, after] of [
    ["build1\n", `build1\nsrv:_homcc._tcp.a.example/10,${key}\n`],
    ["srv:_HOMCC._tcp.a.example/3 # all\n", `srv:_HOMCC._tcp.a.example/3,${key} # all\n`],
  ] as const) {
    const changed = withHost(before, "srv:_homcc._tcp.a.example/10", fingerprint);
    assert.equal(changed.text, after);
    assert.equal(parseHosts(changed.text, "hosts").pools[0]?.tls?.kind, "pool");
    assert.equal(withHost(changed.text, "srv:_homcc._tcp.a.example/10", fingerprint).change, "present");
  }
});
