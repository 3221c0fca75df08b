import assert from "node:assert/strict";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "@homcc/observability/log";
import { ManualTime } from "../remote/manual-time.fixture.ts";
import { scratchFolder } from "../remote/scratch-folder.fixture.ts";
import { LedgerFile } from "./ledger-file.ts";

test("what was learned is there after a restart, written once a minute", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "agent", "ledger.json");
  const time = new ManualTime();
  const file = new LedgerFile(path, silentLogger, time.timers);
  file.changed();
  assert.equal(time.pending, 0, "nothing to write");
  file.ledger.noteHome("a", 1000);
  file.changed();
  file.ledger.noteHome("b", 2000);
  file.changed();
  assert.equal(time.pending, 1);
  await assert.rejects(stat(path));
  time.pass(60_000);
  const again = new LedgerFile(path, silentLogger, time.timers);
  assert.equal(again.ledger.homeMs("b"), 2000);
  assert.deepEqual(await readdir(join(folder.path, "agent")), ["ledger.json"]);
  const { mtimeNs } = await stat(path, { bigint: true });
  file.save();
  assert.equal((await stat(path, { bigint: true })).mtimeNs, mtimeNs, "unchanged");
});

test("a file that is damaged, or of another version, is no ledger", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "ledger.json");
  const texts = [
    "",
    "{",
    "[]",
    '{"version":2,"files":[["a",{"homeMs":1}]]}',
    '{"version":1,"servers":7,"files":[["a"],["a",null],[1,{"homeMs":1}],["a",{"homeMs":"1"}],["a",{"homeMs":-1}]]}',
  ];
  for (const text of texts) {
    await writeFile(path, text);
    assert.equal(new LedgerFile(path, silentLogger).ledger.homeMs("a"), undefined, text);
  }
  await writeFile(path, '{"version":1,"servers":[],"files":[["a",{"homeMs":1,"x":"y"}]]}');
  const file = new LedgerFile(path, silentLogger);
  assert.equal(file.ledger.homeMs("a"), 1);
  file.ledger.noteHome("b", 2);
  file.save();
  assert.match(await readFile(path, "utf8"), /"b",\{"homeMs":2\}/);
});
