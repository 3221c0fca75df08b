import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { findProgram } from "@homcc/compiler/find-program";
import { systemClock } from "@homcc/observability/clock";
import { createLogger, silentLogger } from "@homcc/observability/log";
import { createServices } from "../agent-services.ts";
import { decide } from "../compile.ts";
import type { Conclusion } from "../conclusion.ts";
import { JobTrace } from "../records/job-trace.ts";
import { JobStatistics } from "../records/statistics.ts";
import { TemporaryObjects } from "../temporary-objects.ts";
import { launcherIn } from "../told-launcher.fixture.ts";
import { inputFile, settingsFor } from "./remote-job.fixture.ts";
import { scratchFolder } from "./scratch-folder.fixture.ts";
import { type ScriptedJob, startScriptedServer } from "./scripted-server.fixture.ts";

interface Site {
  readonly folder: string;
  readonly compile: (source: string, ...options: readonly string[]) => Promise<Conclusion>;
  /** Names of the files of the project that the latest job brought along. */
  readonly inputs: () => string[];
  readonly jobs: () => number;
  readonly statistics: JobStatistics;
  readonly log: string[];
}

/** What a server that compiles nothing takes is less than the way there on a busy machine: its jobs would come home. */
const stayingThere = { HOMCC_NO_LOCAL_COMPILATION: "1" };

/** An agent with one server that does what `script` says, and a folder with a source and two headers. */
async function onSite(
  t: TestContext,
  script: (job: ScriptedJob, number: number) => void | Promise<void>,
  check: (site: Site) => Promise<void>,
  environment: Readonly<Record<string, string>> = stayingThere,
): Promise<void> {
  if (findProgram("gcc", "/usr/bin") === undefined) return t.skip("needs gcc");
  await using home = await scratchFolder();
  await using scratch = await scratchFolder();
  const folder = await realpath(scratch.path);
  await inputFile(join(folder, "a.c"), '#include "a.h"\nint a;\n');
  await inputFile(join(folder, "a.h"), "int b;\n");
  await inputFile(join(folder, "other.h"), "int c;\n");
  let number = 0;
  await using server = await startScriptedServer((job) => {
    number += 1;
    return script(job, number);
  });
  const log: string[] = [];
  const statistics = new JobStatistics(join(home.path, "stats.json"), systemClock, silentLogger);
  const logger = createLogger(
    () => "WARNING",
    (_, text) => text,
    (line) => log.push(line),
  );
  const services = await createServices({ HOMCC_DIR: home.path }, logger, {
    idle: { idleTimeoutMs: 0 },
    logThreshold: { level: "INFO" },
    statistics,
    ownResults: undefined,
  });
  t.after(() => services.servers.close());
  const loaded = await settingsFor([server], environment);
  await check({
    folder,
    statistics,
    log,
    jobs: () => server.jobs.length,
    inputs: () =>
      (server.jobs.at(-1)?.inputs ?? [])
        .filter(({ kind, path }) => kind === "file" && path.startsWith(`${folder}/`))
        .map(({ path }) => path.slice(folder.length + 1))
        .sort(),
    compile: async (source, ...options) => {
      const { call } = launcherIn(folder, ["gcc", ...options, "-c", source]);
      return await decide(call, loaded, services, new JobTrace(), new TemporaryObjects(home.path));
    },
  });
  return undefined;
}

/** An object, and a dependency file where one was asked for. */
function compiled(job: ScriptedJob, dependencies: string, unlisted: string[] = []): Promise<void> {
  const texts = job.message.outputs.map(({ path }) => (path.endsWith(".d") ? dependencies : "object"));
  const outputs = job.message.outputs.map(({ path }, index) => ({
    kind: "written" as const,
    path,
    sizeBytes: Buffer.byteLength(texts[index] ?? ""),
    mode: 0o644,
  }));
  return job.finish(
    { outputs, unlisted },
    texts.map((text) => Buffer.from(text)),
  );
}

