/** What a launcher does, asked of both: the native one and its TypeScript twin. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { agentIdentityOf, ownRootIdentity } from "@homcc/launch/agent-identity";
import { maxAgentLogBytes } from "@homcc/launch/agent-log";
import { encodeReply } from "@homcc/launch/codec";
import type { LaunchRequest } from "@homcc/launch/messages";
import { collect, type LauncherKind, LauncherTree } from "../support/launcher-tree.ts";
import { isAlive } from "../support/processes.ts";
import { runPty } from "../support/pty.ts";
import { meets } from "../support/requirements.ts";
import { waitFor } from "../support/wait-for.ts";

const recursionText = (word: string): string =>
  `[HOMCC-ERROR] Specified compiler '${word}' has been invoked recursively!\n`;

for (const kind of ["native", "twin"] as const) {
  describe(`${kind} launcher: the agent's verdict`, () => verdicts(kind));
  describe(`${kind} launcher: agents that fail`, () => failures(kind));
  describe(`${kind} launcher: starting an agent`, () => starting(kind));
  describe(`${kind} launcher: finding the compiler`, () => finding(kind));
  describe(`${kind} launcher: words of its own`, () => ownWords(kind));
  describe(`${kind} launcher: the request`, () => requests(kind));
}
describe("patience", { concurrency: true }, () => {
  patience("native");
  patience("twin");
});

function verdicts(kind: LauncherKind): void {
  test("exits with the compiler's status", async (t) => {
    const tree = plant(t, kind);
    await tree.serve(async (call) => call.exit(Number(call.request.argv[1])));
    for (const status of [0, 1, 4, 255]) {
      const ended = await tree.run(tree.homcc, ["mycc", String(status)]);
      assert.deepEqual([ended.status, ended.stderr, ended.stdout.length], [status, "", 0]);
    }
  });

  test("ends by the compiler's signal", async (t) => {
    const tree = plant(t, kind);
    await tree.serve(async (call) => call.killedBy(Number(call.request.argv[1])));
    const { SIGINT, SIGABRT, SIGKILL, SIGSEGV, SIGPIPE, SIGTERM } = constants.signals;
    for (const signal of [SIGINT, SIGABRT, SIGKILL, SIGSEGV, SIGPIPE, SIGTERM]) {
      const ended = await tree.run(tree.homcc, ["mycc", String(signal)]);
      assert.equal(ended.signal === null ? null : constants.signals[ended.signal], signal);
    }
  });

  test("prints megabytes of arbitrary bytes on both outputs", async (t) => {
    const tree = plant(t, kind);
    const out = randomBytes(3_000_001);
    const err = Buffer.alloc(700_001, "warning: ü\n");
    await tree.serve(async (call) => {
      await Promise.all([call.stdout(out), call.stderr(err)]);
      call.exit(0);
    });
    const ended = await tree.run(tree.homcc, ["mycc"]);
    assert.ok(ended.stdout.equals(out));
    assert.equal(ended.stderr, err.toString());
  });

  test("keeps the order of both outputs", async (t) => {
    const tree = plant(t, kind);
    const lines = Array.from({ length: 400 }, (_, index) => `line ${index}\n`);
    await tree.serve(async (call) => {
      for (const [index, line] of lines.entries()) {
        if (index % 3 === 0) await call.stderr(Buffer.from(line));
        else await call.stdout(Buffer.from(line));
      }
      call.exit(0);
    });
    const ended = await tree.shell(`exec '${tree.homcc}' mycc 2>&1`);
    assert.equal(ended.stdout.toString(), lines.join(""));
  });

  test("holds the agent back while nobody reads", async (t) => {
    const tree = plant(t, kind);
    let writtenBytes = 0;
    await tree.serve(async (call) => {
      for (let index = 0; index < 200; index += 1) {
        await call.stdout(Buffer.alloc(50_000, "x"));
        writtenBytes += 50_000;
      }
      call.exit(0);
    });
    const child = tree.start(tree.homcc, ["mycc"]);
    child.stdout.pause();
    await waitFor("output", () => writtenBytes > 0);
    let before = -1;
    await waitFor("a pause", async () => {
      const isSteady = writtenBytes === before;
      before = writtenBytes;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return isSteady;
    });
    assert.ok(writtenBytes < 5_000_000, `${writtenBytes} bytes are under way`);
    child.stdout.resume();
    const ended = await collect(child);
    assert.equal(ended.stdout.length, 10_000_000);
  });

  test("writes everything to a non-blocking pipe", async (t) => {
    if (!meets(t, { program: "perl" })) return;
    const tree = plant(t, kind);
    const out = randomBytes(1_000_000);
    await tree.serve(async (call) => {
      await call.stdout(out);
      call.exit(0);
    });
    const nonBlocking = "use Fcntl; fcntl(STDOUT, F_SETFL, O_NONBLOCK | O_WRONLY) or die; exec @ARGV";
    const ended = await tree.shell(`perl -e '${nonBlocking}' '${tree.homcc}' mycc | (sleep 0.3; cat)`);
    assert.ok(ended.stdout.equals(out));
  });

  test("dies of SIGPIPE when nobody will read", async (t) => {
    const tree = plant(t, kind);
    const aborted = Promise.withResolvers<void>();
    await tree.serve(async (call) => {
      call.signal.addEventListener("abort", () => aborted.resolve());
      while (!call.signal.aborted) await call.stdout(Buffer.alloc(10_000));
    });
    const child = tree.start(tree.homcc, ["mycc"]);
    child.stdout.destroy();
    await once(child, "exit");
    assert.equal(child.signalCode, "SIGPIPE");
    await aborted.promise;
  });

  test("works with closed descriptors", async (t) => {
    const tree = plant(t, kind);
    await tree.serve(async (call) => {
      await call.stdout(Buffer.from("out\n"));
      await call.stderr(Buffer.from("err\n"));
      call.exit(5);
    });
    const cases = { "<&-": "out\nerr\n", ">&-": "err\n", "<&- >&- 2>&-": "" };
    for (const [redirection, printed] of Object.entries(cases)) {
      const ended = await tree.shell(`'${tree.homcc}' mycc ${redirection}; echo $? >status`);
      assert.equal(ended.stdout.toString() + ended.stderr, printed, redirection);
      assert.equal(readFileSync(join(tree.root, "status"), "utf8"), "5\n", redirection);
    }
  });

  test("becomes the program that the agent names", async (t) => {
    const tree = plant(t, kind);
    const other = tree.addCompiler("other", 'echo "$_HOMCC_SAFEGUARD"; echo "$*"; cat; exit 9');
    await tree.serve(async (call) => {
      await call.execute(other, ["its name", "an argument", ""]);
    });
    const ended = await tree.shell(`echo input | '${tree.homcc}' mycc x`);
    assert.equal(ended.stdout.toString(), `${other}\nan argument \ninput\n`);
    assert.equal(ended.status, 9);
  });

  test("becomes its own compiler, and the agent sees its end", async (t) => {
    const tree = plant(t, kind);
    tree.addCompiler("waits", 'echo began; while ! [ -e go ]; do sleep 0.02; done; echo "$*"; kill -TERM $$');
    const events: string[] = [];
    await tree.serve(async (call) => {
      call.signal.addEventListener("abort", () => events.push("aborted"));
      await call.execute("", []);
      events.push("ended");
    });
    const child = tree.start(tree.homcc, ["waits", "for", "it"]);
    const ended = collect(child);
    await once(child.stdout, "data");
    assert.deepEqual(events, []);
    writeFileSync(join(tree.root, "go"), "");
    assert.equal((await ended).stdout.toString(), "began\nfor it\n");
    assert.equal((await ended).signal, "SIGTERM");
    await waitFor("the end in the agent", () => events.length > 0);
    assert.deepEqual(events, ["ended"]);
  });

  test("a daemon that the compiler leaves behind does not hold its slot", async (t) => {
    const tree = plant(t, kind);
    tree.addCompiler("leaves", "(exec sleep 30 <&- >&- 2>&-) & echo $! >daemon");
    let executed = false;
    await tree.serve(async (call) => {
      await call.execute("", []);
      executed = true;
    });
    await tree.run(tree.homcc, ["leaves"]);
    const daemon = Number(readFileSync(join(tree.root, "daemon"), "utf8"));
    t.after(() => process.kill(daemon));
    await waitFor("the end of execute", () => executed);
    assert.ok(isAlive(daemon));
  });

  test("supervises a program and waits for the agent's last word", async (t) => {
    const tree = plant(t, kind);
    const other = tree.addCompiler("other", 'echo "$*"; exit 9');
    const killed = tree.addCompiler("killed", "kill -SEGV $$");
    const ends: unknown[] = [];
    await tree.serve(async (call) => {
      ends.push(await call.supervise("", []));
      ends.push(await call.supervise(other, ["other", "a b"]));
      ends.push(await call.supervise(killed, ["killed"]));
      ends.push(await call.supervise("/nonexistent/cc", ["cc"]));
      await call.stdout(Buffer.from("last word\n"));
      call.exit(4);
    });
    const ended = await tree.shell(`trap '' CHLD; exec '${tree.homcc}' mycc -c`);
    assert.equal(ended.stdout.toString(), "mycc ran with: -c\na b\nlast word\n");
    assert.equal(ended.status, 4);
    const { SIGSEGV } = constants.signals;
    const exits = [7, 9, 127].map((status) => ({ kind: "exit", status }));
    assert.deepEqual(ends, [exits[0], exits[1], { kind: "signal", signal: SIGSEGV }, exits[2]]);
  });

  test("a supervised program ends with its launcher", async (t) => {
    const tree = plant(t, kind);
    tree.addCompiler("waits", 'trap "echo >ended; exit 1" TERM; echo began; while :; do sleep 0.05; done');
    const { promise, resolve } = Promise.withResolvers<unknown>();
    await tree.serve(async (call) => resolve(await call.supervise("", [])));
    const child = tree.start(tree.homcc, ["waits"]);
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    await once(child, "exit");
    await waitFor("the program's end", () => existsSync(join(tree.root, "ended")));
    await promise;
  });

  test("says what cannot be executed", async (t) => {
    const tree = plant(t, kind);
    await tree.serve(async (call) => call.execute("/nonexistent/cc", ["cc"]));
    const ended = await tree.run(tree.homcc, ["mycc"]);
    assert.deepEqual(
      [ended.status, ended.stderr],
      [127, "homcc: /nonexistent/cc: No such file or directory\n"],
    );
  });

  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
    test(`${signal} cancels the job`, async (t) => {
      const tree = plant(t, kind);
      const began = Promise.withResolvers<void>();
      const cancelled = Promise.withResolvers<void>();
      await tree.serve(async (call) => {
        call.signal.addEventListener("abort", () => cancelled.resolve());
        began.resolve();
        await cancelled.promise;
      });
      const child = tree.start(tree.homcc, ["mycc"]);
      await began.promise;
      child.kill(signal);
      await once(child, "exit");
      assert.equal(child.signalCode, signal);
      await cancelled.promise;
    });
  }

  test("SIGTERM reaches the compiler that runs at home", async (t) => {
    const tree = plant(t, kind);
    tree.addCompiler("waits", 'trap "exit 33" TERM; echo began; while :; do sleep 0.05; done');
    await tree.serve(async (call) => call.execute("", []));
    const child = tree.start(tree.homcc, ["waits"]);
    const ended = collect(child);
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    assert.equal((await ended).status, 33);
  });
}

function patience(kind: LauncherKind): void {
  test(`${kind} launcher: an agent that never answers delays a call by ten seconds`, async (t) => {
    const tree = plant(t, kind);
    await listen(t, tree, () => {});
    const beganMs = performance.now();
    const ended = await tree.run(tree.homcc, ["mycc"]);
    assert.equal(ended.status, 7);
    const tookMs = performance.now() - beganMs;
    assert.ok(tookMs > 9_000 && tookMs < 14_000, `${tookMs} ms`);
  });

  test(`${kind} launcher: an agent that has accepted may take its time`, async (t) => {
    const tree = plant(t, kind);
    await tree.serve(async (call) => {
      await new Promise((resolve) => setTimeout(resolve, 10_500));
      call.exit(3);
    });
    assert.equal((await tree.run(tree.homcc, ["mycc"])).status, 3);
  });
}

function failures(kind: LauncherKind): void {
  test("runs the compiler when the agent gives a call up or dies under it", async (t) => {
    const tree = plant(t, kind);
    await tree.serve(async (call) => {
      await call.stderr(Buffer.from("half a message\n"));
      call.abandon();
    });
    const ended = await tree.run(tree.homcc, ["mycc", "-c"]);
    assert.deepEqual([ended.status, ended.stdout.toString()], [7, "mycc ran with: -c\n"]);
  });

  test("runs the compiler when the agent throws", async (t) => {
    const tree = plant(t, kind);
    const errors: unknown[] = [];
    await tree.serve(() => Promise.reject(new Error("a bug")), { onError: (error) => errors.push(error) });
    assert.equal((await tree.run(tree.homcc, ["mycc"])).status, 7);
    assert.equal(errors.length, 1);
  });

  test("does not run the compiler where that is forbidden and nothing of homcc's can be started", async (t) => {
    const tree = plant(t, kind);
    // The native launcher then finds no command line, the twin nobody to do the agent's work.
    if (kind === "native") rmSync(join(tree.root, "dist/homcc.mjs"));
    for (const [value, status] of [
      ["1", 69],
      ["Yes", 69],
      ["on", 69],
      ["0", 7],
      ["only", 7],
    ] as const) {
      const environment = { HOMCC_NO_LOCAL_COMPILATION: value };
      const ended = await tree.run(tree.homcc, ["mycc", "-c"], { environment });
      assert.equal(ended.status, status, value);
      const said =
        status === 7
          ? ""
          : /^\[HOMCC-ERROR\] no agent, and \S+ cannot be started\. Local compilation is forbidden\.\n$/;
      if (said === "") assert.equal(ended.stderr, "");
      else assert.match(ended.stderr, said);
    }
  });

  const accepted = Buffer.from(encodeReply({ kind: "accepted" })).toString("latin1");
  const garbage: Record<string, string> = {
    "an answer in HTTP": "HTTP/1.1 400 Bad Request\r\n\r\n",
    "an unknown frame": "\x00\x00\x00\x00\x99",
    "a frame without end": `${accepted}\xff\xff\xff\xff\x82`,
    "half a frame": `${accepted}\x10\x00\x00\x00\x86abc`,
    "an exit status of 256": "\x04\x00\x00\x00\x84\x00\x01\x00\x00",
    "an exit status of two bytes": "\x02\x00\x00\x00\x84\x00\x01",
    "signal 0": "\x04\x00\x00\x00\x85\x00\x00\x00\x00",
    "a program with a NUL": "\x0b\x00\x00\x00\x86\x03\x00\x00\x00a\x00b\x00\x00\x00\x00",
    "more arguments than bytes": "\x08\x00\x00\x00\x86\x00\x00\x00\x00\xff\xff\xff\x7f",
    "an argument beyond the end": "\x0c\x00\x00\x00\x86\x00\x00\x00\x00\x01\x00\x00\x00\xff\x00\x00\x00",
    nothing: "",
  };
  for (const [name, bytes] of Object.entries(garbage)) {
    test(`runs the compiler on ${name}`, async (t) => {
      const tree = plant(t, kind);
      await listen(t, tree, (socket) => {
        socket.once("data", () => socket.end(Buffer.from(bytes, "latin1")));
      });
      const ended = await tree.run(tree.homcc, ["mycc", "x"]);
      assert.deepEqual([ended.status, ended.stdout.toString(), ended.stderr], [7, "mycc ran with: x\n", ""]);
    });
  }

  test("understands replies that arrive byte by byte, and ignores later fields", async (t) => {
    const tree = plant(t, kind);
    const end = Buffer.from("\x06\x00\x00\x00\x84\x2a\x00\x00\x00++", "latin1");
    const replies = Buffer.concat([
      encodeReply({ kind: "accepted" }),
      encodeReply({ kind: "stdout", bytes: Buffer.from("slow\n") }),
      encodeReply({ kind: "stdout", bytes: new Uint8Array() }),
      end,
    ]);
    await listen(t, tree, (socket) => {
      socket.setNoDelay(true);
      socket.once("data", () => void writeSlowly(socket, replies));
    });
    const ended = await tree.run(tree.homcc, ["mycc"]);
    assert.deepEqual([ended.status, ended.stdout.toString()], [42, "slow\n"]);
  });

  test("runs the compiler when the agent's program is missing or broken", async (t) => {
    const tree = plant(t, kind);
    tree.setAgent("throw new Error('broken');");
    assert.equal((await tree.run(tree.homcc, ["mycc"])).status, 7);
    assert.match(readFileSync(join(tree.root, "h/run/agent.log"), "utf8"), /broken/);
    rmSync(join(tree.root, "dist/agent.mjs"));
    assert.equal((await tree.run(tree.homcc, ["mycc"])).status, 7);
  });

  test("runs the compiler where no folder for the socket can be had", async (t) => {
    const tree = plant(t, kind);
    tree.setServingAgent("call.exit(0);");
    writeFileSync(join(tree.root, "file"), "");
    symlinkSync("/tmp", join(tree.root, "h-link"));
    mkdirSync(join(tree.root, "linked"));
    symlinkSync(tree.root, join(tree.root, "linked/run"));
    // A file system that takes nothing from anybody, a file, a symbolic link that somebody could have made.
    for (const folder of ["/proc/homcc", join(tree.root, "file"), join(tree.root, "linked")]) {
      const ended = await tree.run(tree.homcc, ["mycc"], { environment: { HOMCC_DIR: folder } });
      assert.deepEqual([ended.status, ended.stderr], [7, ""], folder);
    }
    assert.deepEqual(tree.startedAgents(), []);
  });

  test("does not talk to a socket in somebody else's folder", async (t) => {
    if (!meets(t, "root")) return;
    const tree = plant(t, kind);
    let calls = 0;
    await tree.serve(async (call) => {
      calls += 1;
      call.exit(0);
    });
    chownSync(join(tree.root, "h/run"), 12_345, 12_345);
    assert.equal((await tree.run(tree.homcc, ["mycc"])).status, 7);
    assert.equal(calls, 0);
  });

  test("HOMCC_NO_AGENT does without one", async (t) => {
    const tree = plant(t, kind);
    let calls = 0;
    await tree.serve(async (call) => {
      calls += 1;
      call.exit(0);
    });
    const link = tree.addLink("mycc");
    for (const [program, args] of [
      [tree.homcc, ["mycc", "a"]],
      [link, ["a"]],
    ] as const) {
      const ended = await tree.run(program, args, { environment: { HOMCC_NO_AGENT: "1" } });
      assert.deepEqual([ended.status, ended.stdout.toString()], [7, "mycc ran with: a\n"]);
    }
    assert.equal(calls, 0);
  });

  test("runs the compiler in a working folder that is gone", async (t) => {
    const tree = plant(t, kind);
    await tree.serve(async (call) => call.exit(0));
    mkdirSync(join(tree.root, "gone"));
    const ended = await tree.shell(`cd gone && rmdir ../gone && exec '${tree.homcc}' mycc`);
    assert.equal(ended.status, 7);
  });
}

function starting(kind: LauncherKind): void {
  // Each twin is a Node of its own: 64 of them measure the machine's patience.
  const crowd = kind === "native" ? 64 : 16;

  test(`${crowd} launchers at once start exactly one agent`, async (t) => {
    const tree = plant(t, kind);
    tree.setServingAgent("await call.stdout(Buffer.from(String(process.pid))); call.exit(0);");
    const all = await Promise.all(Array.from({ length: crowd }, () => tree.run(tree.homcc, ["mycc"])));
    assert.equal(tree.startedAgents().length, 1);
    const [agent] = tree.startedAgents();
    for (const ended of all) assert.deepEqual([ended.status, ended.stdout.toString()], [0, String(agent)]);
  });

  test("a pipeline ends while the agent lives on", async (t) => {
    const tree = plant(t, kind);
    tree.setServingAgent('await call.stdout(Buffer.from("done\\n")); call.exit(0);');
    const ended = await tree.shell(`'${tree.homcc}' mycc 2>&1 3>&1 | cat`);
    assert.equal(ended.stdout.toString(), "done\n");
    assert.ok(tree.startedAgents().every((pid) => isAlive(pid)));
  });

  test("the agent inherits nothing", async (t) => {
    const tree = plant(t, kind);
    tree.setServingAgent(`
      const links = readdirSync("/proc/self/fd").flatMap((fd) => {
        try { return [readlinkSync("/proc/self/fd/" + fd)]; } catch { return []; }
      });
      const status = readFileSync("/proc/self/status", "utf8");
      const field = (name) => new RegExp(name + ":\\\\s*(\\\\S+)").exec(status)[1];
      const stat = readFileSync("/proc/self/stat", "utf8").split(" ");
      await call.stdout(Buffer.from(JSON.stringify({
        links, input: readlinkSync("/proc/self/fd/0"), cwd: process.cwd(), umask: process.umask(), environment: process.env, argv: process.argv, execArgv: process.execArgv,
        limits: readFileSync("/proc/self/limits", "utf8"), ignored: field("SigIgn"), blocked: field("SigBlk"),
        session: Number(stat[5]), terminal: Number(stat[6]), pid: process.pid,
      })));
      call.exit(0);`);
    writeFileSync(join(tree.root, "inherited"), "");
    const environment = {
      HOME: "/root",
      CPATH: "/x",
      NODE_OPTIONS: "--no-warnings",
      XDG_CACHE_HOME: "/c",
      XDG_STATE_HOME: "/s",
    };
    const run = `ulimit -S -t 50; ulimit -S -n 200; umask 027; trap "" HUP USR1; exec '${tree.homcc}' mycc 7>inherited 9<inherited`;
    const ended = await tree.shell(run, { environment });
    assert.equal(ended.stderr, "");
    const agent = JSON.parse(ended.stdout.toString());
    assert.equal(agent.cwd, "/");
    assert.equal(agent.umask, 0o077);
    assert.notEqual(agent.session, ownSession());
    assert.deepEqual(
      agent.links.filter((link: string) => link.endsWith("/inherited")),
      [],
    );
    assert.equal(agent.input, "/dev/null");
    assert.ok(agent.links.includes(join(tree.root, "h/run/agent.log")));
    const { PATH, ...rest } = agent.environment;
    assert.match(PATH, /^\/usr\/local\/sbin:/);
    assert.equal(rest.HOMCC_DIR, join(tree.root, "h"));
    assert.deepEqual([rest.HOME, rest.LANG, rest.XDG_CACHE_HOME], ["/root", "C", "/c"]);
    assert.equal(rest.XDG_STATE_HOME, "/s");
    assert.deepEqual([rest.UV_THREADPOOL_SIZE, rest.MALLOC_ARENA_MAX], ["16", "1"]);
    assert.deepEqual([rest.MALLOC_MMAP_THRESHOLD_, rest.MALLOC_TRIM_THRESHOLD_], ["65536", "65536"]);
    assert.equal(rest.NODE_COMPILE_CACHE, join(tree.root, "h/run/agent.code"));
    assert.deepEqual(agent.execArgv, ["--max-semi-space-size=4"]);
    for (const name of ["CPATH", "NODE_OPTIONS", "HOMCC_TEST"]) assert.equal(rest[name], undefined, name);
    assert.match(agent.limits, /Max cpu time +(\S+) +\1/);
    assert.match(agent.limits, /Max open files +(\S+) +\1/);
    // Node itself ignores SIGPIPE and SIGXFSZ (13 and 25).
    assert.equal(BigInt(`0x${agent.ignored}`) & ~0x1001000n, 0n);
    assert.equal(BigInt(`0x${agent.blocked}`), 0n);
    assert.equal(agent.terminal, 0);
    const identity = agentIdentityOf(join(tree.root, "dist/agent.mjs"));
    assert.deepEqual(agent.argv.slice(2), [
      "--listen-fd",
      "3",
      "--socket",
      tree.socketPath(),
      "--identity",
      identity,
    ]);
  });

  test("a relative HOMCC_DIR is the same folder for the agent", async (t) => {
    const tree = plant(t, kind);
    tree.setServingAgent("await call.stdout(Buffer.from(process.env.HOMCC_DIR)); call.exit(0);");
    const ended = await tree.run(tree.homcc, ["mycc"], { environment: { HOMCC_DIR: "rel" } });
    assert.equal(ended.stdout.toString(), join(tree.root, "rel"));
  });

  test("replaces an agent of another version without failing a call", async (t) => {
    const tree = plant(t, kind);
    tree.setServingAgent("await call.stdout(Buffer.from(String(process.pid))); call.exit(0);");
    let retired = 0;
    let oldCalls = 0;
    await tree.serve(async () => void (oldCalls += 1), {
      identity: "1:2:3:4",
      onRetired: () => (retired += 1),
    });
    const all = await Promise.all(Array.from({ length: 8 }, () => tree.run(tree.homcc, ["mycc"])));
    const [agent] = tree.startedAgents();
    for (const ended of all) assert.deepEqual([ended.status, ended.stdout.toString()], [0, String(agent)]);
    assert.deepEqual([retired, oldCalls, tree.startedAgents().length], [1, 0, 1]);
  });

  test("a touched agent program retires the agent that runs, again and again", async (t) => {
    const tree = plant(t, kind);
    tree.setServingAgent("await call.stdout(Buffer.from(String(process.pid))); call.exit(0);");
    const pids = new Set<string>();
    for (let seconds = 1; seconds <= 3; seconds += 1) {
      utimesSync(join(tree.root, "dist/agent.mjs"), seconds, seconds);
      pids.add((await tree.run(tree.homcc, ["mycc"])).stdout.toString());
    }
    assert.deepEqual([...pids], tree.startedAgents().map(String));
    await waitFor(
      "the end of retired agents",
      () => tree.startedAgents().filter((pid) => isAlive(pid)).length === 1,
    );
  });

  test("starts another agent after one was killed", async (t) => {
    const tree = plant(t, kind);
    tree.setServingAgent("await call.stdout(Buffer.from(String(process.pid))); call.exit(0);");
    await tree.run(tree.homcc, ["mycc"]);
    const [first] = tree.startedAgents();
    assert.ok(first !== undefined);
    process.kill(first, "SIGKILL");
    await waitFor("its end", () => !isAlive(first));
    const ended = await tree.run(tree.homcc, ["mycc"]);
    assert.deepEqual(
      [ended.stdout.toString(), tree.startedAgents().length],
      [String(tree.startedAgents()[1]), 2],
    );
  });

  test("an agent that dies of a call costs that call nothing", async (t) => {
    const tree = plant(t, kind);
    tree.setServingAgent('process.kill(process.pid, "SIGKILL");');
    const ended = await tree.run(tree.homcc, ["mycc", "x"]);
    assert.deepEqual([ended.status, ended.stdout.toString()], [7, "mycc ran with: x\n"]);
  });

  test("meets the agent in folders whose names are too long for a socket", async (t) => {
    const tree = plant(t, kind);
    tree.setServingAgent("await call.stdout(Buffer.from(String(process.pid))); call.exit(0);");
    const runtime = join(tree.root, "r");
    mkdirSync(runtime, { mode: 0o700 });
    const long = (letter: string): string => `${tree.root}/${letter.repeat(150)}/${letter.repeat(150)}`;
    const outputs: string[] = [];
    for (const letter of ["a", "b", "a"]) {
      const environment = { HOMCC_DIR: long(letter), XDG_RUNTIME_DIR: runtime };
      const ended = await tree.run(tree.homcc, ["mycc"], { environment });
      assert.deepEqual([ended.status, ended.stderr], [0, ""]);
      outputs.push(ended.stdout.toString());
      const socketPath = tree.socketPath({ ...tree.environment, ...environment });
      assert.ok(socketPath.startsWith(`${runtime}/homcc/`) && socketPath.length <= 100, socketPath);
      assert.ok(readFileSync(`${long(letter)}/run/agent.log`) !== undefined);
    }
    assert.equal(outputs[0], outputs[2]);
    assert.notEqual(outputs[0], outputs[1]);
  });

  test("uses XDG_RUNTIME_DIR without HOMCC_DIR", async (t) => {
    const tree = plant(t, kind);
    tree.setServingAgent("call.exit(0);");
    const runtime = join(tree.root, "runtime");
    mkdirSync(runtime, { mode: 0o700 });
    const environment = { HOMCC_DIR: undefined, XDG_RUNTIME_DIR: runtime, HOME: undefined };
    assert.equal((await tree.run(tree.homcc, ["mycc"], { environment })).status, 0);
    assert.ok(readFileSync(join(runtime, "homcc/agent.log")) !== undefined);
  });

  test("the agent's log lies in the state folder, or beside the socket where that cannot be had", async (t) => {
    const home = mkdtempSync(join(tmpdir(), "homcc-home-"));
    t.after(() => rmSync(home, { recursive: true }));
    writeFileSync(join(home, "file"), "");
    const cases: [Record<string, string | undefined>, string][] = [
      [{ HOME: home }, join(home, ".local/state/homcc/agent.log")],
      [{ HOME: home, XDG_STATE_HOME: join(home, "state") }, join(home, "state/homcc/agent.log")],
      [{ HOME: home, XDG_STATE_HOME: join(home, "file") }, "runtime/homcc/agent.log"],
      [{ HOME: join(home, "none") }, "runtime/homcc/agent.log"],
    ];
    for (const [variables, expected] of cases) {
      const tree = plant(t, kind);
      tree.setServingAgent('await call.stdout(Buffer.from(readlinkSync("/proc/self/fd/2"))); call.exit(0);');
      const runtime = join(tree.root, "runtime");
      mkdirSync(runtime, { mode: 0o700 });
      const environment = { HOMCC_DIR: undefined, XDG_RUNTIME_DIR: runtime, ...variables };
      const ended = await tree.run(tree.homcc, ["mycc"], { environment });
      assert.equal(ended.stdout.toString(), join(tree.root, expected).replace(`${tree.root}${home}`, home));
    }
  });

  test("a log that has grown is moved aside before an agent starts", async (t) => {
    const tree = plant(t, kind);
    tree.setServingAgent("call.exit(0);");
    mkdirSync(join(tree.root, "h/run"), { recursive: true, mode: 0o700 });
    const log = join(tree.root, "h/run/agent.log");
    writeFileSync(log, Buffer.alloc(maxAgentLogBytes + 1, "x"));
    assert.equal((await tree.run(tree.homcc, ["mycc"])).status, 0);
    assert.equal(statSync(`${log}.1`).size, maxAgentLogBytes + 1);
    assert.equal(statSync(log).size, 0);
  });

  test("makes a socket folder private that others could enter", async (t) => {
    const tree = plant(t, kind);
    tree.setServingAgent("call.exit(0);");
    mkdirSync(join(tree.root, "h/run"), { recursive: true, mode: 0o755 });
    assert.equal((await tree.run(tree.homcc, ["mycc"])).status, 0);
    assert.equal(tree.startedAgents().length, 1);
  });
}

function finding(kind: LauncherKind): void {
  const serveArgv = (tree: LauncherTree) =>
    tree.serve(async (call) => {
      await call.stdout(Buffer.from(`${call.request.compilerPath} ${call.request.argv.join(" ")}`));
      call.exit(0);
    });

  test("a masquerade link stands for the next program of its name", async (t) => {
    const tree = plant(t, kind);
    await serveArgv(tree);
    const links = join(tree.root, "masquerade");
    const link = tree.addLink("mycc", links);
    const before = tree.addCompiler("mycc", "exit 1", join(tree.root, "before"));
    const real = join(tree.compilers, "mycc");
    const cases = {
      // Found behind the link: gcc must not look for its parts beside the link.
      [`${links}:${tree.compilers}`]: `${real} ${real} -c`,
      [`${join(tree.root, "before")}:${links}:${tree.compilers}`]: `${real} ${real} -c`,
      // Only before it.
      [`${join(tree.root, "before")}:${links}`]: `${before} mycc -c`,
      [tree.compilers]: `${real} mycc -c`,
    };
    for (const [path, expected] of Object.entries(cases)) {
      const environment = { PATH: `${path}:/usr/bin:/bin` };
      assert.equal((await tree.run(link, ["-c"], { environment })).stdout.toString(), expected, path);
    }
  });

  test("a masquerade link runs the real compiler when no agent serves", async (t) => {
    const tree = plant(t, kind);
    const links = join(tree.root, "masquerade");
    tree.addLink("mycc", links);
    const environment = { PATH: `${links}:${tree.compilers}:/usr/bin:/bin` };
    const ended = await tree.shell("exec mycc -c", { environment });
    assert.deepEqual([ended.status, ended.stdout.toString()], [7, "mycc ran with: -c\n"]);
  });

  test("links whose names begin with homcc are homcc", async (t) => {
    const tree = plant(t, kind);
    await serveArgv(tree);
    const link = tree.addLink("homcc-2.0");
    symlinkSync(link, join(tree.root, "links/homcc"));
    for (const program of [link, join(tree.root, "links/homcc")]) {
      const ended = await tree.run(program, ["mycc", "-c"]);
      assert.equal(ended.stdout.toString(), `${join(tree.compilers, "mycc")} mycc -c`);
    }
  });

  test("a link is a masquerade if its name is a compiler's or another program's, else homcc", async (t) => {
    const tree = plant(t, kind);
    await serveArgv(tree);
    const links = join(tree.root, "masquerade");
    const real = tree.addCompiler("weaver", "");
    const environment = { PATH: `${links}:${tree.compilers}:/usr/bin:/bin` };
    const output = async (name: string): Promise<string> => {
      const ended = await tree.run(tree.addLink(name, links), ["mycc"], { environment });
      return ended.stdout.toString() + ended.stderr;
    };
    assert.equal(await output("weaver"), `${real} ${real} mycc`);
    assert.equal(await output("hc"), `${join(tree.compilers, "mycc")} mycc`);
    assert.equal(await output("none-g++-99"), recursionText("none-g++-99"));
  });

  test("passes itself over in PATH", async (t) => {
    const tree = plant(t, kind);
    await serveArgv(tree);
    const links = join(tree.root, "masquerade");
    tree.addLink("mycc", links);
    const real = join(tree.compilers, "mycc");
    const environment = { PATH: `${links}:${tree.compilers}:/usr/bin:/bin` };
    assert.equal(
      (await tree.run(tree.homcc, ["mycc"], { environment })).stdout.toString(),
      `${real} ${real}`,
    );
  });

  test("takes a path as it is", async (t) => {
    const tree = plant(t, kind);
    await serveArgv(tree);
    const real = join(tree.compilers, "mycc");
    assert.equal((await tree.run(tree.homcc, [real])).stdout.toString(), `${real} ${real}`);
    const relative = await tree.run(tree.homcc, ["./mycc"], { cwd: tree.compilers });
    assert.equal(relative.stdout.toString(), `${tree.compilers}/./mycc ./mycc`);
  });

  test("an empty entry of PATH is the working folder, what is no program is passed over", async (t) => {
    const tree = plant(t, kind);
    await serveArgv(tree);
    const folder = join(tree.root, "folder");
    mkdirSync(join(folder, "mycc"), { recursive: true });
    mkdirSync(join(tree.root, "text"));
    writeFileSync(join(tree.root, "text/mycc"), "", { mode: 0o644 });
    const environment = { PATH: `${folder}:${join(tree.root, "text")}::/usr/bin:/bin` };
    const ended = await tree.run(tree.homcc, ["mycc"], { environment, cwd: tree.compilers });
    assert.equal(ended.stdout.toString().split(" ")[1], "mycc");
    assert.match(ended.stdout.toString(), new RegExp(`^${tree.compilers}/(\\./)?mycc `));
  });

  test("a wrapper that calls its own name again reaches the next one", async (t) => {
    const tree = plant(t, kind);
    await tree.serve(async (call) => call.execute("", []));
    const links = join(tree.root, "masquerade");
    const wrappers = join(tree.root, "wrappers");
    tree.addLink("mycc", links);
    tree.addCompiler("mycc", 'echo wrapped; exec mycc "$@"', wrappers);
    const environment = { PATH: `${links}:${wrappers}:${tree.compilers}:/usr/bin:/bin` };
    const ended = await tree.shell("exec mycc -c", { environment });
    assert.deepEqual([ended.status, ended.stdout.toString()], [7, "wrapped\nmycc ran with: -c\n"]);
  });

  test("a wrapper around homcc that leads to itself ends with an error", async (t) => {
    const tree = plant(t, kind);
    await tree.serve(async (call) => call.execute("", []));
    const wrapper = tree.addCompiler("wrapped", `exec '${tree.homcc}' wrapped "$@"`);
    const byName = await tree.run(wrapper, ["-c"]);
    assert.deepEqual([byName.status, byName.stderr], [64, recursionText("wrapped")]);
    const explicit = tree.addCompiler("explicit", `exec '${tree.homcc}' "$0" "$@"`);
    const byPath = await tree.run(explicit, ["-c"]);
    assert.deepEqual([byPath.status, byPath.stderr], [64, recursionText(explicit)]);
  });

  test("two homccs that masquerade for each other come to an end", async (t) => {
    const tree = plant(t, kind);
    const other = plant(t, kind);
    const links = [tree, other].map((each) => join(each.root, "masquerade"));
    for (const each of [tree, other]) each.addLink("mycc", join(each.root, "masquerade"));
    const environment = { PATH: `${links.join(":")}:${tree.compilers}:/usr/bin:/bin` };
    const ended = await tree.shell("exec mycc -c", { environment });
    assert.deepEqual([ended.status, ended.stdout.toString()], [7, "mycc ran with: -c\n"]);
    const alone = await tree.shell("exec mycc -c", {
      environment: { PATH: `${links.join(":")}:/usr/bin:/bin` },
    });
    assert.deepEqual([alone.status, alone.stderr], [64, recursionText("mycc")]);
  });

  test("refuses itself as compiler", async (t) => {
    const tree = plant(t, kind);
    const link = tree.addLink("mycc");
    for (const program of [tree.homcc, link]) {
      const ended = await tree.run(tree.homcc, [program, "-c"]);
      assert.deepEqual([ended.status, ended.stderr], [64, recursionText(program)]);
    }
    const onlyLink = { environment: { PATH: `${join(tree.root, "links")}:/usr/bin:/bin` } };
    const byName = await tree.run(tree.homcc, ["mycc"], onlyLink);
    assert.deepEqual([byName.status, byName.stderr], [64, recursionText("mycc")]);
    const byLink = await tree.run(link, ["-c"], onlyLink);
    assert.deepEqual([byLink.status, byLink.stderr], [64, recursionText("mycc")]);
  });

  test("programs that homcc started are not started again, others are", async (t) => {
    const tree = plant(t, kind);
    await serveArgv(tree);
    const real = join(tree.compilers, "mycc");
    symlinkSync("mycc", join(tree.compilers, "alias"));
    const environment = { _HOMCC_SAFEGUARD: `/usr/bin/make:${real}` };
    for (const word of ["mycc", "alias", real]) {
      const ended = await tree.run(tree.homcc, [word], { environment });
      assert.deepEqual([ended.status, ended.stderr], [64, recursionText(word)]);
    }
    const other = tree.addCompiler("other", "");
    assert.equal(
      (await tree.run(tree.homcc, ["other"], { environment })).stdout.toString(),
      `${other} other`,
    );
    const next = tree.addCompiler("mycc", "", join(tree.root, "next"));
    const path = { PATH: `${tree.compilers}:${join(tree.root, "next")}:/usr/bin:/bin` };
    const ended = await tree.run(tree.homcc, ["mycc"], { environment: { ...environment, ...path } });
    assert.equal(ended.stdout.toString(), `${next} ${next}`);
  });

  test("what a started program starts through homcc goes to the agent", async (t) => {
    const tree = plant(t, kind);
    const calls: string[] = [];
    await tree.serve(async (call) => {
      calls.push(call.request.argv.join(" "));
      if (call.request.argv[0] === "build") await call.execute("", []);
      else call.exit(0);
    });
    tree.addCompiler("build", `'${tree.homcc}' mycc -c a && '${tree.homcc}' mycc -c b`);
    assert.equal((await tree.run(tree.homcc, ["build"])).status, 0);
    assert.deepEqual(calls, ["build", "mycc -c a", "mycc -c b"]);
  });

  test("a folder with a colon does not open a circle", async (t) => {
    const tree = plant(t, kind);
    const folder = join(tree.root, "with:colon");
    const wrapper = tree.addCompiler("wrapped", `exec '${tree.homcc}' "$0" "$@"`, folder);
    const ended = await tree.run(tree.homcc, [wrapper]);
    assert.deepEqual([ended.status, ended.stderr], [64, recursionText(wrapper)]);
  });

  test("says what a shell says of a program that is not there or cannot run", async (t) => {
    const tree = plant(t, kind);
    writeFileSync(join(tree.root, "text"), "", { mode: 0o644 });
    const cases = [
      ["no-such-cc", 127, "homcc: no-such-cc: command not found\n"],
      ["", 127, "homcc: : command not found\n"],
      [join(tree.root, "none"), 127, `homcc: ${join(tree.root, "none")}: No such file or directory\n`],
      [join(tree.root, "text"), 126, `homcc: ${join(tree.root, "text")}: Permission denied\n`],
    ] as const;
    for (const [word, status, stderr] of cases) {
      const ended = await tree.run(tree.homcc, [word, "x"]);
      assert.deepEqual([ended.status, ended.stderr], [status, stderr]);
    }
  });

  test("runs a script that does not name its interpreter", async (t) => {
    const tree = plant(t, kind);
    const script = join(tree.compilers, "plain");
    writeFileSync(script, 'echo "plain $*"\n', { mode: 0o755 });
    assert.equal((await tree.run(tree.homcc, ["plain", "a"])).stdout.toString(), "plain a\n");
  });
}

function ownWords(kind: LauncherKind): void {
  for (const word of ["status", "stats", "doctor"]) {
    test(`${word} is homcc's own word, unless it is a path, an argument or a link's name`, async (t) => {
      const tree = plant(t, kind);
      tree.setCommandLine("process.stdout.write(JSON.stringify(process.argv.slice(2)));");
      tree.addCompiler(word, 'echo "the program ran with: $*"');
      const own = await tree.run(tree.homcc, [word, "--json"]);
      assert.equal(own.stdout.toString(), JSON.stringify([word, "--json"]));
      if (kind === "twin") return;
      const path = await tree.run(tree.homcc, [join(tree.compilers, word), "x"]);
      assert.equal(path.stdout.toString(), "the program ran with: x\n");
      const argument = await tree.run(tree.homcc, ["mycc", word]);
      assert.equal(argument.stdout.toString(), `mycc ran with: ${word}\n`);
      const link = await tree.run(tree.addLink(word), ["x"]);
      assert.equal(link.stdout.toString(), "the program ran with: x\n");
    });
  }
}

function requests(kind: LauncherKind): void {
  test("describes the call", async (t) => {
    const tree = plant(t, kind);
    const request = await requestOf(tree, (homcc) => `umask 027; exec '${homcc}' mycc '' 'a b' -DX='\n' ü`, {
      environment: { VALUE: "a=b", EMPTY: "", ["__proto__"]: "odd", UNI: "ü\ufeff" },
    });
    assert.deepEqual(request.argv, ["mycc", "", "a b", "-DX=\n", "ü"]);
    assert.equal(request.compilerPath, join(tree.compilers, "mycc"));
    assert.equal(request.cwd, tree.root);
    assert.equal(request.umask, 0o027);
    assert.deepEqual(request.terminals, [undefined, undefined, undefined]);
    assert.equal(request.rootIdentity, ownRootIdentity());
    assert.equal(request.agentIdentity, agentIdentityOf(join(tree.root, "dist/agent.mjs")));
    assert.deepEqual([request.notUtf8, request.invalidVariables, request.options], [false, [], {}]);
    const { environment } = request;
    assert.deepEqual(
      [environment["VALUE"], environment["EMPTY"], environment["UNI"]],
      ["a=b", "", "ü\ufeff"],
    );
    assert.equal(environment["HOMCC_DIR"], join(tree.root, "h"));
    assert.equal(environment["_HOMCC_THROUGH_LINK"], undefined);
  });

  test("gives the physical working folder, and the logical one as PWD", async (t) => {
    const tree = plant(t, kind);
    symlinkSync(tree.root, join(tree.root, "logical"));
    const request = await requestOf(tree, (homcc) => `cd logical && exec '${homcc}' mycc`);
    assert.deepEqual([request.cwd, request.environment["PWD"]], [tree.root, join(tree.root, "logical")]);
  });

  test("carries arguments of two megabytes", async (t) => {
    const tree = plant(t, kind);
    await tree.serve(async (call) => call.exit(call.request.argv.join("").length === 1_500_004 ? 0 : 1));
    const args = Array.from({ length: 15 }, () => "x".repeat(100_000));
    assert.equal((await tree.run(tree.homcc, ["mycc", ...args])).status, 0);
  });

  test("tells the terminals and their sizes", async (t) => {
    if (!meets(t, { program: "python3" })) return;
    const tree = plant(t, kind);
    let request: LaunchRequest | undefined;
    await tree.serve(async (call) => {
      request = call.request;
      call.exit(0);
    });
    const environment = definedOf(tree.environment);
    const terminal = { cwd: tree.root, environment, columns: 97, rows: 31 };
    await runPty([tree.homcc, "mycc"], { ...terminal, descriptors: "2" });
    assert.deepEqual(request?.terminals, [undefined, undefined, { columns: 97, rows: 31 }]);
    await runPty([tree.homcc, "mycc"], { ...terminal, descriptors: "012" });
    const size = { columns: 97, rows: 31 };
    assert.deepEqual(request?.terminals, [size, size, size]);
  });

  if (kind === "twin") return; // Node gives its programs arguments and variables as text only.

  test("runs arguments that are not UTF-8 byte for byte, and names variables that are not", async (t) => {
    const tree = plant(t, kind);
    let request: LaunchRequest | undefined;
    await tree.serve(async (call) => {
      request = call.request;
      await call.execute("", []);
    });
    tree.addCompiler("raw", String.raw`printf '%s' "$1" "$ODD" | od -An -tx1`);
    const ended = await tree.shell(
      String.raw`ODD=$(printf '\377v') FINE=1 exec '${tree.homcc}' raw "$(printf 'a\377b')"`,
    );
    assert.equal(ended.stdout.toString().trim(), "61 ff 62 ff 76");
    assert.deepEqual([request?.notUtf8, request?.argv], [true, ["raw", "a\ufffdb"]]);
    assert.deepEqual(request?.invalidVariables, ["ODD"]);
    assert.deepEqual([request?.environment["ODD"], request?.environment["FINE"]], [undefined, "1"]);
  });
}

function plant(t: TestContext, kind: LauncherKind): LauncherTree {
  const tree = new LauncherTree(kind);
  t.after(() => tree.remove());
  return tree;
}

/** Something that is no agent, where the launcher looks for one. */
async function listen(
  t: TestContext,
  tree: LauncherTree,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  const path = tree.socketPath();
  mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.resume();
    onConnection(socket);
  });
  server.listen(path);
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return server;
}

async function writeSlowly(socket: Socket, bytes: Uint8Array): Promise<void> {
  for (const byte of bytes) {
    socket.write(Uint8Array.of(byte));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function requestOf(
  tree: LauncherTree,
  command: (homcc: string) => string,
  options: { readonly environment?: Readonly<Record<string, string>> } = {},
): Promise<LaunchRequest> {
  const { promise, resolve } = Promise.withResolvers<LaunchRequest>();
  await tree.serve(async (call) => {
    resolve(call.request);
    call.exit(0);
  });
  const ended = await tree.shell(command(tree.homcc), options);
  assert.deepEqual([ended.status, ended.stderr], [0, ""]);
  return promise;
}

function ownSession(): number {
  return Number(readFileSync("/proc/self/stat", "latin1").split(") ")[1]?.split(" ")[3]);
}

function definedOf(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
