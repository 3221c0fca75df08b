/** The builds of the benchmark, with three small files over a link that hardly counts. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { removeFolder } from "../../test/support/remove-folder.ts";
import { meets } from "../../test/support/requirements.ts";
import type { BuildRun } from "../results.ts";
import type { Contender } from "./contender.ts";
import { distcc } from "./distcc-contender.ts";
import { homcc } from "./homcc-contender.ts";
import { icecream } from "./icecream-contender.ts";
import { measureContender } from "./measure.ts";
import { record } from "./recording.ts";

const link = { upMegabits: 1000, downMegabits: 1000, roundTripMs: 1 };
const names = ["a", "b", "c"];
const recordedMs = 700;
/** What no compression makes small: only a first build sends it. */
const secret = `// ${randomBytes(20_000).toString("base64")}\n`;

async function measure(t: TestContext, contender: Contender): Promise<BuildRun[]> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-bench-test-"));
  t.after(() => removeFolder(folder));
  await chmod(folder, 0o755);
  const [root, recording, runFolder] = ["project", "recording", "run"].map((name) => join(folder, name));
  assert.ok(root !== undefined && recording !== undefined && runFolder !== undefined);
  for (const path of [join(root, "src"), runFolder]) await mkdir(path, { recursive: true });
  await writeFile(join(root, "one.h"), `inline int one() { return 1; }\n${secret}`);
  const sources = names.map((name) => join(root, "src", `${name}.cpp`));
  for (const source of sources) await writeFile(source, '#include "one.h"\nint f() { return one(); }\n');
  const compiler = ["g++", "-g", `-I${root}`];
  await record({ folder: recording, root, sources, compiler, jobs: 1 });
  for (const name of names) await writeFile(join(recording, `src@${name}.cpp.ms`), String(recordedMs));
  // Which object came back is seen by what no compiler writes.
  const changed = join(recording, "src@a.cpp.o");
  await writeFile(changed, Buffer.concat([await readFile(changed), Buffer.from("replayed")]));
  const farm = { project: { root, sources, compiler }, recording, slots: 2, folder: runFolder };
  return await measureContender(contender, farm, link, 1);
}

function check(runs: readonly BuildRun[], phases: readonly BuildRun["phase"][]): void {
  assert.deepEqual(
    runs.map(({ phase, files, equalObjects }) => [phase, files, equalObjects]),
    phases.map((phase) => [phase, 3, 3]),
  );
  for (const run of runs) {
    // Three compiles on two slots.
    assert.ok(run.wallMs >= 2 * recordedMs - 5, `${run.wallMs} ms`);
    assert.ok(run.upBytes > 0 && run.upWireBytes > run.upBytes && run.downBytes > 0, JSON.stringify(run));
  }
}

test("homcc builds cold and warm on a farm that replays", async (t) => {
  const runs = await measure(t, homcc);
  check(runs, ["cold", "warm"]);
  const [cold, warm] = runs;
  assert.ok(cold !== undefined && warm !== undefined && warm.upBytes < cold.upBytes);
  assert.ok(cold.daemonCpuMs > 0 && cold.serverCpuMs > 0);
});

test("distcc does, with a compiler that replays", async (t) => {
  if (!meets(t, { program: "distccd" }, { program: "distcc" })) return;
  assert.equal(distcc.missing(), undefined);
  check(await measure(t, distcc), ["each"]);
});

test("icecream does, and says what it compiled at home", async (t) => {
  const programs = ["icecc", "iceccd", "icecc-scheduler", "ip"].map((program) => ({ program }));
  if (!meets(t, "root", ...programs)) return;
  assert.equal(icecream.missing(), undefined);
  const runs = await measure(t, icecream);
  assert.deepEqual(
    runs.map(({ phase, files }) => [phase, files]),
    [
      ["cold", 3],
      ["warm", 3],
    ],
  );
  for (const { atHome = 0, equalObjects, files, upBytes } of runs) {
    // At home the real compiler is at work, which does not write what was put into the recording.
    assert.ok(
      equalObjects <= files && equalObjects + atHome >= files,
      `${equalObjects} equal, ${atHome} at home`,
    );
    assert.ok(upBytes > 0);
  }
});
