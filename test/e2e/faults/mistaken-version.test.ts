/**
 * A connection that ends before the welcome looks like a server of homcc 1.x, which compiles with whatever it has under the
 * compiler's name. One of ours that was mistaken for it must not.
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { startCutLink } from "../../support/cut-link.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { homccProgram } from "../../support/repository.ts";
import { startServer } from "../../support/server.ts";
import { createWorkplace } from "../../support/workplace.ts";
import { makeNoopToolchain } from "../../soak/noop-toolchain.ts";

test("a line that is cut in the hello of a new agent: the compiler is the client's own, not the server's of that name", async () => {
  await using server = await startServer();
  // The first connection ends before a byte of the server has passed; every other is a whole one.
  await using link = await startCutLink(server.port, [0]);
  await using workplace = await createWorkplace({ hosts: `${link.address}/4` });
  // Called gcc, and making other objects than the gcc in PATH.
  const gcc = makeNoopToolchain(join(workplace.folder, "toolchain"));
  await writeFile(join(workplace.project, "a.c"), "int a;\n");
  const { status, stderr } = await workplace.run([homccProgram, gcc, "-c", "a.c", "-o", "a.o"]);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.equal(link.cuts(), 1);
  assert.equal(await readFile(join(workplace.project, "a.o"), "latin1"), "int a;\n");
  const [job] = await workplace.jobs(1);
  assert.deepEqual([job?.outcome, job?.executor], ["compiled-remotely", "namespace"]);
  recordSurvived("The connection ends before the server's welcome, as one of homcc 1.x ends it");
});
