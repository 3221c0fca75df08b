/** `homcc --audit`: a server and this machine compile, and everything is compared. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { Finding } from "@homcc/homcc/audit/findings";
import { writeFiles } from "../../support/files.ts";
import { changeObject, type HonestResult, startLyingServer } from "../../support/lying-server.ts";
import { processesMentioning } from "../../support/processes.ts";
import { recordHostileRequest } from "../../support/reliability.ts";
import { homccProgram } from "../../support/repository.ts";
import { startServer } from "../../support/server.ts";
import { unusedPort } from "../../support/strange-server.ts";
import { slowSource } from "../../support/slow-source.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

const files = {
  "a.c": '#include "h.h"\n#include <stdio.h>\nint value(void) { int unused; return H; }\n',
  "h.h": "#define H 1\n",
  "clock.c": "const char *when(void) { return __DATE__ __TIME__; }\n",
  "bad.c": "int value(void) { return 1 }\n",
  "main.c": "int value(void);\nint main(void) { return value() - 1; }\n",
};

async function auditIn(
  workplace: Workplace,
  command: string,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return await workplace.run([homccProgram, "--audit", ...command.split(" ")]);
}

test("an honest server: no false alarm, whatever the flags, and the outputs are this machine's", async () => {
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
  await writeFiles(workplace.project, files);
  const commands = [
    "gcc -c a.c",
    "gcc -O2 -g -MD -MP -c a.c -o out.o",
    "gcc -O2 -g -gsplit-dwarf -fstack-usage -Wall -MMD -MF dep.d -c a.c -o out.o",
    "gcc --coverage -c a.c -o out.o",
    "gcc -O2 -flto -c a.c -o out.o",
    "gcc -O2 -fprofile-generate -c a.c -o out.o",
    "gcc -S -O1 a.c -o a.s",
    "gcc -fsyntax-only -Wall a.c",
    "gcc -c clock.c -o out.o",
    "gcc -c bad.c -o out.o",
    "gcc -c a.c main.c",
    "gcc -march=native -O2 -c a.c -o out.o",
  ];
  for (const command of commands) {
    const { status, stdout, stderr } = await auditIn(workplace, command);
    assert.equal(status, 0, `${command}\n${stdout}${stderr}`);
    assert.match(stdout, /^verdict +identical: /m, command);
    assert.match(stdout, new RegExp(`^server +${server.address}, homccd`, "m"));
  }
  const jobs = await workplace.jobs(commands.length);
  assert.deepEqual([...new Set(jobs.map(({ outcome }) => outcome))], ["compiled-remotely"]);
  const plain = await workplace.run(["gcc", "-O2", "-g", "-MD", "-MP", "-c", "a.c", "-o", "plain.o"]);
  assert.equal(plain.status, 0);
  await auditIn(workplace, "gcc -O2 -g -MD -MP -c a.c -o audited.o");
  const [one, other] = ["plain.o", "audited.o"].map((name) => readFile(join(workplace.project, name)));
  assert.deepEqual(await one, await other);
  const linked = await auditIn(workplace, "gcc a.c main.c -o program");
  assert.equal(linked.status, 0, linked.stdout + linked.stderr);
  assert.equal((await workplace.run(["./program"])).status, 0);
  const findings = await workplace.run([homccProgram, "audit"]);
  assert.deepEqual([findings.status, findings.stdout], [0, "No audit found a difference.\n"]);
});

test("a server that lies: about the object, a message, the dependency file, the status", async () => {
  const lies: readonly [string, (result: HonestResult) => void, RegExp][] = [
    ["object", changeObject, /^differs +\S+a\.o: section \.text, offset 0x[0-9a-f]+$/m],
    [
      "message",
      (result) => (result.stderr = Buffer.from("all is well\n")),
      /^differs +stderr: line 1: "all is well" there/m,
    ],
    [
      "dependency file",
      ({ outputs }) => {
        for (const [path, output] of outputs)
          if (path.endsWith(".d")) output.bytes = Buffer.from(output.bytes.toString().replace("h.h", "i.h"));
      },
      /^differs +\S+a\.d: line 1: /m,
    ],
    [
      "a file that is missing",
      ({ outputs }) =>
        [...outputs.keys()].filter((path) => path.endsWith(".d")).forEach((path) => outputs.delete(path)),
      /a\.d: left alone there, written here$/m,
    ],
  ];
  for (const [name, lie, expected] of lies) {
    await using server = await startLyingServer(lie);
    await using workplace = await createWorkplace({
      hosts: `127.0.0.1:${server.port}/4`,
      forbidLocal: false,
    });
    await writeFiles(workplace.project, files);
    const { status, stdout, stderr } = await auditIn(workplace, "gcc -O1 -Wall -MD -c a.c -o a.o");
    assert.equal(status, 1, `${name}: ${stdout}${stderr}`);
    assert.match(stdout, /^verdict +DIFFERENT$/m, name);
    assert.match(stdout, expected, name);
    const object = await readFile(join(workplace.project, "a.o"));
    await workplace.run(["gcc", "-O1", "-Wall", "-MD", "-c", "a.c", "-o", "plain.o"]);
    assert.deepEqual(object, await readFile(join(workplace.project, "plain.o")));
    const bundle = /^bundle +(\S+)$/m.exec(stdout)?.[1] ?? "";
    assert.deepEqual((await readdir(bundle)).toSorted(), ["here", "report.json", "server"]);
    assert.deepEqual(
      (await readdir(join(bundle, "server"))).filter((file) => /^(stdout|stderr)$/.test(file)),
      ["stderr", "stdout"],
    );
  }
  recordHostileRequest("a server sends another result than the compiler makes: noticed by homcc --audit", {
    tried: lies.length,
    refused: lies.length,
  });
});

test("the next build does without the server, says so, and `homcc audit --clear` ends it", async () => {
  await using server = await startLyingServer(changeObject);
  await using workplace = await createWorkplace({ hosts: `127.0.0.1:${server.port}/4`, forbidLocal: false });
  await writeFiles(workplace.project, files);
  const host = `127.0.0.1:${server.port}`;
  const compile = async (): Promise<string> => {
    const { status, stderr } = await workplace.run([homccProgram, "gcc", "-O1", "-c", "a.c", "-o", "a.o"]);
    assert.equal(status, 0, stderr);
    return stderr;
  };
  assert.equal((await auditIn(workplace, "gcc -O1 -c a.c -o a.o")).status, 1);
  const before = server.jobs.length;
  const said = await compile();
  assert.match(
    said,
    /HOMCC-ERROR\] self-audit: \S+\/a\.c from 127\.0\.0\.1:\d+ is not what this machine's compiler makes/,
  );
  assert.match(
    said,
    /\[HOMCC-WARNING\] an audit found a difference in what the server made: 127\.0\.0\.1:\d+\. Compiling locally/,
  );
  assert.equal(server.jobs.length, before);
  const quiet = await compile();
  assert.equal(quiet, "");
  const jobs = await workplace.jobs(3);
  assert.deepEqual(
    jobs.slice(1).map(({ outcome }) => outcome),
    ["server-quarantined", "server-quarantined"],
  );
  const forbidden = await workplace.run([homccProgram, "gcc", "-O1", "-c", "a.c", "-o", "a.o"], {
    environment: workplace.environment({ HOMCC_NO_LOCAL_COMPILATION: "1" }),
  });
  assert.equal(forbidden.status, 69);

  const status = await workplace.run([homccProgram, "status"]);
  assert.match(status.stdout, /^Audits: 0 identical, 1 different, 0 void, 0 not possible; 0 to come$/m);
  assert.match(status.stdout, /^WARNING: self-audit: .* gets no jobs/m);
  assert.match(status.stdout, /^Bundles for diagnosis:\n {4}\/\S+$/m);
  assert.match(
    (await workplace.run([homccProgram, "stats"])).stdout,
    /^Audits +0 identical, 1 DIFFERENT: homcc audit says which/m,
  );
  const doctor = await workplace.run([homccProgram, "doctor"]);
  assert.match(doctor.stdout, /^Self-audit\n {2}PROBLEM {2}self-audit: .*gets no jobs/m);
  assert.equal(doctor.status, 1);
  const listed = await workplace.run([homccProgram, "audit"]);
  assert.equal(listed.status, 1);
  assert.match(listed.stdout, new RegExp(`^Quarantined: server ${host}$`, "m"));
  const findings: Finding[] = JSON.parse((await workplace.run([homccProgram, "audit", "--json"])).stdout);
  assert.deepEqual(
    findings.map((finding) => [finding.host, finding.signature.text]),
    [[host, "gcc c -O1 -c"]],
  );

  const cleared = await workplace.run([homccProgram, "audit", "--clear"]);
  assert.deepEqual([cleared.status, /All of this is forgotten/.test(cleared.stdout)], [0, true]);
  await compile();
  assert.equal((await workplace.jobs(5)).at(-1)?.outcome, "compiled-remotely");
});

test("another server takes the jobs; when it lies in the same way, it is the flags", async () => {
  await using liar = await startLyingServer(changeObject);
  await using other = await startLyingServer(changeObject);
  await using workplace = await createWorkplace({ forbidLocal: false });
  await writeFiles(workplace.project, files);
  const [one, two] = [liar, other].map(({ port }) => `127.0.0.1:${port}`);
  const run = (hosts: string, ...words: readonly string[]) =>
    workplace.run([homccProgram, ...words], { environment: workplace.environment({ HOMCC_HOSTS: hosts }) });
  await run(`${one}/4`, "--audit", "gcc", "-O1", "-c", "a.c");
  for (let n = 0; n < 5; n++) await run(`${one}/4 ${two}/4`, "gcc", "-O1", "-c", "a.c");
  assert.deepEqual([liar.jobs.length, other.jobs.length], [1, 5]);
  await run(`${two}/4`, "--audit", "gcc", "-O1", "-c", "a.c");
  const same = await run(`${one}/4 ${two}/4`, "gcc", "-O1", "-c", "a.c");
  assert.match(same.stderr, /an audit found a difference with these flags: gcc c -O1 -c\. Compiling locally/);
  assert.deepEqual([liar.jobs.length, other.jobs.length], [1, 6]);
  await run(`${one}/4`, "gcc", "-O0", "-c", "a.c");
  assert.equal(liar.jobs.length, 2);
  const outcomes = (await workplace.jobs(9)).slice(-2).map(({ outcome }) => outcome);
  assert.deepEqual(outcomes, ["flags-quarantined", "compiled-remotely"]);
});

test("without a server, without hosts, for a command that stays at home: compiled, with the reason and 69", async () => {
  await using workplace = await createWorkplace({ forbidLocal: false });
  await writeFiles(workplace.project, files);
  const nowhere = `127.0.0.1:${await unusedPort()}/2`;
  const cases: readonly [string | undefined, string, RegExp][] = [
    [nowhere, "gcc -c a.c -o a.o", /^verdict +not compared: no server could be reached: 127\.0\.0\.1/m],
    [undefined, "gcc -c a.c -o a.o", /^verdict +not compared: No hosts are configured/m],
    [nowhere, "gcc -E a.c -o a.o", /^verdict +not compared: nothing to compile/m],
  ];
  for (const [hosts, command, expected] of cases) {
    const environment = workplace.environment({ HOMCC_HOSTS: hosts });
    const words = [homccProgram, "--audit", ...command.split(" ")];
    const { status, stdout, stderr } = await workplace.run(words, { environment });
    assert.equal(status, 69, stdout + stderr);
    assert.match(stdout, expected);
    assert((await readFile(join(workplace.project, "a.o"))).length > 0);
  }
});

test("it can be ended, and works without an agent", async () => {
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
  await writeFiles(workplace.project, { ...files, "slow.cpp": slowSource });
  const words = [homccProgram, "--audit", "gcc", "-O2", "-c", "a.c", "-o", "a.o"];
  const alone = await workplace.run(words, { environment: workplace.environment({ HOMCC_NO_AGENT: "1" }) });
  assert.equal(alone.status, 0, alone.stdout + alone.stderr);
  const running = workplace.start([homccProgram, "--audit", "g++", "-O2", "-c", "slow.cpp", "-o", "slow.o"]);
  const isRunner = ({ commandLine }: { readonly commandLine: readonly string[] }): boolean =>
    commandLine.some((word) => word.endsWith("/local-run.mjs"));
  await waitFor("the local compile", () => processesMentioning(workplace.folder).some(isRunner), 60_000);
  running.kill("SIGTERM");
  await running.finished;
  await waitFor("its end", () => !processesMentioning(workplace.folder).some(isRunner));
});
