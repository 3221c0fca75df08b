/** A line of the hosts file that names servers by DNS: asked of a real name server by a real agent. */
import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { StatusReport } from "@homcc/homcc/ask/status";
import type { CommandResult } from "../support/command.ts";
import { type DnsServer, type SrvRecord, startDnsServer } from "../support/dns-server.ts";
import { createOwnMounts } from "../support/own-mounts.ts";
import { pairAt, startPoolServer } from "../support/pool.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { agentsOf, compilersOf, endProcesses } from "../support/processes.ts";
import { recordSurvived } from "../support/reliability.ts";
import { homccProgram } from "../support/repository.ts";
import { type Server, startServer } from "../support/server.ts";
import { slowSource } from "../support/slow-source.ts";
import { unusedPort } from "../support/strange-server.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../support/workplace.ts";

const pool = "_homcc._tcp.pool.test";
/** Nobody else on this machine compiles a file of that name. */
const slowName = `slow-${process.pid}.cpp`;

interface Site {
  readonly dns: DnsServer;
  readonly workplace: Workplace;
  readonly run: (
    argv: readonly string[],
    variables?: Readonly<Record<string, string | undefined>>,
  ) => Promise<CommandResult>;
  /** Compiles a file remotely, and says on which port. */
  compile(name?: string): Promise<number>;
  status(): Promise<StatusReport>;
}

/** Names of the pool's servers are those of /etc/hosts. */
async function withSite(
  records: readonly SrvRecord[],
  body: (site: Site) => Promise<void>,
  line = `srv:${pool}/4`,
): Promise<void> {
  await using dns = await startDnsServer(records);
  await using workplace = await createWorkplace(line === "" ? {} : { hosts: line });
  const files = { resolv: join(workplace.folder, "resolv.conf"), hosts: join(workplace.folder, "etc-hosts") };
  await writeFile(files.resolv, `nameserver ${dns.address}\noptions timeout:1 attempts:1\n`);
  await writeFile(files.hosts, "127.0.0.1 localhost one.pool.test two.pool.test three.pool.test\n");
  await using mounts = await createOwnMounts({ "/etc/resolv.conf": files.resolv, "/etc/hosts": files.hosts });
  await writeFile(join(workplace.project, "a.c"), "int value(void) { return 1; }\n");
  const run: Site["run"] = (argv, variables = {}) =>
    workplace.run(mounts.words(argv, workplace.project), { environment: workplace.environment(variables) });
  await body({
    dns,
    workplace,
    run,
    compile: async (name = "a.c") => {
      const before = (await workplace.jobs()).length;
      const { status, stderr } = await run([homccProgram, "gcc", "-c", name, "-o", "a.o"]);
      assert.equal(status, 0, stderr);
      const job = (await workplace.jobs(before + 1)).at(-1);
      assert.equal(job?.outcome, "compiled-remotely");
      return Number(/:(\d+)$/.exec(job.host)?.[1]);
    },
    status: async () => {
      const report: StatusReport = JSON.parse((await run([homccProgram, "status", "--json"])).stdout);
      return report;
    },
  });
  // An agent holds the namespace's files.
  await endProcesses(agentsOf(workplace.homccFolder));
}

/** The agent asks again when an answer is old: a new one has it at once. */
async function newAgent({ workplace }: Site): Promise<void> {
  await endProcesses(agentsOf(workplace.homccFolder));
}

function recordOf(server: Pick<Server, "port">, name: string, more: Partial<SrvRecord> = {}): SrvRecord {
  return { name: `${name}.pool.test`, port: server.port, ...more };
}

