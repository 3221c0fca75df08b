/** A homccd that reads its settings anew while it works. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../../support/command.ts";
import { replayedUnits } from "../../support/replayed-units.ts";
import { homccdProgram, homccProgram } from "../../support/repository.ts";
import { type Server, startServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, systemPath } from "../../support/workplace.ts";

function administer(server: Server, ...words: string[]) {
  return runCommand([homccdProgram, "--no-config", "--store", server.storeFolder, ...words], {
    cwd: "/",
    environment: { PATH: systemPath },
  });
}

function startedOn(server: Server): number {
  return [...server.log().matchAll(/: the compiler starts/g)].length;
}

test("a reload under load: the new limit counts, the connection stays, a bad file changes nothing", async () => {
  await using workplace = await createWorkplace();
  const units = await replayedUnits(workplace.project, join(workplace.folder, "records"), 9, (index) =>
    index === 0 ? 4_000 : 300,
  );
  await using server = await startServer({
    configuration: "[homccd]\nlimit = 1\nlog_level = DEBUG\n",
    options: units.options,
  });
  const configure = (text: string) => writeFile(join(server.folder, "homcc.conf"), `[homccd]\n${text}`);
  const building = workplace.run(["xargs", "-P", "9", "-I{}", homccProgram, "gcc", "-c", "{}"], {
    environment: workplace.environment({ HOMCC_HOSTS: `${server.address}/16` }),
    input: units.names.join("\n"),
    timeoutMs: 60_000,
  });
  await waitFor("a job", () => startedOn(server) >= 1);

  await configure("limit = many\nlog_level = DEBUG\n");
  const bad = await administer(server, "reload");
  assert.equal(bad.status, 78);
  assert.match(bad.stderr, /settings stay as they are: .*homcc\.conf:2: .*limit/);
  server.kill("SIGHUP");
  await waitFor("the same by a signal", () => /ERROR.*settings stay as they are/.test(server.log()));

  await configure("limit = 8\nport = 1\nlog_level = DEBUG\n");
  const good = await administer(server, "reload");
  assert.deepEqual(
    [good.status, good.stdout],
    [0, "settings changed: limit\n"],
    "its flag beats the file's port",
  );
  await waitFor("jobs beside the first", () => startedOn(server) >= 9);
  assert.equal((await building).status, 0);

  await configure("limit = 8\nlog_level = WARNING\n");
  server.kill("SIGHUP");
  const quiet = await administer(server, "reload");
  assert.equal(quiet.stdout, "settings read, none changed\n", "reloads come one after the other");
  const connections = [...server.log().matchAll(/: homcc 2/g)].length;
  assert.equal(connections, 1, "all jobs on one connection");
});

test("whom a reload no longer allows is refused, whoever is connected stays", async () => {
  await using workplace = await createWorkplace();
  await using other = await createWorkplace({ forbidLocal: false });
  const units = await replayedUnits(workplace.project, join(workplace.folder, "records"), 2, () => 1_000);
  await using server = await startServer({
    configuration: "[homccd]\nallow = private\nlog_level = DEBUG\n",
    options: units.options,
  });
  const hosts = { HOMCC_HOSTS: server.address };
  const compile = (name: string) => [homccProgram, "gcc", "-c", name];
  const first = workplace.run(compile(units.names[0] ?? ""), { environment: workplace.environment(hosts) });
  await waitFor("a job", () => startedOn(server) === 1);
  await writeFile(join(server.folder, "homcc.conf"), "[homccd]\nallow = 192.0.2.1\nlog_level = DEBUG\n");
  assert.equal((await administer(server, "reload")).stdout, "settings changed: allow\n");
  assert.equal((await first).status, 0);
  const second = await workplace.run(compile(units.names[1] ?? ""), {
    environment: workplace.environment(hosts),
  });
  assert.equal(second.status, 0, second.stderr);
  await writeFile(join(other.project, "a.c"), "int x;\n");
  await other.run(compile("a.c"), { environment: other.environment(hosts) });
  const [job] = await other.jobs(1);
  assert.equal(job?.outcome, "no-server");
  assert.match(server.log(), /is not allowed .*option 'allow' of homccd/);
});
