import assert from "node:assert/strict";
import { test } from "node:test";
import type { Action } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import { actionIn } from "./action.fixture.ts";
import { actionKey, messageKey } from "./action-key.ts";
import { resultKeysOf } from "./result-keys.ts";

const root = "/home/me/project";
const action = actionIn(root);
const key = (more: Partial<Action>): string => actionKey({ ...action, ...more }, "namespace");
const usual = key({});

test("the key is stable: another one forgets every result, and a bad one mixes them up", () => {
  assert.equal(usual, "fea83655bc72c2b66c8df096a0c2129d744a14f829778277042a76a24d9a88f5");
});

test("everything that a result depends on is in the key", () => {
  const [folder, source, ...others] = action.inputs;
  assert.ok(folder !== undefined && source?.kind === "file");
  const changed: Partial<Action>[] = [
    { toolchain: digestOf(Buffer.from("other")) },
    { steps: [{ program: "/usr/bin/gcc", argv: ["gcc", "-c", "-O2", `${root}/src/a.c`, "-o", "a.o"] }] },
    { steps: [{ program: "/usr/bin/g++", argv: action.steps[0]?.argv ?? [] }] },
    { cwd: root },
    { environment: { ...action.environment, SOURCE_DATE_EPOCH: "1" } },
    { environment: { ...action.environment, PWD: root } },
    { environment: { ...action.environment, PATH: "/opt/bin:/usr/bin" } },
    { umask: 0o077 },
    { inputs: [folder, { ...source, digest: digestOf(Buffer.from("b")) }, ...others] },
    { inputs: [folder, { ...source, path: `${root}/src/b.c` }, ...others] },
    { inputs: [folder, source] },
    { inputs: [...action.inputs, { kind: "symlink", path: `${root}/l`, target: "x" }] },
    { outputs: [{ path: `${root}/build/b.o`, exists: false }] },
    { outputs: [{ path: `${root}/build/a.o`, exists: true, mode: 0o600 }] },
    { sandbox: { kind: "schroot", profile: "jammy" } },
  ];
  const keys = new Set([usual, actionKey(action, "mapped"), ...changed.map(key)]);
  assert.equal(keys.size, changed.length + 2);
});

test("what a result does not depend on is not", () => {
  for (const more of [
    { timeoutMs: 5 },
    { absent: ["/x"] },
    { inputs: action.inputs.toReversed() },
    { inputs: action.inputs.map((entry) => (entry.kind === "file" ? { ...entry, mtimeNs: 7n } : entry)) },
    { environment: { ...action.environment, LC_ALL: "de_DE.UTF-8", TERM: "xterm", TZ: "Asia/Tokyo" } },
    { environment: { ...action.environment, PATH: "/home/me/bin:/usr/bin:/bin" } },
    { terminal: { stderr: { columns: 80, rows: 24 } } },
    { outputs: [{ path: `${root}/build/a.o`, exists: true, mode: 0o644 }] },
  ] satisfies Partial<Action>[]) {
    assert.equal(
      key(more),
      usual,
      JSON.stringify(more, (_, value) => (typeof value === "bigint" ? Number(value) : value)),
    );
  }
});

test("messages have a key of their own", () => {
  const texts = new Set(
    [
      {},
      { terminal: { stderr: { columns: 80, rows: 24 } } },
      { environment: { LC_ALL: "de_DE.UTF-8" } },
      { environment: { GCC_COLORS: "" } },
    ].map((more) => messageKey({ ...action, ...more })),
  );
  assert.equal(texts.size, 4);
});

test("equal files of equal times are one file to #pragma once, of other times two", () => {
  const digest = digestOf(Buffer.from("#pragma once"));
  const twins = (first: bigint, second: bigint): string =>
    key({
      inputs: [
        ...action.inputs,
        { kind: "file", path: `${root}/x.h`, digest, mtimeNs: first },
        { kind: "file", path: `${root}/y.h`, digest, mtimeNs: second },
      ],
    });
  assert.equal(twins(1n, 1n), twins(2n, 2n));
  assert.equal(twins(1n, 2n), twins(5n, 4n));
  assert.notEqual(twins(1n, 1n), twins(1n, 2n));
});

test("two checkouts share a key, whatever their folders are called", () => {
  const keys = [root, "/srv/somebody/else/with/a/long/name", "/zz/p"].map((folder) =>
    resultKeysOf(actionIn(folder), "namespace"),
  );
  assert.equal(new Set(keys.map(({ shared }) => shared)).size, 1);
  assert.equal(new Set(keys.map(({ own }) => own)).size, 3);
  assert.notEqual(keys[0]?.shared, undefined);
});

test("without a folder in common, or with one that cannot be found again, there is only the own key", () => {
  for (const folder of ["/p", "/home/m\u00fcller/p", "/home/a b/p"]) {
    assert.equal(resultKeysOf(actionIn(folder), "namespace").shared, undefined, folder);
  }
  const elsewhere = actionIn(root, { outputs: [{ path: "/tmp/a.o", exists: false }] });
  assert.equal(resultKeysOf(elsewhere, "namespace").shared, undefined);
});