test("the servers that DNS names compile, and everybody is told who they are", async () => {
  await using one = await startServer();
  await using two = await startServer();
  await withSite([recordOf(one, "one"), recordOf(two, "two")], async (site) => {
    const ports = new Set<number>();
    await waitFor("jobs on both", async () => {
      ports.add(await site.compile());
      return ports.size === 2;
    });
    assert.deepEqual(ports, new Set([one.port, two.port]));
    const names = [`one.pool.test:${one.port}`, `two.pool.test:${two.port}`];
    assert.equal((await site.run([homccProgram, "-j"])).stdout, "8\n");
    assert.equal(
      (await site.run([homccProgram, "--show-hosts"])).stdout,
      `srv:${pool}/4 # ${names.join(" ")}\n`,
    );
    const { pools, servers } = await site.status();
    assert.deepEqual(
      pools.map(({ name, members }) => [name, members]),
      [[pool, names]],
    );
    assert.deepEqual(servers.map(({ host }) => host).toSorted(), names);
    assert.match(
      (await site.run([homccProgram, "status"])).stdout,
      new RegExp(`^Pool srv:${pool}: ${names.join(" ")}, by DNS `, "m"),
    );
    const doctor = await site.run([homccProgram, "doctor"]);
    assert.match(
      doctor.stdout,
      new RegExp(`^Pool srv:${pool} .*\\n  ok       2 servers: ${names.join(", ")}$`, "m"),
    );
    assert.match(
      doctor.stdout,
      /^Server one\.pool\.test:\d+ .*\n {2}ok {7}one\.pool\.test is 127\.0\.0\.1$/m,
    );
    const named = await site.run([homccProgram, "doctor", `srv:${pool}`], { HOMCC_HOSTS: undefined });
    assert.match(named.stdout, /^Server two\.pool\.test:\d+/m);
    const byFlag = await site.run([homccProgram, `--host=srv:${pool}/3`, "-j"], { HOMCC_HOSTS: "nowhere" });
    assert.equal(byFlag.stdout, "6\n");
  });
});

test("a name server that is gone, and one that says there is no such name, change nothing; nor does a new agent", async () => {
  await using one = await startServer();
  await withSite([recordOf(one, "one")], async (site) => {
    await site.compile();
    for (const answer of ["silent", undefined] as const) {
      site.dns.answer = answer;
      await newAgent(site);
      assert.equal(await site.compile(), one.port);
      assert.equal(await site.compile(), one.port);
      assert.equal((await site.run([homccProgram, "-j"])).stdout, "4\n");
    }
    const { pools } = await site.status();
    assert.deepEqual(pools[0]?.members, [`one.pool.test:${one.port}`]);
    const doctor = await site.run([homccProgram, "doctor"]);
    assert.match(
      doctor.stdout,
      /PROBLEM {2}_homcc\._tcp\.pool\.test: DNS has no such name; the answer of \S+ still counts$/m,
    );
  });
  recordSurvived("the name server of a pool is silent, or knows no such name", 2);
});

test("a pool of which nothing is known sends jobs home, and says why", async () => {
  await withSite([], async (site) => {
    for (const [answer, why] of [
      [undefined, "DNS has no such name"],
      [[], "DNS has no such name"],
      [[{ name: ".", port: 0 }], "DNS names no server"],
      // Nothing that could pass for an option, or a port that nobody can have.
      [
        [
          { name: "-x.pool.test", port: 1 },
          { name: "one.pool.test", port: 0 },
        ],
        "DNS names no server",
      ],
    ] as const) {
      site.dns.answer = answer;
      await newAgent(site);
      await rm(join(site.workplace.homccFolder, "agent", "pools.json"), { force: true });
      const before = (await site.workplace.jobs()).length;
      const home = await site.run([homccProgram, "gcc", "-c", "a.c"], {
        HOMCC_NO_LOCAL_COMPILATION: undefined,
      });
      assert.equal(home.status, 0, home.stderr);
      assert.match(
        home.stderr,
        new RegExp(`no server could be reached: srv:${pool}/4: ${why}\\. Compiling locally`),
      );
      assert.equal((await site.workplace.jobs(before + 1)).at(-1)?.outcome, "no-server");
      assert.equal((await site.run([homccProgram, "gcc", "-c", "a.c"])).status, 69);
      const shown = await site.run([homccProgram, "-j"]);
      assert.deepEqual([shown.status, shown.stdout], [66, ""]);
      assert.match(shown.stderr, new RegExp(why));
    }
  });
});

