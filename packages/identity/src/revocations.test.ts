import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { join } from "node:path";
import { scratchFolder } from "./scratch-folder.fixture.ts";
import { revocationFile, Revocations, revoke } from "./revocations.ts";

const nowMs = Date.UTC(2026, 10, 26, 12);
const hourMs = 3_600_000;

test("who is revoked stays out with every pairing made so far, also by a server whose clock is ahead", async (t) => {
  const folder = await scratchFolder(t);
  await revoke(folder, "alice", nowMs);
  const revocations = await Revocations.read(folder);
  assert.ok(revocations.includes("alice", nowMs - 1000));
  assert.ok(revocations.includes("alice", nowMs + 23 * hourMs));
  assert.ok(!revocations.includes("bob", nowMs));
  const next = revocations.nextIssuedMs("alice", nowMs) ?? 0;
  assert.ok(!revocations.includes("alice", next), "a new pairing is good at once");
  assert.equal(revocations.nextIssuedMs("bob", nowMs), nowMs);
});

test("a pairing that was made after a revocation is revoked by the next one", async (t) => {
  const folder = await scratchFolder(t);
  await revoke(folder, "alice", nowMs);
  const next = (await Revocations.read(folder)).nextIssuedMs("alice", nowMs) ?? 0;
  await revoke(folder, "alice", nowMs, next);
  assert.ok((await Revocations.read(folder)).includes("alice", next));
});

test("many at once lose none, and the file may have been edited by hand", async (t) => {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, revocationFile), "# ours\r\neve 2026-11-26T00:00:00.000Z\r\nmallory");
  const names = Array.from({ length: 40 }, (_, index) => `client-${index}`);
  await Promise.all(names.map(async (name) => await revoke(folder, name, nowMs)));
  const revocations = await Revocations.read(folder);
  for (const name of names) assert.ok(revocations.includes(name, nowMs), name);
  assert.ok(revocations.includes("eve", 0));
  assert.ok(revocations.includes("mallory", Number.MAX_SAFE_INTEGER), "without a time for good");
  assert.equal(revocations.nextIssuedMs("mallory", nowMs), undefined);
  assert.match(await readFile(join(folder, revocationFile), "utf8"), /^# ours/);
});

test("without a file nobody is revoked", async (t) => {
  assert.ok(!(await Revocations.read(await scratchFolder(t))).includes("alice", 0));
});
