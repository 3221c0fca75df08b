/** What a program may do that runs as a job: a toolchain of a client is any program. Both executors, as what homccd's account may do. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Termination } from "@homcc/cas/action";
import type { ExecutorSession } from "@homcc/execution/executor";
import type { JobLimits } from "@homcc/execution/job-limits";
import { run, TestBench } from "@homcc/execution/fixtures/test-bench";
import { recordHostileRequest } from "../../support/reliability.ts";
import { repository } from "../../support/repository.ts";

const EPERM = 1;
const EACCES = 13;
const ENOSYS = 38;

let folder: string;
let program: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "homcc-attack-"));
  program = join(folder, "attack");
  const source = join(repository, "packages/execution/src/fixtures/attack.c");
  execFileSync("cc", ["-O1", "-static", "-w", source, "-o", program]);
});

after(() => rmSync(folder, { recursive: true }));

/** Calls that a compiler never makes, with the errno that says that nobody looked at their arguments. */
const calls: readonly (readonly [errno: number, ...words: string[]])[] = [
  ...["mount", "umount", "pivot_root", "chroot", "setns", "ptrace", "process_vm_readv", "bpf", "keyctl"].map(
    (name) => [EPERM, name] as const,
  ),
  ...["add_key", "userfaultfd", "perf_event_open", "io_uring_setup", "open_by_handle_at", "fsopen"].map(
    (name) => [EPERM, name] as const,
  ),
  ...["pidfd_open", "memfd_create", "shmget", "mq_open", "init_module", "kexec_load", "reboot"].map(
    (name) => [EPERM, name] as const,
  ),
  ...["swapon", "syslog", "sethostname", "clock_settime", "personality", "TIOCSTI", "raw-socket"].map(
    (name) => [EPERM, name] as const,
  ),
  // Namespaces of users, mounts, networks; and by clone.
  ...[0x10000000, 0x00020000, 0x40000000].flatMap((flag) => [
    [EPERM, "unshare", String(flag)] as const,
    [EPERM, "clone", String(flag)] as const,
  ]),
  // AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK
  ...[1, 2, 10, 16, 17, 38, 40].map((family) => [EPERM, "socket", String(family)] as const),
  [ENOSYS, "clone3"],
  [ENOSYS, "newest-call"],
  [ENOSYS, "architecture", "x32"],
  ...(process.arch === "x64"
    ? [[EPERM, "architecture", "i386-mount"] as const, [EPERM, "architecture", "i386-socket"] as const]
    : []),
];

