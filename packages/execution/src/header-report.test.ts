import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ExecutorSession } from "./executor.ts";
import type { ClientProject } from "./fixtures/client-project.ts";
import { run, TestBench } from "./fixtures/test-bench.ts";
import { HeaderReport } from "./header-report.ts";

let bench: TestBench;
const sessions = new Map<string, ExecutorSession>();
let nextProject = 1;

before(async () => {
  bench = new TestBench();
  sessions.set("namespace", await bench.session(await bench.namespaceExecutor()));
  sessions.set("mapped", await bench.session(await bench.mappedExecutor()));
});

after(() => bench[Symbol.asyncDispose]());

function newProject(): ClientProject {
  return bench.project(`reported-${nextProject++}`);
}

const compilers = ["/usr/bin/gcc", "/usr/bin/clang"];
/** `-MMD` is silent about the system's headers. */
const rules = [[], ["-MD"], ["-MMD", "-MF", "rules"], ["-save-temps"], ["-pipe"], ["-S"], ["-H"], ["-DA=1"]];

for (const compiler of compilers) {
  for (const executor of ["namespace", "mapped"]) {
    test(`${compiler} reports what it reads, ${executor}`, async (t) => {
      if (!existsSync(compiler)) return t.skip(`needs ${compiler}`);
      const session = sessions.get(executor);
      assert.ok(session !== undefined);
      const project = newProject();
      project.write("a.c", '#include <stddef.h>\n#include "./x/../link/a.h"\nsize_t a = A;\n');
      mkdirSync(join(project.folder, "x"));
      project.write("folder/a.h", "#ifndef A\n#define A 1\n#endif\n");
      symlinkSync("folder", join(project.folder, "link"));
      const at = (...names: readonly string[]): string[] => names.map((name) => join(project.folder, name));
      const all = [...at("a.c", "x", "link", "folder/a.h"), ...systemFiles(compiler)];
      for (const options of rules) {
        const argv = [compiler, "-c", ...options, "a.c", "-o", "a.o"];
        const outputs = at("a.o", "a.d", "rules", "a-a.d", "a-a.i").map((path) => ({ path, exists: false }));
        const listed = await run(session, await project.action(argv, { inputs: all, outputs }));
        assert.deepEqual(listed.unlisted, [], `${argv.join(" ")}: ${listed.stderr}`);
        if (executor === "namespace" && !options.includes("-save-temps")) {
          // What is sent with the text of another compile on the way is not compared here.
          const local = spawnSync(compiler, argv.slice(1), { cwd: project.folder, encoding: "utf8" });
          assert.equal(listed.stderr, local.stderr);
          assert.ok(
            listed.written.get(outputs[0]?.path ?? "")?.equals(readFileSync(join(project.folder, "a.o"))),
          );
        }
        const [left = "", ...others] = systemFiles(compiler).filter((path) => path.endsWith("/stddef.h"));
        assert.deepEqual(others, []);
        const inputs = all.filter((path) => path !== left);
        const short = await run(session, await project.action(argv, { inputs, outputs }));
        const isSilent = options.includes("-MMD");
        assert.deepEqual(short.unlisted, isSilent ? [] : [left], argv.join(" "));
      }
      return undefined;
    });
  }

  test(`${compiler} names a header that another job of the session left`, async (t) => {
    if (!existsSync(compiler)) return t.skip(`needs ${compiler}`);
    const session = sessions.get("namespace");
    assert.ok(session !== undefined);
    const project = newProject();
    project.write("a.c", '#include "a.h"\n');
    const header = project.write("a.h", "int a;\n");
    const object = { path: join(project.folder, "a.o"), exists: false };
    const argv = [compiler, "-c", "a.c", "-o", "a.o"];
    const complete = await project.action(argv, { outputs: [object] });
    // A file that is needed so often is shared by the session's jobs.
    for (let times = 0; times < 5; times += 1) {
      assert.deepEqual((await run(session, complete)).unlisted, []);
    }
    const inputs = complete.inputs.filter(({ path }) => path !== header);
    const incomplete = await run(session, { ...complete, inputs });
    assert.deepEqual(incomplete.termination, { kind: "exited", status: 0 }, incomplete.stderr);
    assert.deepEqual(incomplete.unlisted, [header]);
    return undefined;
  });
}

