import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { LinkResolver } from "./link-resolution.ts";

const links: Record<string, string> = {
  "/lib": "usr/lib",
  "/p/link": "real/deep",
  "/p/real/deep/up": "..",
  "/p/absolute": "/p/link",
  "/p/beyond": "../../../../x",
  "/loop": "loop",
  "/ping": "/pong/a",
  "/pong": "/ping/b",
};

test("places and targets are where the kernel would find them", () => {
  const resolver = new LinkResolver((path) => links[path]);
  const rows: [path: string, place: string, target: string][] = [
    ["/a/b.c", "/a/b.c", "/a/b.c"],
    ["/lib/x.h", "/usr/lib/x.h", "/usr/lib/x.h"],
    ["/lib", "/lib", "/usr/lib"],
    ["/p/link/a.o", "/p/real/deep/a.o", "/p/real/deep/a.o"],
    ["/p/absolute/up/y", "/p/real/y", "/p/real/y"],
    ["/p/absolute", "/p/absolute", "/p/real/deep"],
    ["/p/beyond/z", "/x/z", "/x/z"],
    ["/", "/", "/"],
  ];
  for (const [path, place, target] of rows) {
    assert.equal(resolver.place(path), place, path);
    assert.equal(resolver.target(path), target, path);
  }
});

test("circles are refused", () => {
  for (const path of ["/loop/a", "/ping/a", "/pong/a"]) {
    const resolver = new LinkResolver((at) => links[at]);
    assert.throws(
      () => resolver.place(path),
      (error) => hasCode(error, "ERR_HOMCC_REFUSED"),
    );
  }
});
