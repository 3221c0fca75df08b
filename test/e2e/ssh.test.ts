/** Servers behind SSH: a real sshd on loopback with a homccd behind it. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startPath } from "@homcc/transport/fixtures/path";
import type { CommandResult } from "../support/command.ts";
import { agentsOf, type ProcessInfo, processesMentioning } from "../support/processes.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { homccProgram } from "../support/repository.ts";
import { hasProgram } from "../support/requirements.ts";
import { type Server, startServer } from "../support/server.ts";
import { slowSource } from "../support/slow-source.ts";
import { type SshServer, startSshServer } from "../support/ssh-server.ts";
import { startStrangeServer, unusedPort } from "../support/strange-server.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../support/workplace.ts";

/** A connection that was quiet for this long is asked whether it lives: what passes here is what the test is about. */
const quietMs = 1_100;

let folder: string;
let server: Server;
let ssh: SshServer;
/** Its agent serves all tests that only differ in their variables: a toolchain is hashed once. */
let shared: Workplace;
const missing = ["ssh", "sshd"].filter((name) => !hasProgram(name));
const options = missing.length === 0 ? {} : { skip: `needs ${missing.join(", ")}` };

before(async () => {
  if (missing.length > 0) return;
  folder = await mkdtemp(join(tmpdir(), "homcc-ssh-"));
  server = await startServer({ limit: 64 });
  ssh = await startSshServer(join(folder, "sshd"));
  shared = await sshWorkplace({ forbidLocal: false });
});

after(async () => {
  if (missing.length > 0) return;
  await shared[Symbol.asyncDispose]();
  await ssh[Symbol.asyncDispose]();
  await server.stop();
  await removeFolder(folder);
});

/** A developer's machine whose server is reached through SSH. */
async function sshWorkplace(
  settings: {
    readonly hosts?: string;
    readonly through?: SshServer;
    readonly forbidLocal?: boolean;
    readonly variables?: Readonly<Record<string, string>>;
  } = {},
): Promise<Workplace> {
  const { hosts = `@build:${server.port}/32`, through = ssh, forbidLocal = true } = settings;
  const workplace = await createWorkplace({ forbidLocal });
  await writeFile(join(workplace.project, "a.cpp"), "#include <vector>\nint f() { return 1; }\n");
  const environment: Workplace["environment"] = (more = {}) =>
    workplace.environment({
      HOMCC_HOSTS: hosts,
      HOMCC_SSH_OPTIONS: `-F ${through.configFile}`,
      ...settings.variables,
      ...more,
    });
  return {
    ...workplace,
    environment,
    run: (argv, more = {}) => workplace.run(argv, { environment: environment(), ...more }),
    start: (argv, more = {}) => workplace.start(argv, { environment: environment(), ...more }),
  };
}

function compile(workplace: Workplace, more: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
  return workplace.run([homccProgram, "g++", "-g", "-c", "a.cpp", "-o", "a.o"], {
    environment: workplace.environment(more),
  });
}

async function mustCompile(workplace: Workplace, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const result = await compile(workplace, more);
  assert.deepEqual([result.status, result.stderr], [0, ""]);
}

/** The ssh processes of this agent, without those that only gave an order to another one. */
function masters(workplace: Workplace): ProcessInfo[] {
  return processesMentioning(workplace.folder).filter(
    ({ commandLine }) => commandLine[0] === "ssh" && commandLine.includes("-N"),
  );
}

function agentOf(workplace: Workplace): number {
  const [agent] = agentsOf(workplace.homccFolder);
  assert.ok(agent);
  return agent.pid;
}

/** Besides the agent's lock, log and socket. */
async function sshSockets(workplace: Workplace): Promise<string[]> {
  const names = await readdir(join(workplace.homccFolder, "run"));
  return names.filter((name) => !name.startsWith("agent."));
}