test("a file that the compiler reports and the scan lacks ends the scanner's use for these options", (t) => {
  const report = "a.o: a.c a.h other.h\n";
  return onSite(
    t,
    (job) => compiled(job, report),
    async ({ compile, inputs, statistics, log, folder }) => {
      assert.equal((await compile("a.c", "-MMD")).outcome, "compiled-remotely");
      assert.equal(await readFile(join(folder, "a.d"), "utf8"), report);
      assert.deepEqual(inputs(), ["a.c", "a.h"]);
      assert.equal(statistics.read().incompleteScans, 1);
      assert.match(log.join("\n"), /^a\.c: the include scanner did not find \/.*\/other\.h;/);
      await compile("a.c", "-MMD");
      assert.equal(statistics.read().incompleteScans, 1, "the compiler was asked: nothing was scanned");
      await compile("a.c", "-MMD", "-std=c99");
      assert.equal(statistics.read().incompleteScans, 2, "other options are scanned on");
    },
  );
});

test("a file that the server names is not believed to be the one at home", (t) => {
  return onSite(
    t,
    (job, number) => compiled(job, "", number === 1 ? [`${job.message.cwd}/other.h`] : []),
    async ({ compile, jobs, statistics, log }) => {
      assert.equal((await compile("a.c")).outcome, "compiled-remotely");
      assert.equal(jobs(), 2, "once more, with the compiler's list");
      assert.equal(statistics.read().incompleteScans, 1);
      assert.match(log.join("\n"), /^a\.c: the include scanner did not find \/.*\/other\.h;/);
      assert.equal((await compile("a.c")).outcome, "compiled-remotely");
      assert.equal(statistics.read().incompleteScans, 1);
    },
  );
});

test("one that the compiler does not list either has the job compiled at home", (t) => {
  return onSite(
    t,
    (job) => compiled(job, "", [`${job.message.cwd}/other.h`]),
    async ({ compile, jobs, folder }) => {
      const { outcome, detail } = await compile("a.c");
      assert.deepEqual([outcome, detail], ["missing-file", join(folder, "other.h")]);
      assert.equal(jobs(), 2);
    },
    {},
  );
});

test("a header of the toolchain is the same there, and ends the scanner's use all the same", (t) => {
  const header = execFileSync("gcc", ["-print-file-name=include/stddef.h"], { encoding: "utf8" }).trim();
  return onSite(
    t,
    (job) => compiled(job, "", [realpathSync(header)]),
    async ({ compile, jobs, statistics }) => {
      assert.equal((await compile("a.c")).outcome, "compiled-remotely");
      assert.deepEqual([jobs(), statistics.read().incompleteScans], [1, 1]);
      assert.equal((await compile("a.c")).outcome, "compiled-remotely");
      assert.deepEqual([jobs(), statistics.read().incompleteScans], [2, 1]);
    },
  );
});

test("reports that the scan explains, and none at all, change nothing", (t) =>
  onSite(
    t,
    (job) => compiled(job, `a.o: a.c ./a.h missing.h ${job.message.cwd}/a.h\n`),
    async ({ compile, statistics, log }) => {
      await compile("a.c", "-MMD");
      await compile("a.c");
      assert.equal(statistics.read().incompleteScans, 0);
      assert.deepEqual(log, []);
    },
  ));

test("a file that is missing on the server costs another round trip, with the compiler's list", (t) =>
  onSite(
    t,
    async (job, number) => {
      if (number > 1) return compiled(job, "");
      const message = Buffer.from("a.c:1:10: fatal error: other.h: No such file or directory\n");
      return job.finish(
        { termination: { kind: "exited", status: 1 }, stderrBytes: message.byteLength, outputs: [] },
        [message],
      );
    },
    async ({ compile, jobs, statistics, log }) => {
      assert.equal((await compile("a.c")).outcome, "compiled-remotely");
      assert.equal(jobs(), 2);
      assert.equal(statistics.read().incompleteScans, 1);
      assert.match(log.join("\n"), /did not find other\.h/);
      assert.equal((await compile("a.c")).outcome, "compiled-remotely");
      assert.equal(statistics.read().incompleteScans, 1);
    },
  ));

test("one that is missing also then has the job compiled at home, and is asked for twice at most", (t) =>
  onSite(
    t,
    (job) => {
      const message = Buffer.from("a.c:1:10: fatal error: other.h: No such file or directory\n");
      return job.finish(
        { termination: { kind: "exited", status: 1 }, stderrBytes: message.byteLength, outputs: [] },
        [message],
      );
    },
    async ({ compile, jobs }) => {
      const { outcome, detail } = await compile("a.c");
      assert.deepEqual([outcome, detail], ["missing-file", "other.h"]);
      assert.equal(jobs(), 2);
    },
  ));
