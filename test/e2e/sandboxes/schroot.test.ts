/** A schroot profile with another g++ than this machine's, through a real schroot. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { tagOf } from "@homcc/homccd/sandboxes/sandboxes";
import { runCommand } from "../../support/command.ts";
import { isAlive } from "../../support/processes.ts";
import { writeFiles } from "../../support/files.ts";
import { homccdProgram, homccProgram } from "../../support/repository.ts";
import { hasProgram, meets } from "../../support/requirements.ts";
import { compilersOfTree, hasSandboxTree } from "../../support/sandbox-tree.ts";
import { compareWithSandbox, namespaceCommands, sandboxCommands } from "../../support/sandbox-site.ts";
import { addSchrootProfile, type SchrootProfile } from "../../support/schroot-profile.ts";
import { type Server, type ServerOptions, startServer } from "../../support/server.ts";
import { slowSource } from "../../support/slow-source.ts";
import { askAsV1Client } from "../../support/v1-peer.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, systemPath, type Workplace } from "../../support/workplace.ts";

let profile: SchrootProfile | undefined;
/** For the plain compiles: a session's set-up takes seconds on a busy machine. */
const ownSession = `homcc-test-${process.pid}`;

before(async () => {
  if (process.getuid?.() !== 0 || !hasProgram("schroot") || !hasSandboxTree()) return;
  profile = await addSchrootProfile({ "root-users": "root" });
  await schroot("--begin-session", "--chroot", `chroot:${profile.name}`, "--session-name", ownSession);
});

after(async () => {
  if (profile === undefined) return;
  await schroot("--end-session", "--chroot", `session:${ownSession}`);
  await profile[Symbol.asyncDispose]();
});

const schroot = (...words: readonly string[]) =>
  runCommand(["schroot", ...words], { cwd: "/", environment: { PATH: systemPath } });

const inside = (script: string) =>
  schroot("--run-session", "--chroot", `session:${ownSession}`, "--directory", "/", "--", "sh", "-c", script);

interface Site extends AsyncDisposable {
  readonly profile: string;
  readonly server: Server;
  readonly workplace: Workplace;
}

