/** A docker container with another g++ than this machine's, on a real engine that the test starts. */
import assert from "node:assert/strict";
import { existsSync, readFileSync as readNow, statSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { tagOf } from "@homcc/homccd/sandboxes/sandboxes";
import { type CommandResult, runCommand } from "../../support/command.ts";
import { type DockerEngine, startDockerEngine } from "../../support/docker-engine.ts";
import { writeFiles } from "../../support/files.ts";
import { endProcesses, isAlive, type ProcessInfo, processesMentioning } from "../../support/processes.ts";
import { homccdProgram, homccProgram } from "../../support/repository.ts";
import { hasProgram, meets } from "../../support/requirements.ts";
import { compareWithSandbox, namespaceCommands, sandboxCommands } from "../../support/sandbox-site.ts";
import { compilersOfTree, hasSandboxTree } from "../../support/sandbox-tree.ts";
import { type Server, startServer } from "../../support/server.ts";
import { slowSource } from "../../support/slow-source.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, systemPath, type Workplace } from "../../support/workplace.ts";

let engine: DockerEngine | undefined;
/** Started as root, so that jobs are laid over a container's root. */
let entering: Server;
/** Jobs go through one `docker exec`. */
let executing: Server;
let workplace: Workplace;

before(async () => {
  if (process.getuid?.() !== 0 || !hasProgram("dockerd") || !hasSandboxTree()) return;
  // homccd becomes `nobody`, whose group may use this engine.
  engine = await startDockerEngine("nogroup");
  await engine.docker("run", "--name", "box", "--volume", "/tmp:/tmp", "-dit", "tree", "sleep", "infinity");
  entering = await startServer({ variables: engine.variables });
  executing = await startServer({ variables: engine.variables, executor: "mapped" });
  workplace = await createWorkplace();
});

after(async () => {
  if (engine === undefined) return;
  await workplace[Symbol.asyncDispose]();
  await entering.stop();
  await executing.stop();
  await engine[Symbol.asyncDispose]();
});

function meetsAll(t: TestContext): boolean {
  return meets(t, "root", { program: "dockerd" }, { program: "docker" }, "sandbox tree");
}

function docker(...words: readonly string[]): Promise<CommandResult> {
  const environment = { PATH: systemPath, ...engine?.variables };
  return runCommand(["docker", ...words], { cwd: "/", environment });
}

const compileIn = (container: string, server: Server, compiler = "g++"): Promise<CommandResult> =>
  workplace.run([homccProgram, compiler, "-c", "a.cpp"], {
    environment: workplace.environment({
      HOMCC_DOCKER_CONTAINER: container,
      HOMCC_HOSTS: `${server.address}/4`,
    }),
  });

async function compareOn(server: Server, commands: readonly string[]): Promise<string[]> {
  const before = (await workplace.jobs()).length;
  const variables = { HOMCC_DOCKER_CONTAINER: "box", HOMCC_HOSTS: `${server.address}/4` };
  await compareWithSandbox(commands, workplace, variables, (script) =>
    docker("exec", "box", "sh", "-c", script),
  );
  const jobs = (await workplace.jobs(before + commands.length)).slice(before);
  return [...new Set(jobs.map(({ outcome, executor }) => `${outcome} ${executor}`))].toSorted();
}

test("in namespaces over the container's root: what comes back is what its own compiler gives", async (t) => {
  if (!meetsAll(t)) return;
  const done = await compareOn(entering, [...sandboxCommands, ...namespaceCommands]);
  assert.deepEqual(done, ["compile-error docker", "compiled-remotely docker"], entering.log());
});

test("with mapped paths inside the container: the same", async (t) => {
  if (!meetsAll(t)) return;
  const done = await compareOn(executing, sandboxCommands);
  assert.deepEqual(done, ["compile-error docker-mapped", "compiled-remotely docker-mapped"], executing.log());
});

test("what cannot be used is refused with what there is and the line to change", async (t) => {
  if (!meetsAll(t) || engine === undefined) return;
  await engine.docker("create", "--name", "stopped", "--volume", "/tmp:/tmp", "tiny", "/runner", "inside");
  await engine.docker("run", "--name", "alone", "-di", "tiny", "/runner", "inside");
  await engine.docker("run", "--name", "empty", "--volume", "/tmp:/tmp", "-di", "tiny", "/runner", "inside");
  await writeFiles(workplace.project, { "a.cpp": "int x;\n" });
  const refusal = async (container: string, compiler?: string): Promise<string> => {
    const result = await compileIn(container, executing, compiler);
    assert.equal(result.status, 69, result.stderr);
    return result.stderr;
  };
  assert.match(
    await refusal("nosuch"),
    /no docker container 'nosuch' on this server; there are: .*box \(running\)/,
  );
  assert.match(
    await refusal("stopped"),
    /container stopped is created, not running \(run: docker start stopped\)/,
  );
  assert.match(
    await refusal("alone"),
    /container alone does not share \/tmp with this server \(.*-v \/tmp:\/tmp/,
  );
  assert.match(await refusal("empty"), /container empty has no g\+\+; there are none \(install it inside/);
  assert.match(
    await refusal("box", "clang++"),
    /container box has no clang\+\+; there are: gcc, g\+\+, cc, c\+\+/,
  );
  const profiles = await workplace.run([homccdProgram, "--no-config", "--profiles"], {
    environment: workplace.environment(engine.variables),
  });
  assert.match(
    profiles.stdout,
    /docker containers:\n(?: {2}.*\n)* {2}stopped \(created, not running\)\n(?: {2}.*\n)* {2}box\n/,
  );
});

test("homcc --show-hosts --verbose and homcc doctor tell the containers and their states, as homccd --profiles does", async (t) => {
  if (!meetsAll(t) || engine === undefined) return;
  await engine.docker("create", "--name", "asleep", "tiny", "/runner", "inside");
  const variables = { HOMCC_HOSTS: `${entering.address}/4` };
  for (const words of [["--show-hosts", "--verbose"], ["doctor"]]) {
    const { stdout } = await workplace.run([homccProgram, ...words], {
      environment: workplace.environment(variables),
    });
    const [line = ""] = /docker containers: .*/.exec(stdout) ?? [];
    assert.match(line, /\basleep \(created, not running\)/, stdout);
    assert.match(line, /[ ,]box(?:,|$)/, stdout);
  }
});

test("a compiler that changes inside a container and still says the same version is noticed, where its files can be read", async (t) => {
  if (!meetsAll(t) || engine === undefined) return;
  await using own = await createWorkplace({ hosts: `${entering.address}/4`, forbidLocal: true });
  await writeFiles(own.project, { "a.cpp": "int x;\n" });
  const identity = async (): Promise<string | undefined> => {
    const environment = own.environment({ HOMCC_DOCKER_CONTAINER: "box" });
    const result = await own.run([homccProgram, "g++", "-c", "a.cpp"], { environment });
    assert.equal(result.status, 0, result.stderr);
    return /there .* \(([0-9a-f]{12})\)\n$/.exec(result.stderr)?.[1];
  };
  const before = await identity();
  assert.ok(before !== undefined, "its files are read");
  assert.equal(await identity(), undefined, "said once");
  await docker("exec", "box", "sh", "-c", 'printf x >>"$(g++ -print-prog-name=cc1plus)"');
  const after = await waitFor("the change to be noticed", identity);
  assert.notEqual(after, before);
});

test("a container that restarts and a runner that dies are entered again", async (t) => {
  if (!meetsAll(t) || engine === undefined) return;
  await writeFiles(workplace.project, { "a.cpp": "int x;\n" });
  for (const server of [entering, executing]) {
    assert.equal((await compileIn("box", server)).status, 0);
    await engine.docker("restart", "--time", "0", "box");
    assert.equal((await compileIn("box", server)).status, 0, server.log());
    assert.ok(runnersOf(server).length > 0);
    await endProcesses(runnersOf(server));
    assert.equal((await compileIn("box", server)).status, 0, server.log());
    await engine.docker("kill", "box");
    const stopped = await compileIn("box", server);
    assert.equal(stopped.status, 69);
    assert.match(stopped.stderr, /container box is exited, not running \(run: docker start box\)/);
    await waitFor("the runners in the container to be gone", () => runnersOf(server).length === 0);
    await engine.docker("start", "box");
  }
});

for (const kind of ["in namespaces", "mapped"] as const) {
  test(`${kind}: a job under which its container dies is answered and compiled at home; the next one gets the restarted container`, async (t) => {
    if (!meetsAll(t) || engine === undefined) return;
    const server = kind === "mapped" ? executing : entering;
    await using own = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: false });
    await writeFiles(own.project, { "slow.cpp": slowSource, "a.cpp": "int x;\n" });
    const environment = own.environment({ HOMCC_DOCKER_CONTAINER: "box" });
    const running = own.run([homccProgram, "g++", "-c", "slow.cpp", "-o", "slow.o"], { environment });
    const compiler = await waitFor("the compiler to run", async () => (await compilersOfTree("slow.cpp"))[0]);
    await engine.docker("kill", "box");
    const { status, stderr } = await running;
    assert.equal(status, 0, stderr);
    assert.match(stderr, /container box is exited, not running .*Compiling locally instead!/s);
    const plain = await own.run(["g++", "-c", "slow.cpp", "-o", "plain.o"]);
    assert.equal(plain.status, 0);
    assert.deepEqual(
      await readFile(join(own.project, "slow.o")),
      await readFile(join(own.project, "plain.o")),
    );
    await waitFor("the remote compiler to be gone", () => !isAlive(compiler.pid));
    await waitFor("the runners in the container to be gone", () => runnersOf(server).length === 0);
    assert.deepEqual(await leftBy(server), []);
    await engine.docker("start", "box");
    await waitFor("a job in the restarted container", async () => {
      const before = (await own.jobs()).length;
      await own.run([homccProgram, "g++", "-c", "a.cpp"], { environment });
      return (await own.jobs(before + 1)).at(-1)?.outcome === "compiled-remotely";
    });
    // Every slot is there: as many jobs as the server has at once, and one more.
    const compiles = Array.from({ length: 5 }, (_, index) =>
      own.run([homccProgram, "g++", "-c", "a.cpp", "-o", `a${index}.o`], { environment }),
    );
    for (const { status: each } of await Promise.all(compiles)) assert.equal(each, 0);
  });
}

/** Folders of environments and mounts that are left of a server's sandboxes. */
async function leftBy(server: Server): Promise<string[]> {
  const folders = [join(server.storeFolder, "sandboxes"), sharedFolderOf(server)];
  const names = await Promise.all(
    folders.map(async (folder) => (existsSync(folder) ? await readdir(folder) : [])),
  );
  const mounts = readNow("/proc/self/mounts", "utf8").split("\n");
  return [
    ...names.flat().filter((name) => name !== "runner"),
    ...mounts.filter((line) => folders.some((folder) => line.includes(folder))),
  ];
}

test("a job under which its container is restarted is run again in it", async (t) => {
  if (!meetsAll(t) || engine === undefined) return;
  await using own = await createWorkplace({ hosts: `${entering.address}/4`, forbidLocal: true });
  await writeFiles(own.project, { "slow.cpp": slowSource });
  const environment = own.environment({ HOMCC_DOCKER_CONTAINER: "box" });
  const running = own.run([homccProgram, "g++", "-c", "slow.cpp", "-o", "slow.o"], { environment });
  await waitFor("the compiler to run", async () => (await compilersOfTree("slow.cpp"))[0]);
  await engine.docker("restart", "--time", "0", "box");
  assert.equal((await running).status, 0, entering.log());
  const [job] = await own.jobs(1);
  assert.deepEqual([job?.outcome, job?.executor], ["compiled-remotely", "docker"]);
});

/** Of this server: other tests have homccds and runners of their own. */
function sharedFolderOf(server: Server): string {
  return `/tmp/homccd-${tagOf(server.storeFolder, statSync(`/proc/${server.pid}`).uid)}`;
}

/** The job runners in containers that this homccd started. */
function runnersOf(server: Server): ProcessInfo[] {
  if (server === executing) {
    return processesMentioning(`${sharedFolderOf(server)}/`).filter(
      ({ commandLine }) => commandLine[1] === "inside",
    );
  }
  return processesMentioning(join(server.storeFolder, "sandboxes")).filter(
    ({ commandLine }) => commandLine[1] === "namespace",
  );
}

test("the administrator says which containers there are, and homccd without access to docker says so", async (t) => {
  if (!meetsAll(t) || engine === undefined) return;
  await writeFiles(workplace.project, { "a.cpp": "int x;\n" });
  const refusalOf = async (options: Parameters<typeof startServer>[0]): Promise<string> => {
    await using other = await startServer(options);
    const result = await compileIn("box", other);
    assert.equal(result.status, 69);
    return result.stderr;
  };
  const { variables } = engine;
  const restricted = await refusalOf({ variables, options: ["--allowed-containers", "other"] });
  assert.match(
    restricted,
    /does not offer the docker container 'box'; there are none \(add it to allowed_containers/,
  );
  const elsewhere = { DOCKER_HOST: "unix:///nonexistent/docker.sock" };
  assert.match(await refusalOf({ variables: elsewhere }), /docker does not answer homccd: .*group docker/);
});
