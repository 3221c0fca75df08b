/** A first build through an uplink that is too thin for it: agent, server and ledger know nothing. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { startThinLink } from "../../benchmarks/link/thin-link-process.ts";
import { homccProgram } from "../support/repository.ts";
import { startServer } from "../support/server.ts";
import { createWorkplace } from "../support/workplace.ts";

const count = 24;
/** 0.8 s of the uplink for each, which no compression makes less. */
const ownBytes = 20_000;

test("jobs whose files would take the uplink too long are compiled at home, and that is said once", async () => {
  await using server = await startServer();
  const profile = { upMegabits: 0.2, downMegabits: 2, roundTripMs: 60 };
  await using link = await startThinLink(server.address, profile);
  await using workplace = await createWorkplace({ hosts: `127.0.0.1:${link.port}/64`, forbidLocal: false });
  const names = Array.from({ length: count }, (_, index) => `unit${index}`);
  for (const name of names) {
    const own = `// ${randomBytes(ownBytes).toString("base64")}\nint ${name};\n`;
    await writeFile(join(workplace.project, `${name}.c`), own);
  }
  const jobs = names.map((name) => `'${homccProgram}' gcc -c ${name}.c & pids="$pids $!"`);
  const script = `${jobs.join("\n")}\nfor pid in $pids; do wait $pid || exit 1; done`;
  const { status, stderr } = await workplace.run(["sh", "-c", script]);
  assert.equal(status, 0, stderr);
  const outcomes = (await workplace.jobs(count)).map(({ outcome }) => outcome);
  const atHome = outcomes.filter((outcome) => outcome !== "compiled-remotely");
  assert.deepEqual(
    atHome.filter((outcome) => outcome !== "sooner-at-home" && outcome !== "local-share"),
    [],
  );
  assert.ok(atHome.includes("sooner-at-home"), String(outcomes));
  // The others are those that the server had before anything was known.
  assert.ok(atHome.length >= count / 2, String(outcomes));
  assert.equal(stderr.split("Compiling here: ").length - 1, 1, stderr);
  const { up } = await link.counters();
  assert.ok(up.payloadBytes < (count * ownBytes) / 2, `${up.payloadBytes} bytes up`);
});
