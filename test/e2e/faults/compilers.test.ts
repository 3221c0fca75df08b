/** Remote compilers that crash, are killed for want of memory, hang, or reach a limit: the file is compiled at home. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { assertNoLeaks } from "../../support/leaks.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { remoteCompiler } from "../../support/remote-compiler.ts";
import { startServer } from "../../support/server.ts";
import { briefSource } from "../../support/slow-source.ts";
import { assertSameUnit, unitCompile } from "../../support/unit-compile.ts";
import { createWorkplace } from "../../support/workplace.ts";

const endings: readonly [signal: NodeJS.Signals, what: string, outcome: string][] = [
  ["SIGSEGV", "crashes", "remote-crash"],
  ["SIGABRT", "finds an error in itself", "remote-crash"],
  ["SIGKILL", "is killed, as by a kernel without memory", "remote-limit"],
  ["SIGXCPU", "has used up its time", "remote-limit"],
  ["SIGSTOP", "hangs", "timed-out"],
];

test("remote compilers that end badly, or do not end", async () => {
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: false });
  const environment = workplace.environment({ HOMCC_COMPILATION_REQUEST_TIMEOUT: "6" });
  await writeFile(join(workplace.project, "first.cpp"), "int first;\n");
  assert.equal((await workplace.run(unitCompile("first"))).status, 0);
  for (const [index, [signal, what, outcome]] of endings.entries()) {
    await writeFile(join(workplace.project, `${signal}.cpp`), briefSource);
    const running = workplace.start(unitCompile(signal), { environment });
    process.kill(await remoteCompiler(server, signal), signal);
    const { status, stderr } = await running.finished;
    assert.equal(status, 0, stderr);
    assert.equal((await workplace.jobs(index + 2)).at(-1)?.outcome, outcome, what);
    await assertSameUnit(workplace, signal);
    recordSurvived(`The remote compiler ${what}`);
  }
  const { status, stderr } = await workplace.run(unitCompile("first"));
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.equal((await workplace.jobs(endings.length + 2)).at(-1)?.outcome, "compiled-remotely");
  await assertNoLeaks({ servers: [server], workplaces: [workplace] });
});