test(
  "an object that was made through SSH is the local one, also where a key may do nothing but that",
  options,
  async () => {
    const key = await readFile(join(ssh.folder, "key.pub"), "utf8");
    const keys = join(ssh.folder, "authorized_keys");
    await writeFile(keys, `restrict,port-forwarding,permitopen="localhost:${server.port}" ${key}`);
    try {
      await using workplace = await sshWorkplace();
      const remote = await workplace.run([
        homccProgram,
        "--verbose",
        "g++",
        "-g",
        "-c",
        "a.cpp",
        "-o",
        "a.o",
      ]);
      assert.equal(remote.status, 0, remote.stderr);
      const name = `@build:${server.port} (ssh -F ${ssh.configFile})`;
      assert.equal(remote.stderr, `[HOMCC-INFO] Compiled remotely on ${name}\n`);
      assert.equal((await workplace.run(["g++", "-g", "-c", "a.cpp", "-o", "b.o"])).status, 0);
      const [one, other] = await Promise.all(
        ["a.o", "b.o"].map((object) => readFile(join(workplace.project, object))),
      );
      assert.deepEqual(one, other);
      const shown = await workplace.run([homccProgram, "--show-hosts"]);
      assert.equal(shown.stdout, `@build:${server.port}/32\n`);
      const status = await workplace.run([homccProgram, "status"]);
      assert.ok(status.stdout.includes(`\n${name}  connected `), status.stdout);
    } finally {
      await writeFile(keys, key);
    }
  },
);

test("USER@localhost is contacted; --host takes it", options, async () => {
  const host = `${ssh.user}@localhost:${server.port}/3`;
  const result = await shared.run([homccProgram, "--verbose", "--host", host, "g++", "-c", "a.cpp"]);
  assert.match(result.stderr, new RegExp(`^\\[HOMCC-INFO\\] Compiled remotely on ${ssh.user}@localhost:`));
});

test("many jobs at once, by two lists of hosts, share one ssh", options, async () => {
  await using workplace = await sshWorkplace();
  const before_ = await ssh.logins();
  const jobs = Array.from({ length: 24 }, (_, index) =>
    workplace.run([homccProgram, "g++", "-c", "a.cpp", "-o", `${index}.o`], {
      environment: workplace.environment(index % 2 === 0 ? {} : { HOMCC_HOSTS: `@build:${server.port}/5` }),
    }),
  );
  for (const { status, stderr } of await Promise.all(jobs)) assert.deepEqual([status, stderr], [0, ""]);
  assert.equal((await workplace.jobs(24)).length, 24);
  assert.equal(masters(workplace).length, 1);
  assert.equal(await ssh.logins(), before_ + 1);
});

test(
  "an ssh that is killed is replaced; a job that it carried goes through the next one",
  options,
  async () => {
    await using workplace = await sshWorkplace();
    await writeFile(join(workplace.project, "slow.cpp"), slowSource);
    await mustCompile(workplace);
    const running = workplace.start([homccProgram, "g++", "-c", "slow.cpp", "-o", "slow.o"]);
    await waitFor("the job to be there", async () => {
      const status = await workplace.run([homccProgram, "status"]);
      return status.stdout.includes("slow.cpp");
    });
    const [first] = masters(workplace);
    assert.ok(first);
    process.kill(first.pid, "SIGKILL");
    await waitFor("another ssh", () => masters(workplace).some(({ pid }) => pid !== first.pid));
    running.kill("SIGTERM");
    await running.finished;
    await mustCompile(workplace);
    const [second] = masters(workplace);
    assert.notEqual(second?.pid, first.pid);
    assert.equal((await sshSockets(workplace)).length, 1);
  },
);

test("a line that died without a word: the next job goes through another ssh", options, async () => {
  await using path = await startPath(ssh.port);
  const known = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
  await using workplace = await sshWorkplace({
    variables: { HOMCC_SSH_OPTIONS: `-p ${path.port} ${known} -F ${ssh.configFile}` },
  });
  await mustCompile(workplace);
  const [first] = masters(workplace);
  path.hold({ newOnes: false });
  await sleep(quietMs);
  await mustCompile(workplace);
  await waitFor("the dead ssh to end", () => masters(workplace).every(({ pid }) => pid !== first?.pid));
  assert.equal(masters(workplace).length, 1);
});

