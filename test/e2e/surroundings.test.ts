/** Where builds really run: under other build tools, other users, other roots, in folders that are odd or short-lived. */
import assert from "node:assert/strict";
import { chmod, chown, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { runCommand } from "../support/command.ts";
import { writeFiles } from "../support/files.ts";
import { type Installation, installPrograms } from "../support/installation.ts";
import { agentsOf } from "../support/processes.ts";
import { runPty } from "../support/pty.ts";
import { createRemoteSite, type RemoteSite } from "../support/remote-site.ts";
import { homccProgram } from "../support/repository.ts";
import { meets } from "../support/requirements.ts";
import { waitFor } from "../support/wait-for.ts";
import { systemPath, type Workplace } from "../support/workplace.ts";

let site: RemoteSite;
let workplace: Workplace;
let installation: Installation;
const expectRemote: RemoteSite["expectRemote"] = (count, script, variables) =>
  site.expectRemote(count, script, variables);
before(async () => {
  // Not below /tmp, which some of these tests replace.
  site = await createRemoteSite({ parent: "/var/tmp" });
  workplace = site.workplace;
  // Other users may not be able to reach the repository.
  installation = await installPrograms(join(workplace.folder, "installation"));
});
after(() => site?.[Symbol.asyncDispose]());
beforeEach(() => site.reset());

/** Neither agents nor sockets of other tests and users: a mount namespace with an empty /tmp. */
const withOwnTmp = (script: string): string =>
  `unshare --mount sh -ec 'mount -t tmpfs -o mode=1777 none /tmp; ${script}'`;

/** Where nothing else says where sockets and stores lie. The agents end soon: nobody would find them later. */
const bare = { HOMCC_DIR: undefined, HOMCC_AGENT_IDLE_TIME: "1" } as const;

/** Any user that is neither root nor the server's. */
const builder = 1234;
const asBuilder = `setpriv --reuid=${builder} --regid=${builder} --clear-groups`;

async function projectOfBuilder(): Promise<void> {
  for (const name of ["", "a.cpp", "main.cpp", "h.h"])
    await chown(join(workplace.project, name), builder, builder);
  await writeFile(workplace.jobLog, "", { flag: "a" });
  await chmod(workplace.jobLog, 0o666);
}

test("make's jobserver, with a make below it", async (t) => {
  if (!meets(t, { program: "make" })) return;
  await writeFiles(workplace.project, {
    Makefile: "all: a.o below\n\t./below/app\nbelow:\n\t+$(MAKE) -C below app\n.PHONY: all below\n",
    "below/Makefile":
      "app: main.o ../a.o\n\t$(CXX) $^ -o $@\n%.o: ../%.cpp\n\t$(CXX) -c $< -o $@\n../a.o: main.o\n\t$(CXX) -c ../a.cpp -o $@\n",
  });
  const printed = await expectRemote(3, 'make -j3 CXX="$HOMCC g++" 2>&1');
  assert.doesNotMatch(printed, /jobserver|warning/i);
});

test("ninja's console pool, on a terminal", async (t) => {
  if (!meets(t, { program: "ninja" }, { program: "python3" })) return;
  await writeFiles(workplace.project, {
    "warned.cpp": "int f(int unused) { return 1; }\n",
    "build.ninja": `rule cxx\n  command = ${homccProgram} g++ -Wall -Wextra -c $in -o $out\n  pool = console\nbuild warned.o: cxx warned.cpp\n`,
  });
  const before = (await workplace.jobs()).length;
  const { terminal, status } = await runPty(["ninja"], {
    cwd: workplace.project,
    environment: workplace.environment({ TERM: "xterm-256color" }),
    columns: 100,
    rows: 30,
    descriptors: "012",
  });
  assert.equal(status, 0, terminal);
  // gcc's colours show that it had the terminal for itself.
  assert.ok(terminal.includes("\u001b[01;35m\u001b[Kwarning: "), terminal);
  // The record of an earlier test's link may come in between.
  const job = await waitFor("the job's record", async () =>
    (await workplace.jobs(before + 1)).find(({ source }) => source === "warned.cpp"),
  );
  assert.equal(job.outcome, "compiled-remotely");
});

test("a build folder that is unmounted afterwards", async (t) => {
  if (!meets(t, "root", { program: "mount" })) return;
  await expectRemote(
    1,
    "mkdir mounted; mount -t tmpfs none mounted; cp a.cpp h.h mounted; (cd mounted; $HOMCC g++ -c a.cpp -o a.o; test -s a.o); umount mounted",
  );
  assert.equal(agentsOf(workplace.homccFolder).length, 1);
});

test("a read-only source tree", async (t) => {
  if (!meets(t, "root", { program: "unshare" })) return;
  await expectRemote(
    2,
    "mkdir out; unshare --mount sh -ec 'mount --bind . .; mount -o remount,ro,bind .; mount -t tmpfs none out; cd out; HOMCC_DIR=$HOME/own; export HOMCC_DIR; for f in a main; do $HOMCC g++ -c ../$f.cpp -MD; done; test -s a.o -a -s main.d'",
    { HOMCC_AGENT_IDLE_TIME: "1" },
  );
});

test("neither HOME nor XDG_RUNTIME_DIR nor HOMCC_DIR", async (t) => {
  if (!meets(t, "root", { program: "unshare" })) return;
  await expectRemote(
    2,
    withOwnTmp("$HOMCC g++ -c a.cpp; $HOMCC g++ -c main.cpp; test -S /tmp/homcc-0/agent.sock"),
    {
      ...bare,
      HOME: undefined,
    },
  );
});

test("an IDE that a desktop started: no login shell, its own PATH, files below the home alone", async (t) => {
  if (!meets(t, "root", { program: "unshare" })) return;
  await writeFiles(join(workplace.folder, "home"), { ".homcc/hosts": `${site.server.address}/4\n` });
  const words = `env -i HOME=$HOME HOMCC_JOB_LOG=$HOMCC_JOB_LOG HOMCC_AGENT_IDLE_TIME=1 DISPLAY=:0 PATH=/usr/bin:/bin ${homccProgram}`;
  await expectRemote(1, withOwnTmp(`${words} /usr/bin/c++ -c a.cpp -o a.o; test -s a.o`));
});

test("sudo make: root in a user's environment, and the user again", async (t) => {
  if (!meets(t, "root", { program: "unshare" }, { program: "setpriv" })) return;
  const home = join(workplace.folder, "builder");
  const runtime = join(workplace.folder, "runtime");
  for (const folder of [home, runtime]) {
    await mkdir(folder, { mode: 0o700 });
    await chown(folder, builder, builder);
  }
  await projectOfBuilder();
  const compile = `${installation.homcc} g++ -c a.cpp -o a.o`;
  await expectRemote(
    3,
    withOwnTmp(`${compile}; rm a.o; ${asBuilder} ${compile}; ${asBuilder} rm a.o; ${compile}`),
    { ...bare, HOME: home, XDG_RUNTIME_DIR: runtime },
  );
  assert.equal((await stat(join(workplace.project, "a.o"))).uid, 0);
});

test("a container that has the host's folder of sockets mounted runs the compiler itself", async (t) => {
  if (!meets(t, "root", { program: "unshare" })) return;
  await expectRemote(1, "$HOMCC g++ -c main.cpp");
  const before = (await workplace.jobs()).length;
  const environment = workplace.environment({ HOMCC: homccProgram });
  // The container's /usr/include is its own: what the host's agent would read and send is not what counts here.
  const script =
    "mount -t tmpfs none /usr/local; echo '#define VALUE 7' > /usr/local/h.h; rm h.h; ln -s /usr/local/h.h h.h; $HOMCC g++ -c a.cpp -o a.o; g++ -c a.cpp -o b.o; cmp a.o b.o";
  const result = await workplace.run(["unshare", "--mount", "sh", "-ec", script], { environment });
  assert.deepEqual({ ...result }, { status: 0, signal: null, stdout: "", stderr: "" });
  const [job] = (await workplace.jobs(before + 1)).slice(before);
  assert.equal(job?.outcome, "other-root");
});

test("a container with an agent of its own", async (t) => {
  if (!meets(t, "root", { program: "unshare" })) return;
  await expectRemote(
    1,
    "unshare --mount sh -ec 'mount -t tmpfs none /usr/local; echo \"#define VALUE 7\" > /usr/local/h.h; rm h.h; ln -s /usr/local/h.h h.h; $HOMCC g++ -c a.cpp -o a.o; g++ -c a.cpp -o b.o; cmp a.o b.o'",
    { HOMCC_DIR: join(workplace.folder, "container"), HOMCC_AGENT_IDLE_TIME: "1" },
  );
});

test("paths of more than 300 characters, of sources and of sockets", async () => {
  const long = Array.from({ length: 6 }, (_, i) => `${i}${"x".repeat(59)}`).join("/");
  await writeFiles(workplace.project, {
    [`${long}/a.cpp`]: '#include "h.h"\nint v = VALUE;\n',
    [`${long}/h.h`]: "#define VALUE 2\n",
  });
  await expectRemote(
    1,
    `cd ${long} && $HOMCC g++ -g -c $PWD/a.cpp -o $PWD/a.o && g++ -g -c $PWD/a.cpp -o $PWD/b.o && cmp a.o b.o`,
    {
      HOMCC_DIR: join(workplace.folder, long),
      HOMCC_AGENT_IDLE_TIME: "1",
    },
  );
});

for (const openFiles of [256, 32]) {
  test(`60 compiles at once with ulimit -n ${openFiles}, hard and soft`, async (t) => {
    if (!meets(t, "root", { program: "setpriv" })) return;
    await projectOfBuilder();
    const folder = join(workplace.folder, `limited-${openFiles}`);
    await mkdir(folder);
    await chown(folder, builder, builder);
    const script = `ulimit -n ${openFiles}; for i in $(seq 60); do $HOMCC g++ -DN=$i -c a.cpp -o $i.o & done; wait; for i in $(seq 60); do test -s $i.o; done`;
    const environment = workplace.environment({
      HOMCC: installation.homcc,
      HOMCC_DIR: folder,
      HOMCC_NO_LOCAL_COMPILATION: undefined,
      HOMCC_AGENT_IDLE_TIME: "5",
    });
    const words = [...asBuilder.split(" "), "sh", "-ec", script];
    const result = await runCommand(words, { cwd: workplace.project, environment, timeoutMs: 110_000 });
    assert.equal(result.status, 0, result.stderr);
    // A limit that leaves room is no reason to compile at home.
    if (openFiles === 256) assert.equal(result.stderr, "");
  });
}

test("dpkg-buildpackage with debhelper, through masquerade links", async (t) => {
  if (!meets(t, { program: "dpkg-buildpackage" }, { program: "dh" })) return;
  const links = join(workplace.folder, "debian-links");
  await mkdir(links);
  for (const name of ["g++", "c++", "gcc", "cc"]) await symlink(homccProgram, join(links, name));
  await writeFiles(workplace.project, {
    Makefile:
      "app: a.o main.o\n\t$(CXX) $(LDFLAGS) $^ -o $@\ninstall:\n\tinstall -D app $(DESTDIR)/usr/bin/tried-app\n",
    "debian/control":
      "Source: tried\nMaintainer: Nobody <nobody@example.org>\nBuild-Depends: debhelper-compat (= 13)\n\nPackage: tried\nArchitecture: any\nDepends: ${misc:Depends}, ${shlibs:Depends}\nDescription: two files\n",
    "debian/changelog":
      "tried (1) unstable; urgency=low\n\n  * First.\n\n -- Nobody <nobody@example.org>  Mon, 04 Mar 2024 05:06:07 +0000\n",
    "debian/rules": "#!/usr/bin/make -f\n%:\n\tdh $@\n",
  });
  await chmod(join(workplace.project, "debian/rules"), 0o755);
  await expectRemote(2, "dpkg-buildpackage --build=binary --no-sign 2>&1", {
    PATH: `${links}:${systemPath}`,
  });
  const built = await runCommand(["dpkg-deb", "--contents", join(workplace.folder, "tried_1_amd64.deb")], {
    cwd: "/",
    environment: { PATH: systemPath },
  });
  assert.match(built.stdout, /usr\/bin\/tried-app/);
  assert.equal((await readFile(join(workplace.project, "a.o"))).byteLength > 0, true);
});
