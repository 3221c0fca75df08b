import assert from "node:assert/strict";
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Digest, digestOf, hashOf } from "@homcc/cas/digest";
import { MemoryBlobStore } from "@homcc/cas/memory-blob-store";
import { encodeManifest } from "@homcc/compiler/toolchain-manifest";
import type { ToolchainEntry } from "@homcc/compiler/toolchain";
import { hasCode } from "@homcc/observability/error";
import { silentLogger } from "@homcc/observability/log";
import { ShippedLayers } from "./shipped-layers.ts";

const bounds = { maxBytes: 1 << 20, maxEntries: 1000, maxPathLength: 4096 };
/** Each of `toolchain` takes so much: two files and a link in whole blocks. */
const layerBytes = 5 * 4096;

interface Sent {
  readonly digest: Digest;
  readonly manifest: Uint8Array;
  readonly entries: readonly ToolchainEntry[];
}

class Site {
  readonly folder: string;
  readonly blobs = new MemoryBlobStore();

  constructor(folder: string) {
    this.folder = folder;
  }

  get layers(): string {
    return join(this.folder, "toolchains");
  }

  open(maxLayers = 2, minFreeBytes = 0): Promise<ShippedLayers> {
    return ShippedLayers.open({
      folder: this.layers,
      manifests: join(this.folder, "manifests"),
      maxBytes: maxLayers * layerBytes,
      minFreeBytes,
      blobs: this.blobs,
      bounds,
      logger: silentLogger,
    });
  }

  async toolchain(name: string): Promise<Sent> {
    const cc = Buffer.from(`cc ${name}`);
    const specs = Buffer.alloc(4097, name);
    for (const bytes of [cc, specs]) await this.blobs.put(digestOf(bytes), [bytes]);
    const entries: ToolchainEntry[] = [
      { kind: "file", path: "/usr/bin/gcc-12", digest: digestOf(cc), executable: true },
      { kind: "directory", path: "/usr/lib/gcc" },
      { kind: "file", path: "/usr/lib/gcc/specs", digest: digestOf(specs), executable: false },
      { kind: "symlink", path: "/usr/lib/link", target: "../../../../../etc/passwd" },
    ];
    const manifest = encodeManifest(entries);
    return { digest: digestOf(manifest), manifest, entries };
  }

  async add(layers: ShippedLayers, name: string, client?: string): Promise<Sent> {
    const sent = await this.toolchain(name);
    await layers.add(sent.digest, sent.manifest, sent.entries, client);
    return sent;
  }
}