test("an sshd that ends: at home with its reason, and back again when it is", options, async () => {
  await using through = await startSshServer(join(folder, "mortal"));
  await using workplace = await sshWorkplace({ through, forbidLocal: false });
  await mustCompile(workplace);
  await through.kill();
  await waitFor("a compile at home", async () => {
    const { status, stderr } = await compile(workplace);
    assert.equal(status, 0);
    return /no server.*ssh to build: .*Connection refused.*Compiling locally instead!/is.test(stderr);
  });
  await through.start();
  await waitFor("a remote compile", async () => {
    assert.equal((await compile(workplace)).status, 0);
    return (await workplace.jobs()).at(-1)?.outcome === "compiled-remotely";
  });
});

test("a homccd that restarts behind SSH is back without another login", options, async () => {
  const port = await unusedPort();
  await using workplace = await sshWorkplace({ hosts: `@build:${port}/4`, forbidLocal: false });
  const first = await startServer({ port });
  await mustCompile(workplace);
  const logins = await ssh.logins();
  await first.stop();
  const atHome = await compile(workplace);
  assert.match(atHome.stderr, /ssh to build is up, but nobody answers at port \d+ there: Connection refused/);
  await using _second = await startServer({ port });
  await waitFor("a remote compile", async () => {
    assert.equal((await compile(workplace)).status, 0);
    return (await workplace.jobs()).at(-1)?.outcome === "compiled-remotely";
  });
  assert.equal(await ssh.logins(), logins);
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(
    `nothing is left when the agent ends by ${signal}, also of a wrapper around ssh`,
    options,
    async () => {
      const wrapper = join(folder, `wrapper-${signal}`);
      await writeFile(wrapper, '#!/bin/sh\nssh "$@"\nstatus=$?\nexit $status\n', { mode: 0o755 });
      await using workplace = await sshWorkplace({ variables: { HOMCC_SSH_EXECUTABLE: wrapper } });
      await mustCompile(workplace);
      assert.equal(masters(workplace).length, 1);
      process.kill(agentOf(workplace), signal);
      await waitFor("everything to end", () => processesMentioning(workplace.folder).length === 0);
      assert.deepEqual(await sshSockets(workplace), []);
    },
  );
}

test(
  "without a job for HOMCC_SSH_CONTROL_PERSIST ssh ends, and the next job starts another",
  options,
  async () => {
    await using workplace = await sshWorkplace();
    await mustCompile(workplace);
    const [first] = masters(workplace);
    assert.ok(first);
    const persist = { HOMCC_SSH_CONTROL_PERSIST: "1" };
    await mustCompile(workplace, persist);
    assert.deepEqual(masters(workplace), [first]);
    await waitFor("ssh to end", () => masters(workplace).length === 0);
    await waitFor("its sockets to go", async () => (await sshSockets(workplace)).length === 0);
    const agent = agentOf(workplace);
    assert.match((await workplace.run([homccProgram, "status"])).stdout, /\) {2}unused /);
    await mustCompile(workplace, persist);
    assert.equal(agentOf(workplace), agent);
  },
);

test("forwards and multiplexing of ~/.ssh/config are left to the user's own sessions", options, async () => {
  const port = await unusedPort();
  const control = join(folder, "users-own");
  const config = join(folder, "busy_config");
  const own = `ControlMaster auto\nControlPath ${control}\nControlPersist 10m\nLocalForward ${port} localhost:1\n`;
  await writeFile(config, `${own}LogLevel QUIET\n${await readFile(ssh.configFile, "utf8")}`);
  const before_ = masters(shared).length;
  await mustCompile(shared, { HOMCC_SSH_OPTIONS: `-F ${config}`, HOMCC_NO_LOCAL_COMPILATION: "1" });
  assert.equal(masters(shared).length, before_ + 1);
  assert.ok(!(await readdir(folder)).includes("users-own"));
  // Whoever listens there now was not ssh.
  await using _free = await startServer({ port });
});

test("two shells with different options do not disturb each other", options, async () => {
  const wrong = { HOMCC_SSH_OPTIONS: `-F ${ssh.configFile} -p ${await unusedPort()}` };
  const [one, other] = await Promise.all([compile(shared), compile(shared, wrong)]);
  assert.deepEqual([one.status, one.stderr, other.status], [0, "", 0]);
  assert.match(other.stderr, /ssh to build: .*Connection refused/);
  assert.equal(agentsOf(shared.homccFolder).length, 1);
});

