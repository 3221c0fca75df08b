/** What one client may take from the others, and what is written of each. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { recordLoad } from "../../support/reliability.ts";
import { removeFolder } from "../../support/remove-folder.ts";
import { replayedUnits } from "../../support/replayed-units.ts";
import { homccProgram } from "../../support/repository.ts";
import { type Server, startServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

function started(server: Server): string[] {
  return [...server.log().matchAll(/(\w+)\.c: the compiler starts/g)].map(([, name = ""]) => name);
}

/** Through IPv4 and IPv6 it has two addresses, and is two clients: nothing else is proven here. */
async function compileFrom(
  address: string,
  workplace: Workplace,
  names: readonly string[],
  server: Server,
  parallel: number,
) {
  return await workplace.run(["xargs", "-P", String(parallel), "-I{}", homccProgram, "gcc", "-c", "{}"], {
    environment: workplace.environment({ HOMCC_HOSTS: `${address}:${server.port}/256` }),
    input: names.join("\n"),
    timeoutMs: 180_000,
  });
}

test("200 jobs over several connections of one client do not starve another's two", async () => {
  const records = await mkdtemp(join(tmpdir(), "homcc-test-"));
  await chmod(records, 0o755);
  try {
    // Three agents of one address, which is one client, and one agent of another.
    await using stack = new AsyncDisposableStack();
    const agents: Workplace[] = [];
    for (let agent = 0; agent < 4; agent += 1) agents.push(stack.use(await createWorkplace()));
    const work: { workplace: Workplace; names: readonly string[] }[] = [];
    for (const [index, workplace] of agents.entries()) {
      const count = index === 3 ? 2 : 67;
      const units = await replayedUnits(workplace.project, records, count, () => 150, "/");
      work.push({ workplace, names: units.names });
    }
    const options = [
      "--executor",
      "replay",
      "--replay-dir",
      records,
      "--replay-root",
      "/",
      "--log-level",
      "DEBUG",
    ];
    await using server = await startServer({ limit: 2, listen: "::", options });
    const modest = work.pop();
    assert.ok(modest !== undefined);
    const building = work.map(({ workplace, names }) =>
      compileFrom("127.0.0.1", workplace, names, server, 40),
    );
    await waitFor("three connections with jobs", () => started(server).length >= 6);
    const before = started(server).length;
    const { status, stderr } = await compileFrom("[::1]", modest.workplace, modest.names, server, 2);
    assert.equal(status, 0, stderr);
    const between = started(server).length - before;
    for (const { status: each } of await Promise.all(building)) assert.equal(each, 0);
    assert.equal(started(server).length, 203);
    recordLoad("200 jobs of one client on three connections, 2 of another, 2 slots", {
      jobs: 203,
      "jobs begun until the two were done": between,
    });
  } finally {
    await removeFolder(records);
  }
});

test("each job is in the access log; a reload follows logrotate, and no source or secret is in it", async () => {
  await using workplace = await createWorkplace();
  const units = await replayedUnits(workplace.project, join(workplace.folder, "records"), 3, () => 20);
  const folder = join(workplace.folder, "log");
  await mkdir(folder);
  await chmod(folder, 0o777);
  const path = join(folder, "access.log");
  await using server = await startServer({ options: [...units.options, "--access-log", path] });
  const [one = "", two = "", three = ""] = units.names;
  const compile = (name: string) =>
    workplace.run([homccProgram, "gcc", "-DSECRET=hunter2", "-c", name], {
      environment: workplace.environment({ HOMCC_HOSTS: server.address }),
    });
  const lines = async (file: string): Promise<Record<string, unknown>[]> =>
    (await readFile(file, "utf8").catch(() => ""))
      .split("\n")
      .slice(0, -1)
      .map((line): Record<string, unknown> => JSON.parse(line));
  assert.equal((await compile(one)).status, 0);
  await waitFor("its line", async () => (await lines(path)).length === 1);
  await rename(path, `${path}.1`);
  server.kill("SIGHUP");
  await waitFor(
    "a new file",
    async () => (await lines(`${path}.1`)).length === 1 && server.log().includes("settings read"),
  );
  assert.equal((await compile(two)).status, 0);
  await waitFor("its line", async () => (await lines(path)).length === 1);
  await removeFolder(join(workplace.folder, "records", `${three}.o`));
  await compile(three);
  await waitFor("the refused one", async () => (await lines(path)).length === 2);
  const [first] = await lines(`${path}.1`);
  const all = [...(await lines(`${path}.1`)), ...(await lines(path))];
  assert.deepEqual(
    all.map(({ client, job, outcome }) => [client, job, outcome]),
    [
      ["127.0.0.1", one, "compiled"],
      ["127.0.0.1", two, "compiled"],
      ["127.0.0.1", three, "refused"],
    ],
  );
  assert.match(String(first?.["time"]), /^\d{4}-\d\d-\d\dT/);
  for (const key of ["ms", "compileMs", "receivedBytes", "sentBytes"])
    assert.ok(Number(first?.[key]) > 0, key);
  assert.doesNotMatch(JSON.stringify(all), /hunter2/);
});

test("what is beyond a limit names the option; the jobs are done", async () => {
  await using workplace = await createWorkplace({ forbidLocal: false });
  await using other = await createWorkplace({ forbidLocal: false });
  const units = await replayedUnits(workplace.project, join(workplace.folder, "records"), 4, () => 1_500);
  await using server = await startServer({
    options: [...units.options, "--max-jobs-per-client", "1", "--max-connections-per-client", "1"],
  });
  const hosts = { HOMCC_HOSTS: `${server.address}/8` };
  const building = workplace.run(["xargs", "-P", "4", "-I{}", homccProgram, "gcc", "-c", "{}"], {
    environment: workplace.environment(hosts),
    input: units.names.join("\n"),
  });
  assert.equal((await building).status, 0);
  const jobs = await workplace.jobs(4);
  assert.ok(
    jobs.some(({ outcome, detail }) => outcome === "remote-limit" && detail.includes("max_jobs_per_client")),
  );
  await writeFile(join(other.project, "a.c"), "int x;\n");
  assert.equal(
    (await other.run([homccProgram, "gcc", "-c", "a.c"], { environment: other.environment(hosts) })).status,
    0,
  );
  const [refused] = await other.jobs(1);
  assert.equal(refused?.outcome, "no-server");
  assert.match(refused?.detail ?? "", /max_connections_per_client/);
});

test("a client that is held back is slow, and nothing of it is refused or lost", async () => {
  await using workplace = await createWorkplace();
  await using server = await startServer({ options: ["--max-rate-per-client", "4"] });
  // Bytes that no compression makes less: a megabyte at half a megabyte a second.
  let text = "";
  for (let value = 88172645463325252n; text.length < 1.5e6;) {
    value ^= (value << 13n) & 0xffffffffffffffffn;
    value ^= value >> 7n;
    value ^= (value << 17n) & 0xffffffffffffffffn;
    text += `// ${value.toString(36)}\n`;
  }
  await writeFile(join(workplace.project, "a.c"), `int x;\n${text}`);
  const startedMs = performance.now();
  const { status, stderr } = await workplace.run([homccProgram, "gcc", "-c", "a.c"], {
    environment: workplace.environment({ HOMCC_HOSTS: server.address }),
  });
  assert.equal(status, 0, stderr);
  assert.ok(performance.now() - startedMs > 500, "not at once");
  const [job] = await workplace.jobs(1);
  assert.equal(job?.outcome, "compiled-remotely");
});
