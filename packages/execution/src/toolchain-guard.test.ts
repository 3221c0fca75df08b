import assert from "node:assert/strict";
import { test } from "node:test";
import type { InputEntry } from "@homcc/cas/action";
import { emptyDigest } from "@homcc/cas/digest";
import { hasCode } from "@homcc/observability/error";
import type { LayerListing } from "./layer-listing.ts";
import { guardToolchain } from "./toolchain-guard.ts";

const files = new Set([
  "/usr/bin/as",
  "/usr/lib/gcc/12/cc1",
  "/usr/lib/gcc/12/include/stddef.h",
  "/usr/lib/libc.so.6",
]);
const links = new Map([
  ["/lib", "usr/lib"],
  ["/usr/bin/gcc", "gcc-12"],
]);
const folders = new Set([
  "/usr",
  "/usr/bin",
  "/usr/lib",
  "/usr/lib/gcc",
  "/usr/lib/gcc/12",
  "/usr/lib/gcc/12/include",
]);
const toolchain: LayerListing = {
  has: (path) => files.has(path) || links.has(path) || folders.has(path),
  isFolder: (path) => folders.has(path),
  readLink: (path) => links.get(path),
  holdsPrograms: (path) => ["/usr/bin", "/usr/lib", "/usr/lib/gcc/12"].includes(path),
};

const file = (path: string): InputEntry => ({ kind: "file", path, digest: emptyDigest, mtimeNs: 1n });
const link = (path: string, target = "/w"): InputEntry => ({ kind: "symlink", path, target });

test("what would change the programs that run is refused", () => {
  for (const entry of [
    file("/usr/bin/as"),
    file("/usr/bin/ld"),
    file("/usr/bin/clang.cfg"),
    file("/usr/lib/gcc/12/cc1"),
    file("/usr/lib/gcc/12/specs"),
    file("/usr/lib/libc.so.6"),
    file("/usr/lib/gcc/specs"),
    file("/usr/x86_64-linux-gnu/lib/x86_64-linux-gnu/12/specs"),
    file("/usr/lib/tls/haswell/libc.so.6"),
    file("/etc/clang/clang.cfg"),
    file("/usr/lib/glibc-hwcaps/x86-64-v3/libc.so.6"),
    file("/etc/ld.so.preload"),
    file("/etc/ld.so.cache"),
    file("/usr/lib"),
    link("/usr/lib"),
    link("/usr/lib/gcc"),
    link("/lib", "w"),
    link("/usr/bin/gcc", "/w/gcc"),
    link("/usr/lib/libz.so.1"),
    link("/usr/lib/gcc/12/specs"),
  ]) {
    assert.throws(
      () => guardToolchain(entry, toolchain),
      (error) => hasCode(error, "ERR_HOMCC_REFUSED"),
      entry.path,
    );
  }
});

test("headers, the toolchain's own links, folders, and whatever lies elsewhere are inputs", () => {
  for (const entry of [
    file("/usr/lib/gcc/12/include/stddef.h"),
    file("/usr/lib/glib-2.0/include/glibconfig.h"),
    file("/usr/include/stdio.h"),
    file("/w/libmine.so"),
    file("/w/specs"),
    link("/lib", "usr/lib"),
    link("/usr/bin/gcc", "gcc-12"),
    link("/usr/lib/mpi", "/etc/alternatives/mpi"),
    link("/w/lib", "/usr/lib"),
    { kind: "directory", path: "/usr/lib" } as const,
    { kind: "directory", path: "/usr/bin" } as const,
  ]) {
    guardToolchain(entry, toolchain);
  }
});