test("a run folder whose name is too long for a socket", options, async () => {
  await using workplace = await sshWorkplace();
  const long = { HOMCC_DIR: join(workplace.folder, "x".repeat(90)), XDG_RUNTIME_DIR: workplace.folder };
  await mustCompile(workplace, long);
});

test("without an agent", options, async () => {
  await using workplace = await sshWorkplace();
  await mustCompile(workplace, { HOMCC_NO_AGENT: "1" });
  await waitFor("ssh to end", () => masters(workplace).length === 0);
});

/** A PATH with this program only. */
async function programs(name: string): Promise<string> {
  const path = join(folder, "programs");
  await mkdir(path, { recursive: true });
  await symlink(`/usr/bin/${name}`, join(path, name)).catch(() => {});
  return path;
}

interface Misconfiguration {
  /** Of the warning, of `homcc status` and of the doctor. */
  readonly cause: RegExp;
  readonly cure: RegExp;
  /** Where the doctor stops. */
  readonly stops: string;
  readonly hosts?: string;
  readonly variables?: Readonly<Record<string, string>>;
}

/** Sets something up wrongly. */
type Preparation = (stack: AsyncDisposableStack) => Misconfiguration | Promise<Misconfiguration>;

const atSsh = "ssh; not looked at: forward, homccd, version";
const atForward = "the forward; not looked at: homccd, version";
const atHomccd = "homccd; not looked at: version";

const misconfigurations: Readonly<Record<string, Preparation>> = {
  "an unknown host key": () => ({
    variables: { HOMCC_SSH_OPTIONS: `-o UserKnownHostsFile=/dev/null -F ${ssh.configFile}` },
    cause: /ssh to build: Host key verification failed\./,
    cure: /run `ssh -o UserKnownHostsFile=\/dev\/null -F \S+ build` once, and accept its key/,
    stops: atSsh,
  }),
  "another host key than before": async () => {
    const known = join(folder, "other-known");
    const key = await readFile(join(ssh.folder, "other-key.pub"), "utf8");
    await writeFile(known, `[127.0.0.1]:${ssh.port} ${key}`);
    return {
      variables: { HOMCC_SSH_OPTIONS: `-o UserKnownHostsFile=${known} -F ${ssh.configFile}` },
      cause: /ssh to build: the host key has changed: Host key verification failed\./,
      cure: /accept its key if it is the right one/,
      stops: atSsh,
    };
  },
  "a key that the server does not know": async () => {
    const config = join(folder, "other_config");
    await writeFile(config, (await readFile(ssh.configFile, "utf8")).replace("/key\n", "/other-key\n"));
    return {
      variables: { HOMCC_SSH_OPTIONS: `-F ${config}` },
      cause: /ssh to build: \S+@127\.0\.0\.1: Permission denied \(publickey\)\./,
      cure: /`ssh -F \S+ build` has to log in without a question: by a key without passphrase, or by ssh-agent/,
      stops: atSsh,
    };
  },
  "a program that does not exist": () => ({
    variables: { HOMCC_SSH_EXECUTABLE: "/nonexistent/ssh" },
    cause: /HOMCC_SSH_EXECUTABLE or ssh_executable: \/nonexistent\/ssh: not found/,
    cure: /it names the program that connects; the default is ssh/,
    stops: atSsh,
  }),
  "an option that ssh does not know": () => ({
    variables: { HOMCC_SSH_OPTIONS: "-o Nonsense=1" },
    cause: /ssh to build: .*[Bb]ad configuration option: nonsense/,
    cure: /does `ssh -o Nonsense=1 build` work\?/,
    stops: atSsh,
  }),
  "a name that does not exist": () => ({
    hosts: "@no-such-host.invalid/4",
    cause: /ssh to no-such-host\.invalid: ssh: Could not resolve hostname no-such-host\.invalid/,
    cure: /check the spelling; a name of a VPN is known while the VPN is up/,
    stops: atSsh,
  }),
  "a server without sshd": async () => ({
    variables: { HOMCC_SSH_OPTIONS: `-p ${await unusedPort()} -F ${ssh.configFile}` },
    cause: /ssh to build: ssh: connect to host 127\.0\.0\.1 port \d+: Connection refused/,
    cure: /no sshd listens there: the port of a hosts line is homccd's/,
    stops: atSsh,
  }),
  "a login that takes too long": () => ({
    variables: {
      HOMCC_SSH_OPTIONS: `-o 'ProxyCommand=/bin/sleep 60' -F ${ssh.configFile}`,
      HOMCC_ESTABLISH_CONNECTION_TIMEOUT: "0.5",
    },
    cause: /ssh to build was not up within 0\.5 s/,
    cure: /is the VPN up, the machine on\?/,
    stops: atSsh,
  }),
  "an sshd that forwards nothing": async (stack) => {
    const through = stack.use(await startSshServer(join(folder, "strict"), ["AllowTcpForwarding no"]));
    return {
      variables: { HOMCC_SSH_OPTIONS: `-F ${through.configFile}` },
      cause: /ssh to build is up, but sshd there forwards nothing to port \d+: administratively prohibited/,
      cure: /AllowTcpForwarding, PermitOpen and the options in authorized_keys there have to allow it/,
      stops: atForward,
    };
  },
  "no homccd behind ssh": async () => ({
    hosts: `@build:${await unusedPort()}/4`,
    cause: /ssh to build is up, but nobody answers at port \d+ there: Connection refused/,
    cure: /is homccd running there\? The port of a hosts line is homccd's, not sshd's/,
    stops: atHomccd,
  }),
  "another program behind ssh": async (stack) => ({
    hosts: `@build:${stack.use(await startStrangeServer("speaks HTTP")).address.replace(/^.*:/, "")}/4`,
    cause: /@build:\d+ \(ssh -F \S+\) is no homcc 2 server|an HTTP server listens at build port \d+/,
    cure: /correct the port at HOMCC_HOSTS:1:1|the port belongs to another program/,
    stops: atHomccd,
  }),
};

