import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import type { ActionResult } from "@homcc/cas/action";
import type { ExecutorSession } from "@homcc/execution/executor";
import { JobNotStarted } from "@homcc/execution/runner";
import { hasCode, HomccError } from "@homcc/observability/error";
import { isSameCompiler, SandboxCompilers } from "./compilers.ts";

const ENOENT = 2;

/** A sandbox in which these programs answer `--version`, and how often one was asked. */
function sandboxWith(programs: Readonly<Record<string, string>>) {
  const asked: string[] = [];
  const session: ExecutorSession = {
    execute: async ({ steps }): Promise<ActionResult> => {
      const program = steps[0]?.program ?? "";
      asked.push(program);
      const answer = programs[program];
      if (answer === undefined) throw new JobNotStarted(program, ENOENT);
      return {
        termination: { kind: "exited", status: 0 },
        stdout: Buffer.from(`${answer}\nmore\n`),
        stderr: Buffer.alloc(0),
        outputs: [],
        undeclared: [],
        usage: { wallMs: 1, cpuMs: 1, maxRssKiB: 1 },
        [Symbol.asyncDispose]: async () => {},
      };
    },
    close: async () => {},
  };
  return {
    asked,
    compilers: new SandboxCompilers({ session, place: "docker container box", path: "/a:relative:/b" }),
  };
}

test("a compiler is found through the sandbox's PATH, once for all jobs", async () => {
  const { asked, compilers } = sandboxWith({
    "/b/g++": "g++ (Debian 11) 11",
    "/b/c++": "Debian clang version 14",
  });
  const [one, other] = await Promise.all([compilers.compiler("g++"), compilers.compiler("g++")]);
  assert.deepEqual(one, {
    driver: "/b/g++",
    version: "g++ (Debian 11) 11",
    family: "gcc",
    digest: undefined,
  });
  assert.equal(other, one);
  assert.deepEqual(asked, ["/a/g++", "/b/g++"]);
  assert.equal((await compilers.compiler("c++")).family, "clang");
});

test("nothing else than a compiler is started, whatever a client calls it", async () => {
  const { asked, compilers } = sandboxWith({ "/a/sh": "GNU bash", "/tmp/x-gcc": "gcc 1" });
  for (const name of ["sh", "bash", "ld", "", "../tmp/x-gcc", "/tmp/x-gcc", "gcc/../sh"])
    await assert.rejects(compilers.compiler(name), (error) => hasCode(error, "ERR_HOMCC_SANDBOX"), name);
  assert.deepEqual(asked, []);
});

test("a missing one is refused with those that are there; anything else that fails is no answer", async () => {
  const { compilers } = sandboxWith({ "/a/gcc": "gcc (Debian 11) 11" });
  await assert.rejects(compilers.compiler("clang"), (error) => {
    assert.ok(hasCode(error, "ERR_HOMCC_SANDBOX"));
    assert.equal(error.message, "docker container box has no clang; there are: gcc");
    return true;
  });
  const failing: ExecutorSession = {
    execute: async () => {
      throw new HomccError("ERR_HOMCC_EXECUTOR", "mount overlay");
    },
    close: async () => {},
  };
  await assert.rejects(
    new SandboxCompilers({ session: failing, place: "x", path: "/a" }).compiler("gcc"),
    /mount overlay/,
  );
  await assert.rejects(
    new SandboxCompilers({ session: failing, place: "x", path: "/a" }).probe(),
    /mount overlay/,
  );
});

test("compilers are told apart by their files, else by what they say, in which the name they were called by means nothing", () => {
  const isSameVersion = (one: string, other: string): boolean =>
    isSameCompiler(
      { version: one, digest: undefined },
      { version: other, digest: digestOf(Buffer.from("x")) },
    );
  assert.ok(
    isSameVersion("x86_64-linux-gnu-g++-12 (Debian 12.2.0-14) 12.2.0", "g++ (Debian 12.2.0-14) 12.2.0"),
  );
  assert.ok(!isSameVersion("g++ (Debian 12.2.0-14) 12.2.0", "g++ (Debian 11.3.0-12) 11.3.0"));
  assert.ok(!isSameVersion("Debian clang version 14.0.6", "Debian clang version 15.0.6"));
  const [one, other] = ["one", "other"].map((text) => digestOf(Buffer.from(text)));
  assert.ok(!isSameCompiler({ version: "g++ 12", digest: one }, { version: "g++ 12", digest: other }));
  assert.ok(isSameCompiler({ version: "g++ 12", digest: one }, { version: "c++ 12", digest: one }));
});
