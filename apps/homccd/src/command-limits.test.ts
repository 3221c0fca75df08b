import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import type { Toolchain } from "@homcc/compiler/toolchain";
import fc from "fast-check";
import { serverLimits } from "./command-limits.ts";

const digest = digestOf(Buffer.from("x"));
const toolchain: Toolchain = {
  family: "gcc",
  version: "gcc 12",
  driver: "/usr/bin/gcc-12",
  digest,
  entries: [
    { kind: "directory", path: "/usr/bin" },
    { kind: "file", path: "/usr/bin/gcc-12", digest, executable: true },
    { kind: "symlink", path: "/usr/bin/gcc", target: "gcc-12" },
    { kind: "file", path: "/usr/lib/gcc/specs", digest, executable: false },
  ],
};
const { isToolchainProgram, isInsideRoot } = serverLimits(toolchain);

test("programs are the toolchain's executables and their links", () => {
  const paths = ["/usr/bin/gcc-12", "/usr/bin/gcc", "/usr/lib/gcc/specs", "/usr/bin", "/bin/sh", ""];
  assert.deepEqual(paths.filter(isToolchainProgram), ["/usr/bin/gcc-12", "/usr/bin/gcc"]);
});

test("the kernel's folders are outside, everything else is the job's own", () => {
  const outside = ["/proc", "/proc/self/mem", "/sys/kernel", "/dev", "/dev/stdin", "/dev/nullx", "/dev/shm"];
  const inside = [
    "/dev/null",
    "/dev/shm/x/a.c",
    "/home/me/a.c",
    "/process/a.c",
    "/devel/a.c",
    "/",
    "/usr/include/sys/types.h",
  ];
  assert.deepEqual(outside.filter(isInsideRoot), []);
  assert.deepEqual(
    inside.filter((path) => !isInsideRoot(path)),
    [],
  );
});

test("nothing below the kernel's folders", () => {
  const name = fc.string({ minLength: 1 }).filter((text) => !text.includes("/"));
  fc.assert(
    fc.property(
      fc.constantFrom("/proc", "/sys", "/dev"),
      fc.array(name, { minLength: 1 }),
      (folder, names) => {
        const path = [folder, ...names].join("/");
        assert.equal(isInsideRoot(path), path === "/dev/null" || path.startsWith("/dev/shm/"));
      },
    ),
  );
});
