import assert from "node:assert/strict";
import { test } from "node:test";
import { isSandboxOwn } from "./sandbox-folders.ts";

test("programs, libraries and system headers are a sandbox's own; everything else is the client's", () => {
  const own = [
    "/usr/include",
    "/usr/include/stdio.h",
    "/usr/lib/gcc/x86_64-linux-gnu/12/include/stddef.h",
    "/usr/lib64/x",
    "/lib",
    "/lib64/ld-linux-x86-64.so.2",
    "/bin/sh",
    "/usr/bin/as",
    "/usr/local/bin/as",
    "/usr/local/lib/libc.so.6",
    "/etc/alternatives/c++",
    "/etc/ld.so.preload",
    "/etc/ld.so.conf.d/x.conf",
  ];
  for (const path of own) assert.ok(isSandboxOwn(path), path);
  const travelling = [
    "/",
    "/usr",
    "/usr/includes/a.h",
    "/usr/src/a.c",
    "/usr/local/include/a.h",
    "/home/me/usr/include/a.h",
    "/library/a.h",
    "/opt/sdk/include/a.h",
  ];
  for (const path of travelling) assert.ok(!isSandboxOwn(path), path);
});