async function onSite(body: (site: Site) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    await body(new Site(folder));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("files, modes, folders and links as they were sent, once for many, and after a restart", async () => {
  await onSite(async (site) => {
    const layers = await site.open();
    const sent = await site.toolchain("a");
    await Promise.all(Array.from({ length: 5 }, () => layers.add(sent.digest, sent.manifest, sent.entries)));
    const layer = await layers.layerFor(sent.digest);
    assert.equal(await readFile(`${layer}/usr/bin/gcc-12`, "utf8"), "cc a");
    assert.equal((await lstat(`${layer}/usr/bin/gcc-12`)).mode & 0o7777, 0o755);
    assert.equal((await lstat(`${layer}/usr/lib/gcc/specs`)).mode & 0o7777, 0o644);
    assert.equal(await readlink(`${layer}/usr/lib/link`), "../../../../../etc/passwd");
    assert.deepEqual(await readdir(site.layers), [`shipped-${hashOf(sent.digest)}`]);
    assert.equal(layers.usedBytes, layerBytes);
    const again = await site.open();
    using used = await again.use(sent.digest);
    assert.deepEqual(used?.entries, sent.entries);
    assert.equal(again.usedBytes, layerBytes);
    assert.deepEqual(await again.manifestOf(sent.digest), Buffer.from(sent.manifest));
  });
});

test("the least recently used goes, but none that a job uses; without room nothing changes", async () => {
  await onSite(async (site) => {
    const layers = await site.open();
    const first = await site.add(layers, "1");
    const second = await site.add(layers, "2");
    {
      using used = await layers.use(first.digest);
      assert.ok(used);
    }
    const third = await site.add(layers, "3");
    assert.deepEqual(layers.digests(), [first.digest, third.digest], "the second one was used longest ago");
    assert.equal(await layers.use(second.digest), undefined);
    using _first = await layers.use(first.digest);
    using _third = layers.hold(third.digest);
    await assert.rejects(site.add(layers, "4"), (error) => hasCode(error, "ERR_HOMCC_STORE_FULL"));
    assert.deepEqual(new Set(layers.digests()), new Set([first.digest, third.digest]));
    assert.equal(layers.usedBytes, 2 * layerBytes);
    assert.equal((await readdir(site.layers)).length, 2);
  });
});

test("a client with more than half of the room gets more only of its own toolchains", async () => {
  await onSite(async (site) => {
    const layers = await site.open(4);
    const [theirs, common] = [
      await site.add(layers, "theirs", "modest"),
      await site.add(layers, "common", "greedy"),
    ];
    {
      using used = await layers.use(common.digest, "modest");
      assert.ok(used);
    }
    for (let number = 0; number < 12; number += 1) await site.add(layers, `greedy ${number}`, "greedy");
    const [one, two, ...own] = layers.digests();
    assert.deepEqual([one, two], [theirs.digest, common.digest]);
    assert.equal(own.length, 2);
    for (const digest of own) layers.hold(digest);
    await assert.rejects(site.add(layers, "one more", "greedy"), (error) =>
      hasCode(error, "ERR_HOMCC_STORE_FULL"),
    );
    assert.equal(layers.digests().length, 4);
    // Somebody else's share is not touched by that.
    await site.add(layers, "new", "newcomer");
    assert.ok(!layers.has(theirs.digest));
  });
});

test("the order of use outlives the process, and a smaller bound takes effect at the start", async () => {
  await onSite(async (site) => {
    const layers = await site.open();
    const first = await site.add(layers, "1");
    const second = await site.add(layers, "2");
    const { digest } = second;
    await utimes(join(site.folder, "manifests", `${hashOf(digest)}-${digest.slice(65)}`), 1, 1);
    assert.deepEqual((await site.open(1)).digests(), [first.digest]);
  });
});

test("what a crash left is removed: half a layer, a layer without a manifest, a manifest without a layer, one that was cut", async () => {
  await onSite(async (site) => {
    const layers = await site.open(9);
    const whole = await site.add(layers, "whole");
    const unlisted = await site.add(layers, "unlisted");
    const unmade = await site.add(layers, "unmade");
    const cut = await site.add(layers, "cut");
    const manifestOf = ({ digest }: Sent): string =>
      join(site.folder, "manifests", `${hashOf(digest)}-${digest.slice(65)}`);
    await rm(manifestOf(unlisted));
    await rm(await layers.layerFor(unmade.digest), { recursive: true });
    await truncate(manifestOf(cut), 40);
    await mkdir(join(site.layers, "arriving-abc"));
    await mkdir(join(site.layers, "of-another-kind"));
    const again = await site.open(9);
    assert.deepEqual(again.digests(), [whole.digest]);
    assert.deepEqual((await readdir(site.layers)).toSorted(), [
      "of-another-kind",
      `shipped-${hashOf(whole.digest)}`,
    ]);
    for (const lost of [unlisted, unmade, cut]) {
      await again.add(lost.digest, lost.manifest, lost.entries);
      using used = await again.use(lost.digest);
      assert.ok(used);
    }
  });
});

for (const [what, damage] of [
  ["other bytes of the same length", (file: string) => writeFile(file, "cc b")],
  ["fewer bytes", (file: string) => truncate(file, 1)],
  ["gone", (file: string) => rm(file)],
] as const) {
  test(`a layer that is damaged on disk counts as none at the first use after a start, and can be sent again: ${what}`, async () => {
    await onSite(async (site) => {
      const layers = await site.open();
      const sent = await site.add(layers, "a");
      await damage(`${await layers.layerFor(sent.digest)}/usr/bin/gcc-12`);
      const again = await site.open();
      assert.equal(again.has(sent.digest), true);
      assert.equal(await again.use(sent.digest), undefined);
      assert.equal(again.has(sent.digest), false);
      assert.equal(again.usedBytes, 0);
      await again.add(sent.digest, sent.manifest, sent.entries);
      assert.equal(await readFile(`${await again.layerFor(sent.digest)}/usr/bin/gcc-12`, "utf8"), "cc a");
    });
  });
}

test("a blob that is gone leaves nothing behind", async () => {
  await onSite(async (site) => {
    const layers = await site.open();
    const sent = await site.toolchain("a");
    const missing = digestOf(Buffer.from("nowhere"));
    const entries: ToolchainEntry[] = [
      ...sent.entries.slice(0, 1),
      { kind: "file", path: "/usr/lib/gone", digest: missing, executable: false },
    ];
    const manifest = encodeManifest(entries);
    await assert.rejects(layers.add(digestOf(manifest), manifest, entries), (error) =>
      hasCode(error, "ERR_HOMCC_TOOLCHAIN"),
    );
    assert.deepEqual(await readdir(site.layers), []);
    assert.deepEqual(await readdir(join(site.folder, "manifests")), []);
    assert.equal(layers.usedBytes, 0);
  });
});

test("a disk that is nearly full takes none, and nothing is left of it", async () => {
  await onSite(async (site) => {
    const layers = await site.open(2, Number.MAX_SAFE_INTEGER);
    await assert.rejects(site.add(layers, "a"), (error) => hasCode(error, "ERR_HOMCC_STORE_FULL"));
    assert.deepEqual([await readdir(site.layers), layers.usedBytes], [[], 0]);
  });
});

test("whoever asks for a layer that is not there is told", async () => {
  await onSite(async (site) => {
    const layers = await site.open();
    await assert.rejects(layers.layerFor(digestOf(Buffer.from("x"))), (error) =>
      hasCode(error, "ERR_HOMCC_TOOLCHAIN"),
    );
  });
});

test("what another version was sent stays for it, takes its room, and goes with the oldest", async () => {
  await onSite(async (site) => {
    const own = await site.toolchain("own");
    const first = await site.open();
    await first.add(own.digest, own.manifest, own.entries);
    const manifest = Buffer.from("homcc toolchain 2\n{}\n");
    const digest = digestOf(manifest);
    const layer = join(site.layers, `shipped-${hashOf(digest)}`);
    const manifestFile = join(site.folder, "manifests", `${hashOf(digest)}-${manifest.byteLength}`);
    await mkdir(join(layer, "usr"), { recursive: true });
    await writeFile(join(layer, "usr", "gcc"), "of the future");
    await writeFile(manifestFile, manifest);
    await utimes(manifestFile, 1, 1);
    const layers = await site.open();
    assert.deepEqual(layers.digests(), [own.digest]);
    assert.equal(layers.has(digest), false);
    assert.equal(await layers.use(digest), undefined);
    assert.equal(layers.usedBytes, layerBytes + 2 * 4096);
    assert.equal(await readFile(join(layer, "usr", "gcc"), "utf8"), "of the future");
    // It was used last in 1970.
    const other = await site.toolchain("other");
    await layers.add(other.digest, other.manifest, other.entries);
    await assert.rejects(lstat(layer), /ENOENT/);
    await assert.rejects(lstat(manifestFile), /ENOENT/);
    assert.deepEqual(layers.digests(), [own.digest, other.digest]);
    // What only looks like one is rubbish.
    await writeFile(join(site.folder, "manifests", `${"0".repeat(64)}-5`), "wrong");
    await mkdir(join(site.layers, `shipped-${"0".repeat(64)}`));
    await site.open();
    assert.equal((await readdir(site.layers)).length, 2);
  });
});
