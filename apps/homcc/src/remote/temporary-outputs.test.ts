import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { appendFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { scratchFolder } from "./scratch-folder.fixture.ts";
import { rememberTemporaryOutputs, temporaryPathFor } from "./temporary-outputs.ts";

/** Writes half an output into each folder and is killed. */
const killed = `
  import { writeFileSync } from "node:fs";
  import { rememberTemporaryOutputs, temporaryPathFor } from "${import.meta.resolve("./temporary-outputs.ts")}";
  const [journal, ...folders] = process.argv.slice(1);
  await rememberTemporaryOutputs(journal);
  for (const folder of folders) for (const name of ["a.o", "b.o"]) writeFileSync(temporaryPathFor(folder + "/" + name), "half");
  process.kill(process.pid, "SIGKILL");
`;

function runKilled(...words: readonly string[]): void {
  const { signal, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", killed, ...words]);
  assert.equal(signal, "SIGKILL", String(stderr));
}

async function waitForRemoval(folder: string): Promise<void> {
  while (readdirSync(folder, { recursive: true }).some((name) => String(name).includes(".homcc-")))
    await turn();
}

test(
  "what a killed process left is removed by the next one, and nothing else",
  { timeout: 60_000 },
  async () => {
    await using scratch = await scratchFolder();
    const [journal, build, gone] = ["journal", "build", "gone"].map((name) => join(scratch.path, name));
    assert.ok(journal !== undefined && build !== undefined && gone !== undefined);
    await Promise.all(
      [build, gone, join(build, "deep\nfolder")].map((path) => mkdir(path, { recursive: true })),
    );
    const others = [".a.o.homcc-0123456789", "a.o", ".b.o.homcc"];
    for (const name of others) await writeFile(join(build, name), "");
    runKilled(journal, build, gone, join(build, "deep\nfolder"));
    assert.equal((await readdir(build)).length, others.length + 3);
    const [file = ""] = await readdir(journal);
    await appendFile(join(journal, file), '"/torn');
    await rm(gone, { recursive: true });
    await writeFile(join(journal, "nonsense"), "[]\n");
    await rm(join(build, ".a.o.homcc-0123456789"));

    const forget = await rememberTemporaryOutputs(journal);
    await waitForRemoval(join(build, "deep\nfolder"));
    await waitForRemoval(journal);
    while ((await readdir(build)).some((name) => /\.homcc-\w/.test(name))) await turn();
    assert.deepEqual((await readdir(build)).sort(), [".b.o.homcc", "a.o", "deep\nfolder"]);
    while (existsSync(join(journal, file))) await turn();

    // Of a process that lives nothing is removed: here the own one.
    const own = temporaryPathFor(join(build, "c.o"));
    await writeFile(own, "half");
    runKilled(journal, build);
    assert.ok(existsSync(own));
    await forget();
    assert.deepEqual(
      (await readdir(journal)).filter((name) => name.endsWith("nonsense")),
      ["nonsense"],
    );
  },
);
