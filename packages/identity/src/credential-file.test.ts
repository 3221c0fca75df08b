import assert from "node:assert/strict";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { credentialFolder, findPairing, keepPairing } from "./credential-file.ts";
import { makePairing } from "./pairing.ts";
import { makePoolKey } from "./pool-key.ts";
import { scratchFolder } from "./scratch-folder.fixture.ts";

const nowMs = Date.now();
const pool = makePoolKey(nowMs);
const pair = (name: string) =>
  makePairing(pool, { name, issuedMs: nowMs, nowMs, expiresMs: nowMs + 86_400_000 });

test("a secret is its owner's alone, and the next one takes its place", async (t) => {
  const folder = join(await scratchFolder(t), "home", ".homcc");
  const path = await keepPairing(folder, pair("alice"));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await stat(join(folder, credentialFolder))).mode & 0o777, 0o700);
  await writeFile(path, "half a file of an earlier version", { mode: 0o644 });
  const second = pair("alice");
  await keepPairing(folder, second);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await readdir(join(folder, credentialFolder))).length, 1);
  const found = await findPairing([join(folder, "no-such"), folder], pool.fingerprint);
  assert.equal(found.name, "alice");
  assert.ok(found.privateKey.equals(second.privateKey));
  assert.equal(found.expiresMs, second.expiresMs);
});

test("without one, or with a damaged one, it is said what to do", async (t) => {
  const folder = await scratchFolder(t);
  const isTold = (error: unknown): boolean =>
    hasCode(error, "ERR_HOMCC_CONFIGURATION") && /homccd pair/.test(error.hint ?? "");
  await assert.rejects(findPairing([folder], pool.fingerprint), isTold);
  await writeFile(await keepPairing(folder, pair("alice")), "nothing of the kind");
  await assert.rejects(findPairing([folder], pool.fingerprint), isTold);
});