test("a server that joins gets jobs; one that leaves finishes its job and gets none", async () => {
  await using one = await startServer();
  await using two = await startServer();
  await withSite([recordOf(one, "one")], async (site) => {
    await writeFile(join(site.workplace.project, slowName), slowSource);
    await site.compile();
    const running = site.run([homccProgram, "g++", "-c", slowName, "-o", "slow.o"]);
    await waitFor("the compiler", () => compilersOf(slowName).length > 0, 60_000);
    site.dns.answer = [recordOf(two, "two")];
    // The answer is asked for anew when it is half a minute old.
    await waitFor("a job on the new server", async () => (await site.compile()) === two.port, 120_000);
    for (let n = 0; n < 5; n++) assert.equal(await site.compile(), two.port);
    const { status, stderr } = await running;
    assert.equal(status, 0, stderr);
    const slow = (await site.workplace.jobs()).find(({ source }) => source === slowName);
    assert.equal(slow?.host, `one.pool.test:${one.port}`);
    const { servers } = await site.status();
    assert.deepEqual(
      servers.map(({ host }) => host),
      [`two.pool.test:${two.port}`],
    );
    const kept = await readFile(join(site.workplace.homccFolder, "agent/pools.json"), "utf8");
    assert(kept.includes("two.pool.test") && !kept.includes("one.pool.test"), kept);
  });
});

test("priorities: the second group compiles when nobody of the first can be reached", async () => {
  await using one = await startServer();
  await using two = await startServer();
  const nobody = await unusedPort();
  const records = [
    { name: "three.pool.test", port: nobody, priority: 1 },
    recordOf(one, "one", { priority: 5 }),
    recordOf(two, "two", { priority: 20 }),
  ];
  await withSite(records, async (site) => {
    for (let n = 0; n < 6; n++) assert.equal(await site.compile(), one.port);
    assert.equal((await site.run([homccProgram, "-j"])).stdout, "4\n");
    await one.stop();
    await waitFor("the second group", async () => (await site.compile()) === two.port, 60_000);
  });
});

test("one pairing is good for all servers that DNS names, now and later, and a server without the pool's key gets nothing", async () => {
  await using folder = await scratch();
  await using one = await startPoolServer(join(folder.path, "identity"));
  await using two = await startPoolServer(join(folder.path, "identity"));
  await using stranger = await startPoolServer(join(folder.path, "other"));
  await withSite(
    [recordOf(one.server, "one")],
    async (site) => {
      const line = await one.lineFor("alice", "--host", `srv:${pool}/4`);
      const paired = await pairAt(site.workplace, line);
      assert.equal(paired.status, 0, paired.stderr);
      assert.match(
        await readFile(join(site.workplace.homccFolder, "hosts"), "utf8"),
        new RegExp(`^srv:${pool}/4,key=[\\w-]{43}\n$`),
      );
      assert.equal(await portOf(site), one.server.port);
      for (const [server, port] of [
        [two, two.server.port],
        [stranger, undefined],
      ] as const) {
        site.dns.answer = [recordOf(server.server, "two")];
        await newAgent(site);
        // A new agent begins with the last answer: `homcc -j` has asked anew before.
        await site.run([homccProgram, "-j"]);
        assert.equal(await portOf(site), port);
      }
      assert.equal((await site.workplace.jobs()).at(-1)?.outcome, "not-trusted");
    },
    "",
  );
});

/** Where a file was compiled; `undefined`: nowhere. */
async function portOf({ run, workplace }: Site): Promise<number | undefined> {
  const before = (await workplace.jobs()).length;
  await run([homccProgram, "gcc", "-c", "a.c", "-o", "a.o"]);
  const job = (await workplace.jobs(before + 1)).at(-1);
  return job?.outcome === "compiled-remotely" ? Number(/:(\d+)\b/.exec(job.host)?.[1]) : undefined;
}

async function scratch(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "homcc-pool-"));
  await chmod(path, 0o777);
  return { path, [Symbol.asyncDispose]: () => removeFolder(path) };
}