for (const name of ["namespace", "mapped"] as const) {
  void suite(name, () => {
    let bench: TestBench;
    let session: ExecutorSession;
    const open = async (limits: Partial<JobLimits> = {}) =>
      await bench.session(
        name === "namespace" ? await bench.namespaceExecutor(limits) : await bench.mappedExecutor(limits),
      );

    before(async () => {
      bench = new TestBench([program]);
      session = await open();
    });

    after(() => bench[Symbol.asyncDispose]());

    /** Folders of jobs that are still there, when none runs. */
    function leftByJobs(): string[] {
      const executors = readdirSync(bench.folder).filter((entry) => /^(?:sessions|mapped)\d/.test(entry));
      const jobs = executors.map((executor) =>
        join(bench.folder, executor, "1", name === "mapped" ? "" : "j"),
      );
      return jobs
        .filter((at) => existsSync(at))
        .flatMap((at) => readdirSync(at).map((entry) => join(at, entry)));
    }

    async function attack(
      words: readonly string[],
      { outputs = [] as readonly string[], on = session } = {},
    ) {
      const action = await bench.project("work").action([program, ...words], {
        inputs: [],
        outputs: outputs.map((path) => ({ path, exists: false })),
      });
      // Words are not paths of the client's: a mapped job is to say what it likes.
      return await run(on, { ...action, steps: [{ program, argv: [program, ...words] }] });
    }

    test("what no compiler calls is not called", async () => {
      let refused = 0;
      for (const [errno, ...words] of calls) {
        const { stdout, stderr, termination } = await attack(words);
        assert.equal(
          stdout,
          `errno ${errno}\n`,
          `${words.join(" ")}: ${stdout}${stderr}${JSON.stringify(termination)}`,
        );
        refused += 1;
      }
      recordHostileRequest(`a system call that no compiler needs (${name})`, {
        tried: calls.length,
        refused,
      });
    });

    test("a program has no privileges, inherits nothing and cannot get any", async () => {
      const { stdout } = await attack(["capabilities"]);
      if (name === "namespace") {
        for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
          assert.match(stdout, new RegExp(`^${set}:\\s0{16}$`, "m"));
        assert.match(stdout, /^Seccomp:\s2$/m);
      } else assert.equal(stdout, `errno ${EACCES}\n`); // /proc is not its own
      assert.equal((await attack(["limits"])).stdout, "core 0 new-privileges 1\n");
      assert.equal((await attack(["descriptors"])).stdout, "");
      const variables = (await attack(["environment"])).stdout.split("\n").map((line) => line.split("=")[0]);
      const expected = new Set(["PATH", "PWD", "TMPDIR", "DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES", ""]);
      assert.deepEqual(
        variables.filter(
          (variable) => !expected.has(variable ?? "") && !variable?.startsWith("CC_PRINT_HEADERS"),
        ),
        [],
      );
    });

    test("what is not the job's own is neither read nor written", async () => {
      const secret = join(folder, "key.pem");
      writeFileSync(secret, "the private key", { mode: 0o600 });
      const neighbour = join(folder, "neighbour");
      mkdirSync(neighbour);
      const own = process.pid;
      const attempts: readonly (readonly string[])[] = [
        ["read", secret],
        ["read", "/etc/shadow"],
        ["read", "/etc/passwd"],
        ["read", `/proc/${own}/environ`],
        ["read", `/proc/${own}/maps`],
        ["read", `/proc/${own}/mem`],
        ["list", `/proc/${own}/fd`],
        ["list", `/proc/${own}/root`],
        ["list", `/proc/${own}/cwd`],
        ["list", neighbour],
        ["list", join(bench.folder, "toolchains")],
        ["list", "/root"],
        ["list", "/home"],
        ["list", "/var"],
        ["read", "/sys/kernel/security/lsm"],
        ["write", "/proc/sys/kernel/core_pattern"],
        ["write", "/proc/self/oom_score_adj"],
        ["append", secret],
        ["append", program],
        ["append", "/usr/bin/gcc"],
        ["write", join(folder, "new")],
        ["link", secret, "linked.o"],
        ["rename", secret, "renamed.o"],
        ["remove", secret],
        ["mknod"],
        ["kill", String(own)],
        ["prlimit", String(own)],
        ["ptrace", String(own)],
        ["process_vm_readv", String(own)],
      ];
      let refused = 0;
      for (const words of attempts) {
        // In a root of its own a job may write wherever it likes: nobody sees it.
        const isHarmless = name === "namespace" && (words[0] === "append" || words[0] === "write");
        const { stdout } = await attack(words);
        assert.ok(
          stdout.startsWith("errno ") || (isHarmless && stdout === "done\n"),
          `${words.join(" ")}: ${stdout}`,
        );
        refused += 1;
      }
      assert.equal(readFileSync(secret, "utf8"), "the private key");
      assert.equal(statSync(join(folder, "new"), { throwIfNoEntry: false }), undefined);
      rmSync(neighbour, { recursive: true });
      recordHostileRequest(`a file or a process of the server (${name})`, {
        tried: attempts.length,
        refused,
      });
    });

    test("an output is a file that the job wrote, whatever lies in its place", async () => {
      const work = join(bench.folder, "work");
      const secret = join(folder, "key2.pem");
      writeFileSync(secret, "the private key", { mode: 0o600 });
      const output = join(work, "a.o");
      const inside = name === "mapped" ? "a.o" : output;
      for (const words of [
        ["symlink", secret, inside],
        ["symlink", "/etc/passwd", inside],
        ["link", secret, inside],
        ["mkfifo", inside],
        ["symlink", "/", join(inside, "..", "sub")],
      ]) {
        const outputs = [output, join(work, "sub", "etc", "passwd")];
        // A declared folder that is not there is made: `sub` exists, so that link is refused.
        const { written } = await attack(words, { outputs });
        assert.deepEqual([...written.keys()], [], words.join(" "));
      }
      const { written, modes } = await attack(["setuid-file", inside], { outputs: [output] });
      assert.deepEqual([...written.keys()], [output]);
      assert.equal((modes.get(output) ?? 0) & 0o7000, 0, "a mode with set-user-ID");
      recordHostileRequest(`another thing than a file in an output's place (${name})`, {
        tried: 6,
        refused: 6,
      });
    });

    const bombs: readonly (readonly [kind: string, limit: string])[] = [
      ["fork", "processes"],
      ["escaping-fork", "processes"],
      ["memory", "memory"],
      ["files", "disk"],
      ["hidden-files", "disk"],
      ["removed-files", "disk"],
      ["empty-files", "disk"],
      ["messages", "size of the messages"],
    ];
    for (const [kind, limit] of bombs) {
      test(`a bomb of ${kind} ends as limited, and leaves nothing; others go on`, async () => {
        const limits = { memoryBytes: 200 << 20, jobProcesses: 60, writtenBytes: 128 << 20 };
        const on = await open(limits);
        const [bomb, honest] = await Promise.all([attack(["bomb", kind], { on }), attack(["limits"])]);
        assert.deepEqual(bomb.termination, { kind: "limited", limit } satisfies Termination, bomb.stdout);
        assert.deepEqual(honest.termination, { kind: "exited", status: 0 });
        assert.deepEqual((await attack(["limits"], { on })).termination, { kind: "exited", status: 0 });
        assert.deepEqual(leftByJobs(), []);
        recordHostileRequest(`a bomb of memory, processes or files (${name})`, { tried: 1, refused: 1 });
      });
    }

    test("folders that are deeper than a path can say are removed", async () => {
      assert.equal((await attack(["deep-folders"])).stdout, "done\n");
      assert.deepEqual(leftByJobs(), []);
    });

    test("outputs have a limit together, holes in them too", async () => {
      const work = join(bench.folder, "work");
      const output = join(work, "a.o");
      const on = await open({ outputBytes: 1 << 30 });
      const words = ["sparse", name === "mapped" ? "a.o" : output, String(2 ** 31)];
      const { termination, written } = await attack(words, { outputs: [output], on });
      assert.deepEqual(termination, { kind: "limited", limit: "size of the outputs" });
      assert.equal(written.size, 0);
    });
  });
}
