/** Containers where the command `docker` is podman's, which homccd's account reaches through podman's service. */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { after, before, test, type TestContext } from "node:test";
import { join } from "node:path";
import { parseAccounts } from "@homcc/homccd/privileges";
import { tagOf } from "@homcc/homccd/sandboxes/sandboxes";
import { readFile } from "node:fs/promises";
import { runCommand } from "../../support/command.ts";
import { writeFiles } from "../../support/files.ts";
import { type PodmanEngine, startPodmanEngine, startRootlessPodman } from "../../support/podman-engine.ts";
import { processesMentioning } from "../../support/processes.ts";
import { homccdProgram, homccProgram } from "../../support/repository.ts";
import { hasProgram, meets } from "../../support/requirements.ts";
import { compareWithSandbox, namespaceCommands, sandboxCommands } from "../../support/sandbox-site.ts";
import { hasSandboxTree } from "../../support/sandbox-tree.ts";
import { startServer } from "../../support/server.ts";
import { createWorkplace } from "../../support/workplace.ts";

let engine: PodmanEngine | undefined;

/** Limits of its own: podman asks for more than a container of a test machine may have. */
const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096", "--network=none"];

before(async () => {
  if (process.getuid?.() !== 0 || !hasProgram("podman") || !hasSandboxTree()) return;
  const accounts = parseAccounts(await readFile("/etc/passwd", "utf8"));
  // That which homccd becomes.
  const account = accounts.get("homcc") ?? accounts.get("nobody");
  engine = await startPodmanEngine(account?.uid ?? 0, account?.gid ?? 0);
  await engine.podman(
    "run",
    "--name=box",
    ...limits,
    "--volume=/tmp:/tmp",
    "-di",
    "tree",
    "sleep",
    "infinity",
  );
  await engine.podman("create", "--name=asleep", ...limits, "tree", "sleep", "infinity");
});

after(() => engine?.[Symbol.asyncDispose]());

const meetsAll = (t: TestContext): boolean => meets(t, "root", { program: "podman" }, "sandbox tree");

for (const [executor, name, commands] of [
  ["namespace", "docker", [...sandboxCommands, ...namespaceCommands]],
  ["mapped", "docker-mapped", sandboxCommands],
] as const) {
  test(`${name}: what comes back is what the container's own compiler gives; one that was restarted is entered again`, async (t) => {
    if (!meetsAll(t) || engine === undefined) return;
    const { variables } = engine;
    const podman = engine.podman.bind(engine);
    // As an account of a service has it.
    await using server = await startServer({ executor, variables: { ...variables, HOME: "/nonexistent" } });
    await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: true });
    const job = { HOMCC_DOCKER_CONTAINER: "box" };
    const pid = await podman("container", "inspect", "--format", "{{.State.Pid}}", "box");
    await compareWithSandbox(commands, workplace, job, (script) =>
      runCommand(["nsenter", "--target", pid, "--mount", "--root", "--", "sh", "-c", script], {
        cwd: "/",
        environment: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
      }),
    );
    const jobs = await workplace.jobs(commands.length);
    assert.deepEqual(new Set(jobs.map((each) => each.executor)), new Set([name]), server.log());
    const runners = processesMentioning(executor === "mapped" ? "/tmp/homccd-" : server.storeFolder);
    const inside = runners.filter(({ commandLine }) => /^(?:inside|namespace)$/.test(commandLine[1] ?? ""));
    assert.ok(inside.length > 0);
    for (const each of inside) assert.notEqual(statSync(`/proc/${each.pid}`).uid, 0, "no job is run as root");
    await podman("restart", "--time=0", "box");
    await writeFiles(workplace.project, { "a.cpp": "int x;\n" });
    const compile = [homccProgram, "g++", "-c", "a.cpp"];
    const again = await workplace.run(compile, { environment: workplace.environment(job) });
    assert.equal(again.status, 0, again.stderr);
    const asleep = workplace.environment({ HOMCC_DOCKER_CONTAINER: "asleep" });
    const refused = await workplace.run(compile, { environment: asleep });
    assert.equal(refused.status, 69);
    assert.match(refused.stderr, /container asleep is created, not running \(run: podman start asleep\)/);
  });
}

test("a podman of homccd's own account, without root: jobs are that account's, and the compiler is known by its files", async (t) => {
  if (!meetsAll(t)) return;
  const number = 54_242;
  await using own = await startRootlessPodman(number);
  await own.podman(
    "run",
    "--name=mine",
    "--network=none",
    "--volume=/tmp:/tmp",
    "-di",
    "tree",
    "sleep",
    "infinity",
  );
  await using server = await startServer({
    prefix: ["setpriv", "--clear-groups", `--reuid=${number}`, `--regid=${number}`],
    variables: own.variables,
    storeFolder: join(own.folder, "store"),
  });
  await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: true });
  await writeFiles(workplace.project, { "a.cpp": "int x;\n" });
  const environment = workplace.environment({ HOMCC_DOCKER_CONTAINER: "mine" });
  const result = await workplace.run([homccProgram, "g++", "-c", "a.cpp"], { environment });
  assert.equal(result.status, 0, `${result.stderr}\n${server.log()}`);
  assert.match(result.stderr, /there .* \([0-9a-f]{12}\)\n$/);
  assert.equal((await workplace.jobs(1)).at(-1)?.executor, "docker-mapped");
  const inside = processesMentioning(`/tmp/homccd-${tagOf(server.storeFolder, number)}/`).filter(
    ({ commandLine }) => commandLine[1] === "inside",
  );
  assert.deepEqual(
    inside.map(({ pid }) => statSync(`/proc/${pid}`).uid),
    [number],
  );
});

test("podman's states are told as docker's are", async (t) => {
  if (!meetsAll(t) || engine === undefined) return;
  await using workplace = await createWorkplace();
  const environment = { ...workplace.environment(engine.variables), ...engine.variables };
  const { stdout } = await workplace.run([homccdProgram, "--no-config", "--profiles"], { environment });
  assert.match(stdout, /docker containers:\n(?: {2}.*\n)* {2}asleep \(created, not running\)\n/);
  assert.match(stdout, /^ {2}box$/m);
});
