import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { digestOf, hashOf } from "@homcc/cas/digest";
import type { Toolchain } from "@homcc/compiler/toolchain";
import { hasCode } from "@homcc/observability/error";
import { recordSurvived } from "../../../test/support/reliability.ts";
import { listLayer } from "./layer-listing.ts";
import { removeTree } from "./remove-tree.ts";
import { CopiedToolchainLayers } from "./toolchain-layer.ts";

/** A "toolchain" of three files in a temporary folder and a store for its layer. */
class Installation implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "homcc-toolchain-"));
  readonly store: string = join(this.folder, "store");
  readonly driver: string = join(this.folder, "bin/cc");
  readonly toolchain: Toolchain;

  constructor() {
    const binaries = join(this.folder, "bin");
    mkdirSync(join(this.folder, "empty"));
    mkdirSync(binaries);
    const large = Buffer.alloc(700_000, "large");
    writeFileSync(this.driver, large);
    writeFileSync(join(binaries, "data"), "");
    symlinkSync("cc", join(binaries, "gcc"));
    chmodSync(this.driver, 0o755);
    this.toolchain = {
      family: "gcc",
      version: "test",
      driver: this.driver,
      digest: digestOf(Buffer.from(this.folder)),
      entries: [
        { kind: "file", path: this.driver, digest: digestOf(large), executable: true },
        { kind: "file", path: join(binaries, "data"), digest: digestOf(Buffer.alloc(0)), executable: false },
        { kind: "symlink", path: join(binaries, "gcc"), target: "cc" },
        { kind: "directory", path: join(this.folder, "empty") },
      ],
    };
  }

  /** As after a start of the server. */
  layers(): CopiedToolchainLayers {
    return new CopiedToolchainLayers(this.store, (digest) =>
      digest === this.toolchain.digest ? this.toolchain : undefined,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeTree(this.folder);
  }
}

test("a layer holds exactly the toolchain's entries, made once for all who ask", async () => {
  await using installation = new Installation();
  const { toolchain, driver } = installation;
  const layers = installation.layers();
  const paths = await Promise.all(Array.from({ length: 10 }, () => layers.layerFor(toolchain.digest)));
  assert.deepEqual(new Set(paths).size, 1);
  const layer = paths[0] ?? "";
  assert.equal(layer, join(installation.store, hashOf(toolchain.digest)));
  assert.deepEqual(readdirSync(installation.store), [hashOf(toolchain.digest)]);
  assert.ok(readFileSync(layer + driver).equals(readFileSync(driver)));
  assert.equal(lstatSync(layer + driver).mode & 0o111, 0o111);
  const listing = await listLayer(layer);
  for (const entry of toolchain.entries) {
    assert.ok(listing.has(entry.path));
    assert.equal(listing.readLink(entry.path), entry.kind === "symlink" ? entry.target : undefined);
  }
  assert.ok(!listing.has("/bin/other"));
  assert.ok(listing.holdsPrograms(dirname(driver)) && listing.isFolder(dirname(driver)));
  assert.ok(!listing.holdsPrograms("/") && !listing.isFolder(driver));
  assert.equal(await installation.layers().layerFor(toolchain.digest), layer, "after a restart");
});

test("a file that changed since the inspection is noticed while copying, and nothing is left", async () => {
  await using installation = new Installation();
  const { toolchain, driver } = installation;
  const original = readFileSync(driver);
  writeFileSync(driver, "another compiler");
  const layers = installation.layers();
  await assert.rejects(layers.layerFor(toolchain.digest), (error) => hasCode(error, "ERR_HOMCC_TOOLCHAIN"));
  assert.deepEqual(readdirSync(installation.store), []);
  writeFileSync(driver, original);
  await layers.layerFor(toolchain.digest);
});

const damages: readonly [name: string, damage: (layer: string, installation: Installation) => void][] = [
  ["a file without its bytes", (layer, { driver }) => truncateSync(layer + driver, 0)],
  ["a file of zeros", (layer, { driver }) => writeFileSync(layer + driver, Buffer.alloc(700_000))],
  ["one flipped bit", (layer, { driver }) => flipBit(layer + driver, 400_001)],
  ["a file that is no program any more", (layer, { driver }) => chmodSync(layer + driver, 0o644)],
  ["a file that is gone", (layer, { driver }) => rmSync(layer + driver)],
  [
    "a link to somewhere else",
    (layer, { driver }) => {
      rmSync(join(dirname(layer + driver), "gcc"));
      symlinkSync("data", join(dirname(layer + driver), "gcc"));
    },
  ],
  ["a folder that is gone", (layer, { folder }) => rmdirSync(join(layer + folder, "empty"))],
];

function flipBit(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

test("what a crash left half-made is removed", async () => {
  await using installation = new Installation();
  const { toolchain } = installation;
  mkdirSync(join(installation.store, `partial-${hashOf(toolchain.digest)}`, "bin"), { recursive: true });
  await installation.layers().layerFor(toolchain.digest);
  assert.deepEqual(readdirSync(installation.store), [hashOf(toolchain.digest)]);
});

for (const [name, damage] of damages) {
  test(`after a restart a damaged layer is made again: ${name}`, async () => {
    await using installation = new Installation();
    const { toolchain, driver, folder } = installation;
    const layer = await installation.layers().layerFor(toolchain.digest);
    damage(layer, installation);
    assert.equal(await installation.layers().layerFor(toolchain.digest), layer);
    assert.ok(readFileSync(layer + driver).equals(readFileSync(driver)));
    assert.equal(lstatSync(layer + driver).mode & 0o111, 0o111);
    assert.equal(readlinkSync(join(dirname(layer + driver), "gcc")), "cc");
    assert.ok(lstatSync(join(layer + folder, "empty")).isDirectory());
    recordSurvived("A file of a toolchain's layer on the server is damaged while homccd is stopped");
  });
}

test("a toolchain that is not here is said so", async () => {
  await using installation = new Installation();
  const other = digestOf(Buffer.from("other"));
  await assert.rejects(installation.layers().layerFor(other), (error) =>
    hasCode(error, "ERR_HOMCC_TOOLCHAIN"),
  );
});
