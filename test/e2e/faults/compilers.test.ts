/** Remote compilers that crash, are killed for want of memory, hang, or reach a limit: the file is compiled at home. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { assertNoLeaks } from "../../support/leaks.ts";
import { compilersOf, processTree } from "../../support/processes.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { type Server, startServer } from "../../support/server.ts";
import { assertSameUnit, unitCompile } from "../../support/unit-compile.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace } from "../../support/workplace.ts";

const endings: readonly [signal: NodeJS.Signals, what: string, outcome: string][] = [
  ["SIGSEGV", "crashes", "remote-crash"],
  ["SIGABRT", "finds an error in itself", "remote-crash"],
  ["SIGKILL", "is killed, as by a kernel without memory", "remote-limit"],
  ["SIGXCPU", "has used up its time", "remote-limit"],
  ["SIGSTOP", "hangs", "timed-out"],
];

/** Half a second of a front end: long enough to be found. */
const source = `constexpr unsigned long spin(unsigned long n) {
  unsigned long x = n;
  for (unsigned long i = 0; i < n; ++i) x = x * 6364136223846793005ul + 1442695040888963407ul;
  return x;
}
constexpr unsigned long table[] = {spin(200000)};
unsigned long value(int i) { return table[i]; }
`;

function remoteCompiler(server: Server, name: string): number | undefined {
  const own = new Set(processTree(server.pid).map(({ pid }) => pid));
  return compilersOf(`${name}.cpp`).find(({ pid }) => own.has(pid))?.pid;
}

test("remote compilers that end badly, or do not end", async () => {
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: false });
  const environment = workplace.environment({ HOMCC_COMPILATION_REQUEST_TIMEOUT: "6" });
  await writeFile(join(workplace.project, "first.cpp"), "int first;\n");
  assert.equal((await workplace.run(unitCompile("first"))).status, 0);
  for (const [index, [signal, what, outcome]] of endings.entries()) {
    await writeFile(join(workplace.project, `${signal}.cpp`), source);
    const running = workplace.start(unitCompile(signal), { environment });
    process.kill(await waitFor("the remote compiler", () => remoteCompiler(server, signal), 50_000), signal);
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
