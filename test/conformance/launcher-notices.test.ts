/** Where homcc's own words go, asked of both launchers: past caches, and never in the way of a compile. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { LaunchRequest } from "@homcc/launch/messages";
import { collect, type LauncherKind, LauncherTree } from "../support/launcher-tree.ts";
import { runPty } from "../support/pty.ts";
import { meets } from "../support/requirements.ts";

const notice = Buffer.from("[HOMCC-WARNING] of ours\n");

for (const kind of ["native", "twin"] as const) {
  describe(`${kind} launcher: notices`, () => notices(kind));
  describe(`${kind} launcher: what a notice must not do`, () => harmless(kind));
}

function notices(kind: LauncherKind): void {
  test("go to stderr", async (t) => {
    const tree = await speaking(t, kind);
    const ended = await tree.run(tree.homcc, ["mycc"]);
    assert.deepEqual([ended.status, ended.stderr], [3, "[HOMCC-WARNING] of ours\ncompiler's\n"]);
  });

  test("go to UNCACHED_ERR_FD, and nothing of the compiler's does", async (t) => {
    const tree = await speaking(t, kind);
    const ended = await tree.shell(`exec env UNCACHED_ERR_FD=5 '${tree.homcc}' mycc 5>uncached`);
    assert.deepEqual([ended.status, ended.stderr], [3, "compiler's\n"]);
    assert.equal(readFileSync(join(tree.root, "uncached"), "utf8"), notice.toString());
  });

  test("go to stderr where UNCACHED_ERR_FD names nothing that is open for writing", async (t) => {
    const tree = await speaking(t, kind);
    writeFileSync(join(tree.root, "empty"), "");
    for (const value of ["5", "6", "1", "0x5", "99999999999"]) {
      const ended = await tree.shell(`exec env UNCACHED_ERR_FD='${value}' '${tree.homcc}' mycc 6<empty 5>&-`);
      assert.deepEqual([ended.status, ended.stdout.toString()], [3, ""], value);
      assert.equal(ended.stderr, "[HOMCC-WARNING] of ours\ncompiler's\n", value);
    }
  });

  test("what the launcher says by itself goes there too", async (t) => {
    const tree = plant(t, kind);
    await tree.serve(async (call) => call.execute("", []));
    const cases = [
      ["none", 127, "homcc: none: command not found\n"],
      [join(tree.root, "none"), 127, `homcc: ${join(tree.root, "none")}: No such file or directory\n`],
      [tree.homcc, 64, `[HOMCC-ERROR] Specified compiler '${tree.homcc}' has been invoked recursively!\n`],
    ] as const;
    for (const [word, status, said] of cases) {
      const ended = await tree.shell(`UNCACHED_ERR_FD=5 exec '${tree.homcc}' '${word}' -c 5>uncached`);
      assert.deepEqual([ended.status, ended.stderr], [status, ""], word);
      assert.equal(readFileSync(join(tree.root, "uncached"), "utf8"), said);
    }
  });

  test("the compiler that runs at home has the variable and the descriptor", async (t) => {
    const tree = plant(t, kind);
    tree.addCompiler("caching", 'echo uncached >&5; echo "$UNCACHED_ERR_FD"; echo cached >&2; exit 2');
    const run = `UNCACHED_ERR_FD=5 exec '${tree.homcc}' caching 5>uncached`;
    const check = async (): Promise<void> => {
      const ended = await tree.shell(run);
      assert.deepEqual([ended.status, ended.stdout.toString(), ended.stderr], [2, "5\n", "cached\n"]);
      assert.equal(readFileSync(join(tree.root, "uncached"), "utf8"), "uncached\n");
    };
    await check(); // Without an agent.
    await tree.serve(async (call) => {
      if (call.request.argv.length > 1) call.exit(0);
      const end = await call.supervise("", []);
      call.exit(end?.kind === "exit" ? end.status : 1);
    });
    await check();
  });

  test("the request tells the session, and whether notices go to a terminal", async (t) => {
    if (!meets(t, { program: "python3" }, { program: "setsid" })) return;
    const tree = plant(t, kind);
    const requests: LaunchRequest[] = [];
    await tree.serve(async (call) => {
      requests.push(call.request);
      call.exit(0);
    });
    const environment = Object.fromEntries(
      Object.entries(tree.environment).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, value]],
      ),
    );
    const terminal = { cwd: tree.root, environment, columns: 80, rows: 24 };
    const script = (text: string): string[] => ["/bin/sh", "-c", text];
    const homcc = `'${tree.homcc}' mycc`;
    await runPty(script(`${homcc}; ${homcc} 2>file`), { ...terminal, descriptors: "2" });
    await runPty(script(`UNCACHED_ERR_FD=5 ${homcc} 5>&2 2>file`), { ...terminal, descriptors: "2" });
    await tree.shell(`echo $$ >shell; exec setsid -w sh -c 'echo $$ >session; ${tree.homcc} mycc; exit'`);
    assert.deepEqual(
      requests.map((request) => request.noticeTerminal),
      [true, false, true, false],
    );
    assert.deepEqual(
      requests.map(({ terminals }) => terminals[2] !== undefined),
      [true, false, false, false],
    );
    const sessions = requests.map((request) => request.session);
    assert.equal(sessions[0], sessions[1]);
    assert.notEqual(sessions[1], sessions[2]);
    assert.equal(String(sessions[3]), readFileSync(join(tree.root, "session"), "utf8").trim());
  });
}

function harmless(kind: LauncherKind): void {
  test("end the launcher when nobody will read them", async (t) => {
    const tree = plant(t, kind);
    const sent = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    await tree.serve(async (call) => {
      sent.resolve();
      await gone.promise;
      await call.notice(notice);
      await call.notice(notice);
      call.exit(3);
    });
    const child = tree.start(tree.homcc, ["mycc"]);
    await sent.promise;
    child.stderr.destroy();
    await once(child.stderr, "close");
    gone.resolve();
    await once(child, "exit");
    assert.deepEqual([child.exitCode, child.signalCode], [3, null]);
  });

  test("disturb closed descriptors", async (t) => {
    const tree = await speaking(t, kind);
    const ended = await tree.shell(`'${tree.homcc}' mycc <&- >&- 2>&-; echo $? >status`);
    assert.deepEqual([ended.stderr, readFileSync(join(tree.root, "status"), "utf8")], ["", "3\n"]);
  });

  if (kind === "twin") return; // Node cannot ask whether a pipe has room.

  test("hold a compile up when nobody reads them now", async (t) => {
    const tree = plant(t, kind);
    await tree.serve(async (call) => {
      // More than the pipe and what collects its other end hold.
      await call.notice(Buffer.alloc(2_000_000, notice));
      call.exit(3);
    });
    const child = tree.start(tree.homcc, ["mycc"]);
    child.stderr.pause();
    // Node itself lets the rest flow once the program has ended.
    const collected = collect(child);
    await once(child, "exit");
    assert.equal(child.exitCode, 3);
    const { stderr } = await collected;
    assert.ok(stderr.startsWith(notice.toString()) && stderr.length < 2_000_000, String(stderr.length));
  });
}

/** With an agent that says something of its own, then what the compiler said, and ends with 3. */
async function speaking(t: TestContext, kind: LauncherKind): Promise<LauncherTree> {
  const tree = plant(t, kind);
  await tree.serve(async (call) => {
    await call.notice(notice);
    await call.stderr(Buffer.from("compiler's\n"));
    call.exit(3);
  });
  return tree;
}

function plant(t: TestContext, kind: LauncherKind): LauncherTree {
  const tree = new LauncherTree(kind);
  t.after(() => tree.remove());
  return tree;
}