test("errors that the variables would hide are still errors", async () => {
  for (const options of [
    ["-MP"],
    ["-MF", "rules"],
    ["-MT", "a"],
    ["-Wp,-MF,rules"],
    ["--print-missing-file-dependencies"],
  ]) {
    const project = newProject();
    project.write("a.c", "int a;\n");
    const argv = ["/usr/bin/gcc", "-c", ...options, "a.c"];
    const local = spawnSync("/usr/bin/gcc", argv.slice(1), { cwd: project.folder, encoding: "utf8" });
    assert.notEqual(local.status, 0, argv.join(" "));
    for (const session of sessions.values()) {
      const inputs = [join(project.folder, "a.c")];
      const remote = await run(session, await project.action(argv, { inputs }));
      assert.deepEqual(remote.termination, { kind: "exited", status: local.status });
      assert.equal(remote.unlisted, undefined);
    }
  }
});

test("clang prints its frontend's command as it does at home", async (t) => {
  if (!existsSync("/usr/bin/clang")) return t.skip("needs clang");
  const project = newProject();
  project.write("a.c", "int a;\n");
  const session = sessions.get("namespace");
  assert.ok(session !== undefined);
  for (const option of ["-v", "--verbose", "-###"]) {
    const argv = ["/usr/bin/clang", "-c", option, "a.c", "-o", "a.o"];
    const inputs = [join(project.folder, "a.c")];
    const remote = await run(session, await project.action(argv, { inputs }));
    assert.doesNotMatch(remote.stderr, /homcc-report/);
  }
  return undefined;
});

test("a precompiled header is no other with a report than without one", async () => {
  const project = newProject();
  const header = project.write("a.h", "int a;\n");
  const session = sessions.get("namespace");
  assert.ok(session !== undefined);
  const path = join(project.folder, "a.h.gch");
  const argv = ["/usr/bin/gcc", "-x", "c-header", "-c", "a.h", "-o", "a.h.gch", "-frandom-seed=1"];
  const remote = await run(
    session,
    await project.action(argv, { inputs: [header], outputs: [{ path, exists: false }] }),
  );
  assert.equal(remote.unlisted, undefined);
});

test("what the lines of a preprocessed file name was not read", async (t) => {
  if (!existsSync("/usr/bin/clang")) return t.skip("needs clang");
  const project = newProject();
  const [header = ""] = systemFiles("/usr/bin/clang");
  for (const name of ["a.c", "a.i"]) project.write(name, `# 1 "absent.h" 1\nint a;\n# 2 "a.c" 2\n`);
  project.write("b.i", `# 1 "${header}" 1\nint a;\n# 2 "a.c" 2\n`);
  const session = sessions.get("namespace");
  assert.ok(session !== undefined);
  for (const words of [["a.c"], ["a.i"], ["b.i"], ["-x", "cpp-output", "b.i"]]) {
    const argv = ["/usr/bin/clang", "-c", ...words];
    const inputs = [join(project.folder, words.at(-1) ?? "")];
    const { termination, unlisted } = await run(session, await project.action(argv, { inputs }));
    assert.deepEqual([termination, unlisted ?? []], [{ kind: "exited", status: 0 }, []], argv.join(" "));
  }
  return undefined;
});

test("a report is a file of the job's own", async () => {
  const project = newProject();
  const header = project.write("a.h", "");
  const inputs = [header];
  const session = sessions.get("namespace");
  assert.ok(session !== undefined);
  const { variables } = new HeaderReport({ steps: [], cwd: "/", outputs: [] }, "/tmp");
  const file = variables["SUNPRO_DEPENDENCIES"]?.split(" ")[0] ?? "";
  for (const [script, unlisted] of [
    [`echo 'all: /usr/lib/../bin/cat /absent ${header}' > ${file}`, ["/usr/bin/cat"]],
    [`mkdir ${file}`, undefined],
    [`printf 'all: \\377' > ${file}`, undefined],
  ] as const) {
    const remote = await run(session, await project.shell(script, { inputs }));
    assert.deepEqual(
      [remote.termination, remote.unlisted],
      [{ kind: "exited", status: 0 }, unlisted],
      script,
    );
  }
});

function systemFiles(compiler: string): string[] {
  const rule = execFileSync(compiler, ["-M", "-xc", "-"], {
    input: "#include <stddef.h>\n",
    encoding: "utf8",
  });
  return [...rule.matchAll(/ (\/\S+\.h)/g)].map(([, path = ""]) => path);
}
