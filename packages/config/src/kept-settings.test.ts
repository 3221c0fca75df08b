import assert from "node:assert/strict";
import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigurationFiles } from "./files.ts";
import { KeptSettings } from "./kept-settings.ts";

test("made once for a key while the files that it was made of stay", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-kept-"));
  try {
    const path = join(folder, "hosts");
    const kept = new KeptSettings<string>(new ConfigurationFiles());
    let made = 0;
    const of = (key: string): Promise<string> =>
      kept.of(key, async (files) => {
        made += 1;
        const reading = await files.read(path);
        return `${key} ${reading.kind === "text" ? reading.text : reading.kind}`;
      });
    assert.deepEqual([await of("a"), await of("a"), await of("b")], ["a absent", "a absent", "b absent"]);
    assert.equal(made, 2);
    await writeFile(path, "one");
    assert.deepEqual([await of("a"), await of("b")], ["a one", "b one"]);
    await writeFile(path, "two");
    await utimes(path, 1, 1);
    assert.deepEqual([await of("a"), await of("b")], ["a two", "b two"]);
    await rm(path);
    assert.equal(await of("a"), "a absent");
    made = 0;
    assert.deepEqual([await of("a"), made], ["a absent", 0]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
