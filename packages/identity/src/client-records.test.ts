import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { readRecords, recordPairing } from "./client-records.ts";
import { scratchFolder } from "./scratch-folder.fixture.ts";

test("records that no calendar has, of another version, or that are no files are not in the list", async (t) => {
  const folder = await scratchFolder(t);
  const record = { name: "alice", issuedMs: 1, madeMs: 2, expiresMs: 3 };
  await recordPairing(folder, record);
  const clients = join(folder, "clients");
  await writeFile(join(clients, "bob.1.json"), JSON.stringify({ ...record, name: "bob", expiresMs: 1e300 }));
  await writeFile(join(clients, "carol.1.json"), JSON.stringify({ version: 2, name: "carol" }));
  await writeFile(join(clients, "dave.1.json"), "{");
  await mkdir(join(clients, "eve.1.json"));
  assert.deepEqual(await readRecords(folder), [record]);
});
