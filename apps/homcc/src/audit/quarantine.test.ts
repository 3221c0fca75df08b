import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Finding } from "./findings.ts";
import { keptAtHome, quarantineOf } from "./quarantine.ts";

function found(host: string, flags = "gcc c -O2", toolchain = "t"): Finding {
  return {
    atMs: 1,
    host,
    serverVersion: "homccd 2.0.0",
    signature: { text: flags, id: flags },
    driver: "/usr/bin/gcc",
    toolchain,
    source: "/p/a.c",
    what: "a.o: section .text",
    bundle: "",
  };
}

function namesOf(findings: readonly Finding[]): { servers: string[]; signatures: string[] } {
  const { servers, signatures } = quarantineOf(findings);
  return { servers: [...servers.keys()], signatures: [...signatures.keys()] };
}

test("a first difference is laid to the server", () => {
  assert.deepEqual(namesOf([found("a:1")]), { servers: ["a:1"], signatures: [] });
});

test("the same flags on a second server are the flags: both get their jobs back", () => {
  assert.deepEqual(namesOf([found("a:1"), found("b:1")]), { servers: [], signatures: ["gcc c -O2 t"] });
});

test("one server with many flags stays accused, also beside flags that are", () => {
  assert.deepEqual(namesOf([found("a:1"), found("a:1", "gcc c -O3"), found("b:1", "gcc c -O3")]), {
    servers: ["a:1"],
    signatures: ["gcc c -O3 t"],
  });
  assert.deepEqual(namesOf([found("a:1"), found("b:1", "gcc c -O2", "other")]).signatures, []);
});

test("a result that was kept at home accuses its flags", () => {
  assert.deepEqual(namesOf([found(keptAtHome)]), { servers: [], signatures: ["gcc c -O2 t"] });
});

test("whatever was found, something is kept from jobs for each finding, and the order does not matter", () => {
  const findings = fc.array(
    fc
      .tuple(fc.constantFrom("a:1", "b:1", keptAtHome), fc.constantFrom("-O1", "-O2"))
      .map(([host, flags]) => found(host, flags)),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(findings, (all) => {
      const { servers, signatures } = quarantineOf(all);
      for (const { host, signature } of all) assert(servers.has(host) || signatures.has(`${signature.id} t`));
      const turned = namesOf(all.toReversed());
      assert.deepEqual(
        [turned.servers.toSorted(), turned.signatures.toSorted()],
        [[...servers.keys()].toSorted(), [...signatures.keys()].toSorted()],
      );
      assert(!servers.has(keptAtHome));
    }),
  );
});