for (const [name, prepare] of Object.entries(misconfigurations)) {
  test(`${name}: the warning, the status and the doctor say so`, options, async () => {
    await using stack = new AsyncDisposableStack();
    const { cause, cure, stops, hosts, variables } = await prepare(stack);
    const more = { ...(hosts === undefined ? {} : { HOMCC_HOSTS: hosts }), ...variables };
    const environment = shared.environment(more);
    const atHome = await compile(shared, more);
    assert.equal(atHome.status, 0, atHome.stderr);
    assert.match(atHome.stderr, cause);
    assert.match(atHome.stderr, /Compiling locally instead!/);
    const status = await shared.run([homccProgram, "status"], { environment });
    assert.match(status.stdout, cause);
    assert.match(status.stdout, cure);
    // No compilers: they would be identified each time.
    const alone = { ...environment, PATH: await programs("ssh") };
    const doctor = await shared.run([homccProgram, "doctor"], { environment: alone });
    assert.equal(doctor.status, 1, doctor.stdout + doctor.stderr);
    assert.match(doctor.stdout, cause);
    assert.match(doctor.stdout, cure);
    assert.ok(doctor.stdout.includes(`stopped  at ${stops}, `), doctor.stdout);
  });
}

test("the doctor finds nothing wrong with a server behind SSH, and uses one ssh", options, async () => {
  await using workplace = await sshWorkplace();
  const logins = await ssh.logins();
  const doctor = await workplace.run([homccProgram, "doctor"]);
  assert.equal(doctor.status, 0, doctor.stdout + doctor.stderr);
  assert.match(doctor.stdout, /ok {7}ssh logs in to build, \d+ ms\n/);
  assert.match(doctor.stdout, /ok {7}homccd \S+ answers at port \d+ there, round trip [\d.]+ ms\n/);
  assert.match(doctor.stdout, /ok {7}test compile with g\+\+: the local compiler's object/);
  assert.equal(await ssh.logins(), logins + 1);
  const alone = workplace.environment({ HOMCC_HOSTS: "other.invalid", PATH: await programs("ssh") });
  const named = await workplace.run([homccProgram, "doctor", `@build:${server.port}`], {
    environment: alone,
  });
  assert.match(
    named.stdout,
    /ok {7}ssh logs in to build/,
    "a server that is not configured, with the options that are",
  );
  await waitFor("ssh to end", () => masters(workplace).length === 0);
});
