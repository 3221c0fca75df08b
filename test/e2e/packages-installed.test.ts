/** The Debian packages, installed in a fresh Debian with another compiler than this machine's, and compiles through them. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createDebianBase, type DebianBase } from "../support/debian-tree.ts";
import { buildPackages, compileThroughPackages, install, withServer } from "../support/installed-packages.ts";
import { hasProgram, meets } from "../support/requirements.ts";
import { hasSandboxTree, sandboxTree } from "../support/sandbox-tree.ts";

let debian: DebianBase | undefined;

before(async () => {
  if (process.getuid?.() !== 0 || !hasProgram("dpkg-deb") || !hasSandboxTree()) return;
  debian = await createDebianBase(sandboxTree);
  await buildPackages(debian.packages);
});

after(() => debian?.[Symbol.asyncDispose]());

for (const order of [
  ["homcc", "homccd"],
  ["homccd", "homcc"],
] as const) {
  test(`installed ${order.join(", then ")}: a compile gives gcc's object, by prefix and through the masquerade links`, async (t) => {
    if (!meets(t, "root", { program: "dpkg-deb" }, "sandbox tree") || debian === undefined) return;
    const machine = await debian.machine();
    const printed = await machine.run(
      `${order.map((name) => install(name)).join("\n")}\n${withServer(compileThroughPackages)}`,
    );
    assert.equal(printed.match(/Compiled remotely on 127\.0\.0\.1:3126/g)?.length, 2, printed);
    assert.match(printed, /All is well\./);
    assert.match(printed, /executor namespace\n/);
  });
}