/** `undefined`, and the test is skipped, where there is no schroot. */
async function siteFor(
  t: TestContext,
  options: ServerOptions & { readonly forbidLocal?: boolean } = {},
): Promise<Site | undefined> {
  if (!meets(t, "root", { program: "schroot" }, "sandbox tree") || profile === undefined) return undefined;
  const server = await startServer(options);
  const { forbidLocal = true } = options;
  const workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal });
  return {
    profile: profile.name,
    server,
    workplace,
    [Symbol.asyncDispose]: async () => {
      await workplace[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}

test("HOMCC_SCHROOT_PROFILE=jammy homcc g++ foo.cpp: the profile's compiler compiles, and homcc says once that it is another", async (t) => {
  await using site = await siteFor(t);
  if (site === undefined) return;
  const { workplace } = site;
  await writeFiles(workplace.project, {
    "foo.cpp":
      '#include <iostream>\n#include <vector>\nint main() { std::vector<int> v{1}; std::cout << __VERSION__ << v.size() << "\\n"; }\n',
  });
  const compile = async (): Promise<string> => {
    const environment = workplace.environment({ HOMCC_SCHROOT_PROFILE: site.profile });
    const result = await workplace.run([homccProgram, "g++", "foo.cpp"], { environment });
    assert.equal(result.status, 0, result.stderr);
    return result.stderr;
  };
  const stderr = await compile();
  const there = await inside("g++ --version; g++ -dumpfullversion");
  const [identity = "", version = ""] = [
    there.stdout.split("\n", 1)[0],
    there.stdout.trim().split("\n").at(-1),
  ];
  const here =
    (await workplace.run(["g++", "--version"])).stdout.split("\n", 1)[0]?.replace(/^\S+ /, "") ?? "";
  assert.match(
    stderr,
    /^\[HOMCC-WARNING\] the compiler of schroot profile \S+ on \S+ is not this machine's: .*\n$/,
  );
  assert.ok(stderr.includes(here) && stderr.includes(identity), stderr);
  assert.equal(await compile(), "", "said once");
  const ran = await workplace.run(["./a.out"]);
  assert.ok(ran.stdout.startsWith(`${version} `) || ran.stdout.startsWith(version), ran.stdout);
  const jobs = await workplace.jobs(2);
  assert.deepEqual(
    jobs.map(({ outcome, executor }) => [outcome, executor]),
    [
      ["compiled-remotely", "schroot"],
      ["compiled-remotely", "schroot"],
    ],
  );
});

test("in namespaces: objects, messages and dependency files are those of the profile's own compiler", async (t) => {
  await using site = await siteFor(t);
  if (site === undefined) return;
  const variables = { HOMCC_SCHROOT_PROFILE: site.profile };
  const commands = [...sandboxCommands, ...namespaceCommands];
  await compareWithSandbox(commands, site.workplace, variables, inside);
});

test("with mapped paths, in one session: the same; the session ends with homccd, and after a crash with the next one", async (t) => {
  await using site = await siteFor(t, { executor: "mapped" });
  if (site === undefined) return;
  const { server, workplace } = site;
  const tag = tagOfServer(server);
  const sharedFolder = `/tmp/homccd-${tag}`;
  const variables = { HOMCC_SCHROOT_PROFILE: site.profile };
  await compareWithSandbox(sandboxCommands, workplace, variables, inside);
  assert.deepEqual(
    new Set((await workplace.jobs()).map(({ executor }) => executor)),
    new Set(["schroot-mapped"]),
  );
  assert.equal((await sessions(tag)).length, 1);
  server.kill("SIGKILL");
  await server.ended;
  assert.equal((await sessions(tag)).length, 1, "a crash leaves it");
  assert.ok(existsSync(sharedFolder), "and the folder it shares with the profile");
  await using next = await startServer({ executor: "mapped", storeFolder: server.storeFolder });
  assert.match(next.log(), /ended left-over schroot sessions/);
  assert.deepEqual(await sessions(tag), []);
  assert.ok(!existsSync(sharedFolder));
  const environment = workplace.environment({ ...variables, HOMCC_HOSTS: `${next.address}/4` });
  const again = await workplace.run([homccProgram, "g++", "-Iinclude", "-c", "src/a.cpp"], { environment });
  assert.equal(again.status, 0, again.stderr);
  await next.stop();
  assert.deepEqual(await sessions(tag), []);
  assert.ok(!existsSync(sharedFolder));
});

test("a job under which its session is ended is answered, nothing is left, and the next one gets a new session", async (t) => {
  await using site = await siteFor(t, { executor: "mapped", forbidLocal: false });
  if (site === undefined) return;
  const { server, workplace } = site;
  await writeFiles(workplace.project, { "slow.cpp": slowSource });
  const environment = workplace.environment({ HOMCC_SCHROOT_PROFILE: site.profile });
  const compile = [homccProgram, "g++", "-c", "slow.cpp", "-o", "slow.o"];
  const running = workplace.run(compile, { environment });
  const compiler = await waitFor("the compiler to run", async () => (await compilersOfTree("slow.cpp"))[0]);
  const tag = tagOfServer(server);
  const [ended = ""] = await sessions(tag);
  await schroot("--end-session", "--force", "--chroot", ended);
  const { status, stderr } = await running;
  assert.equal(status, 0, `${stderr}\n${server.log()}`);
  await waitFor("the compiler to be gone", () => !isAlive(compiler.pid));
  const again = await workplace.run(compile, { environment });
  assert.equal(again.status, 0, again.stderr);
  assert.equal((await workplace.jobs(2)).at(-1)?.outcome, "compiled-remotely", server.log());
  const now = await sessions(tag);
  assert.equal(now.length, 1);
  assert.notEqual(now[0], ended);
  const shared = `/tmp/homccd-${tag}`;
  await waitFor(
    "the folder of the ended session to be gone",
    async () => (await readdir(shared)).length === 2,
  );
  const mounts = readFileSync("/proc/self/mounts", "utf8");
  assert.ok(!mounts.includes(ended.replace("session:", "")), mounts);
});

test("a profile whose section is changed is entered as it is now", async (t) => {
  if (!meets(t, "root", { program: "schroot" }, "sandbox tree")) return;
  await using own = await addSchrootProfile();
  for (const executor of ["namespace", "mapped"] as const) {
    await using site = await siteFor(t, { executor });
    assert.ok(site !== undefined);
    const { workplace } = site;
    await own.change({});
    await writeFiles(workplace.project, { "a.cpp": "int x;\n" });
    const environment = workplace.environment({ HOMCC_SCHROOT_PROFILE: own.name });
    const compile = () => workplace.run([homccProgram, "g++", "-c", "a.cpp"], { environment });
    assert.equal((await compile()).status, 0);
    await own.change({ users: "root" });
    const refused = await compile();
    assert.equal(refused.status, 69);
    assert.match(refused.stderr, /does not let homccd's account into profile/);
    await own.change({ description: "open again" });
    await waitFor("the profile to be entered again", async () => (await compile()).status === 0);
  }
});

/** By which a running homccd names what it makes for its sandboxes; of its successor with that store, too. */
function tagOfServer({ storeFolder, pid }: Server): string {
  return tagOf(storeFolder, statSync(`/proc/${pid}`).uid);
}

/** Those of one homccd: other tests have their own. */
async function sessions(tag: string): Promise<string[]> {
  const listed = await schroot("--list", "--all-sessions");
  return listed.stdout.split("\n").filter((line) => line.startsWith(`session:homccd-${tag}-`));
}

test("what cannot be used is refused with what there is and the line to change", async (t) => {
  await using site = await siteFor(t, { executor: "mapped" });
  if (site === undefined) return;
  await using forbidden = await addSchrootProfile({ users: "root" });
  await using closed = await addSchrootProfile({ profile: "minimal" });
  await using broken = await addSchrootProfile({ directory: "/nonexistent" });
  const { workplace } = site;
  await writeFiles(workplace.project, { "a.cpp": "int x;\n" });
  const refusal = async (name: string, compiler = "g++"): Promise<string> => {
    const environment = workplace.environment({ HOMCC_SCHROOT_PROFILE: name });
    const result = await workplace.run([homccProgram, compiler, "-c", "a.cpp"], { environment });
    assert.equal(result.status, 69, result.stderr);
    return result.stderr;
  };
  assert.match(
    await refusal("nosuch"),
    new RegExp(
      `no schroot profile 'nosuch' on this server; there are: .*\\b${site.profile}\\b.*schroot\\.conf`,
    ),
  );
  assert.match(await refusal(forbidden.name), /does not let homccd's account into profile .*users=/);
  assert.match(
    await refusal(closed.name),
    /does not share \/tmp: .*add the line "\/tmp \/tmp none rw,bind 0 0" to \/etc\/schroot\/minimal\/fstab/,
  );
  assert.match(await refusal(broken.name), /cannot be entered: .*\/nonexistent/);
  assert.match(
    await refusal(site.profile, "clang++"),
    /has no clang\+\+; there are: gcc, g\+\+, cc, c\+\+ .*install it inside/,
  );
  const failed = (await workplace.jobs(5)).map(({ outcome }) => outcome);
  assert.deepEqual(new Set(failed), new Set(["sandbox-unavailable"]));
  assert.equal(
    (await sessions(tagOfServer(site.server))).length,
    1,
    "only that of the profile that can be used",
  );
});

test("the administrator says which profiles there are; --profiles shows those", async (t) => {
  await using site = await siteFor(t, { options: ["--allowed-profiles", "other"], forbidLocal: false });
  if (site === undefined) return;
  const { workplace, profile: name } = site;
  await writeFiles(workplace.project, { "a.cpp": "int x;\n" });
  const compile = (variables: Readonly<Record<string, string>>) =>
    workplace.run([homccProgram, "g++", "-c", "a.cpp"], {
      environment: workplace.environment({ HOMCC_SCHROOT_PROFILE: name, ...variables }),
    });
  const strict = await compile({ HOMCC_STRICT_SANDBOX: "1" });
  assert.equal(strict.status, 69);
  assert.match(
    strict.stderr,
    /does not offer the schroot profile .*; there are none \(add it to allowed_profiles/,
  );
  const lax = await compile({});
  assert.equal(lax.status, 0);
  assert.match(lax.stderr, /Compiling locally instead!/);
  const profiles = (...words: readonly string[]) =>
    workplace.run([homccdProgram, "--no-config", "--profiles", ...words]).then(({ stdout }) => stdout);
  assert.match(await profiles(), new RegExp(`^schroot profiles:\\n(?:  .*\\n)*  ${name}\\n`));
  assert.ok(!(await profiles("--allowed-profiles", "other")).includes(name));
  const told = async (address: string): Promise<string> => {
    const environment = workplace.environment({ HOMCC_HOSTS: `${address}/4` });
    const { stdout } = await workplace.run([homccProgram, "--show-hosts", "--verbose"], { environment });
    return /schroot profiles: .*/.exec(stdout)?.[0] ?? stdout;
  };
  assert.equal(await told(site.server.address), "schroot profiles: none");
  await using forbidden = await addSchrootProfile({ users: "root" });
  await using open = await startServer();
  const line = await told(open.address);
  assert.match(line, new RegExp(`[ ,]${name}(?:,|$)`));
  assert.ok(line.includes(`${forbidden.name} (its users= does not name nobody)`), line);
  assert.match(
    await profiles(),
    new RegExp(`\\n  ${forbidden.name} \\(its users= does not name nobody\\)\\n`),
  );
});

test("min_free_space holds for jobs in sandboxes too, in namespaces and mapped", async (t) => {
  for (const executor of ["namespace", "mapped"] as const) {
    await using site = await siteFor(t, { executor, options: ["--min-free-space", "999999G"] });
    if (site === undefined) return;
    const { workplace, server } = site;
    await writeFiles(workplace.project, { "a.cpp": "int x;\n" });
    const environment = workplace.environment({ HOMCC_SCHROOT_PROFILE: site.profile });
    await workplace.run([homccProgram, "g++", "-c", "a.cpp"], { environment });
    const [job] = await workplace.jobs(1);
    assert.equal(job?.outcome, "server-full", server.log());
    // That of the job's own folder: a full store would say so later.
    const place = executor === "mapped" ? "/tmp/homccd-" : `${server.storeFolder}/sandboxes/`;
    assert.ok(server.log().includes(`are free in the file system of ${place}`), server.log());
  }
});

test("a folder of homccd's name in the shared place that is somebody else's is not used", async (t) => {
  if (!meets(t, "root", { program: "schroot" }, "sandbox tree")) return;
  const place = await mkdtemp(join(tmpdir(), "homcc-test-shared-"));
  try {
    await using site = await siteFor(t, { executor: "mapped", options: ["--sandbox-dir", place] });
    assert.ok(site !== undefined);
    const { workplace } = site;
    await writeFiles(workplace.project, { "a.cpp": "int x;\n" });
    const environment = workplace.environment({ HOMCC_SCHROOT_PROFILE: site.profile });
    // Root made the place, and nobody may write to it.
    const result = await workplace.run([homccProgram, "g++", "-c", "a.cpp"], { environment });
    assert.equal(result.status, 69);
    assert.match(result.stderr, /homccd cannot use .*sandbox_dir/);
  } finally {
    await rm(place, { recursive: true });
  }
});

test("a homcc 1.x client that names a profile that is not there is refused", async (t) => {
  if (!meets(t, { pythonModule: "lzo" })) return;
  await using site = await siteFor(t);
  if (site === undefined) return;
  const refused = await askAsV1Client(site.server.port, {
    args: ["gcc", "-c", "a.c", "-o", "a.o"],
    cwd: site.workplace.project,
    files: {},
    schroot_profile: "nowhere",
  });
  assert.equal(refused.answer.message_type, "ConnectionRefusedMessage");
  assert.match(refused.answer.info ?? "", /'nowhere'/);
});
