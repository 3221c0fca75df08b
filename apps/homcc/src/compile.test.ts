import assert from "node:assert/strict";
import { mkdir, readdir, readFile, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import { systemClock } from "@homcc/observability/clock";
import { silentLogger } from "@homcc/observability/log";
import { createServices } from "./agent-services.ts";
import { decide } from "./compile.ts";
import type { Conclusion } from "./conclusion.ts";
import { JobTrace } from "./records/job-trace.ts";
import { inputFile, settingsFor } from "./remote/remote-job.fixture.ts";
import { scratchFolder } from "./remote/scratch-folder.fixture.ts";
import {
  type ScriptedJob,
  type ScriptedServer,
  startScriptedServer,
} from "./remote/scripted-server.fixture.ts";
import type { Services } from "./services.ts";
import { JobStatistics } from "./records/statistics.ts";
import { TemporaryObjects } from "./temporary-objects.ts";
import { launcherIn, type Told } from "./told-launcher.fixture.ts";

/** `gcc -c a.c b.c` in a folder with both, on a server that does what `script` says. */
async function twoSources(
  t: TestContext,
  script: (job: ScriptedJob, source: string, folder: string) => void | Promise<void>,
  check: (run: {
    readonly folder: string;
    readonly told: Told;
    readonly server: ScriptedServer;
    readonly conclusion: Promise<Conclusion>;
  }) => Promise<void>,
): Promise<void> {
  if ((await realpath("/usr/bin/gcc").catch(() => undefined)) === undefined) return t.skip("needs gcc");
  await using home = await scratchFolder();
  await using scratch = await scratchFolder();
  const folder = await realpath(scratch.path);
  await inputFile(join(folder, "a.c"), "int a;\n");
  await inputFile(join(folder, "b.c"), "int b;\n");
  await using server = await startScriptedServer((job) => script(job, job.message.label, folder));
  const services: Services = await createServices({ HOMCC_DIR: home.path }, silentLogger, {
    idle: { idleTimeoutMs: 0 },
    logThreshold: { level: "INFO" },
    statistics: new JobStatistics(join(home.path, "stats.json"), systemClock, silentLogger),
    ownResults: undefined,
  });
  t.after(() => services.servers.close());
  const told = launcherIn(folder, ["gcc", "-c", "a.c", "b.c"]);
  const loaded = await settingsFor([server]);
  const conclusion = decide(told.call, loaded, services, new JobTrace(), new TemporaryObjects(home.path));
  await check({ folder, told, server, conclusion });
}

/** The result of a compiler that wrote `text` into the source's object and to stderr. */
function compiled(job: ScriptedJob, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const path = job.message.outputs[0]?.path ?? "";
  const outputs = [{ kind: "written" as const, path, sizeBytes: bytes.byteLength, mode: 0o644 }];
  return job.finish({ stderrBytes: bytes.byteLength, outputs }, [bytes, bytes]);
}

test("both outputs are in place, and the messages come in the command's order", (t) =>
  twoSources(
    t,
    async (job, source) => {
      if (source === "a.c") await new Promise((resolve) => setTimeout(resolve, 50));
      await compiled(job, `of ${source}\n`);
    },
    async ({ folder, told, conclusion }) => {
      const { outcome, ending } = await conclusion;
      assert.deepEqual([outcome, ending], ["compiled-remotely", { kind: "exit", status: 0 }]);
      assert.equal(told.printed.join(""), "of a.c\nof b.c\n");
      assert.equal(await readFile(join(folder, "b.o"), "utf8"), "of b.c\n");
      assert.deepEqual((await readdir(folder)).sort(), ["a.c", "a.o", "b.c", "b.o"]);
    },
  ));

test("a launcher that goes away while one of two sources is ready leaves no half of anything", (t) =>
  twoSources(
    t,
    async (job, source) => {
      if (source === "a.c") await compiled(job, "object");
    },
    async ({ folder, told, server, conclusion }) => {
      const rejected = assert.rejects(conclusion, /gone/);
      const isReady = async (): Promise<boolean> =>
        (await readdir(folder)).some((name) => name.includes(".homcc-"));
      const endMs = Date.now() + 10_000;
      while (!(server.jobs.length === 2 && (await isReady())) && Date.now() < endMs)
        await new Promise(setImmediate);
      told.launcher.abort(new Error("gone"));
      await rejected;
      assert.deepEqual((await readdir(folder)).sort(), ["a.c", "b.c"]);
      assert.deepEqual(told.printed, []);
    },
  ));

test("one refused source brings both home, and nothing of the other stays", (t) =>
  twoSources(
    t,
    async (job, source) => {
      if (source === "a.c") await compiled(job, "object");
      else job.send({ kind: "refused", reason: "refused", message: "no" }, { end: true });
    },
    async ({ folder, told, conclusion }) => {
      const { outcome, ending } = await conclusion;
      assert.deepEqual([outcome, ending], ["refused", { kind: "execute", command: undefined }]);
      assert.deepEqual((await readdir(folder)).sort(), ["a.c", "b.c"]);
      assert.deepEqual(told.printed, []);
    },
  ));

test("an output whose place is taken meanwhile: everything comes home and nothing was printed", (t) =>
  twoSources(
    t,
    async (job, source, folder) => {
      if (source === "b.c") await mkdir(join(folder, "b.o"));
      await compiled(job, "warning\n");
    },
    async ({ folder, told, conclusion }) => {
      const { outcome, ending } = await conclusion;
      assert.deepEqual([outcome, ending], ["output-failed", { kind: "execute", command: undefined }]);
      assert.deepEqual(told.printed, []);
      await rm(join(folder, "a.o"), { force: true });
      assert.deepEqual((await readdir(folder)).sort(), ["a.c", "b.c", "b.o"]);
    },
  ));

test("a compile error is final, with the first failing status", (t) =>
  twoSources(
    t,
    (job, source) =>
      job.finish({ termination: { kind: "exited", status: source === "a.c" ? 1 : 3 }, stderrBytes: 6 }, [
        Buffer.from("error\n"),
      ]),
    async ({ told, conclusion }) => {
      const { outcome, ending } = await conclusion;
      assert.deepEqual([outcome, ending], ["compile-error", { kind: "exit", status: 1 }]);
      assert.equal(told.printed.join(""), "error\nerror\n");
    },
  ));

test("the server is told the toolchain, the folder and the inputs, and asked for nothing else", (t) =>
  twoSources(
    t,
    (job) => job.finish(),
    async ({ folder, server, conclusion }) => {
      await conclusion;
      const job = server.jobs.find(({ message }) => message.label === "a.c");
      assert.equal(job?.message.cwd, folder);
      assert.deepEqual(job?.message.outputs, [{ path: join(folder, "a.o"), exists: false }]);
      assert.deepEqual(job?.message.steps[0]?.argv, ["gcc", "-c", "a.c"]);
      const source = job?.inputs.find(({ path }) => path === join(folder, "a.c"));
      assert.ok(source?.kind === "file");
      assert.equal(source.digest, digestOf(Buffer.from("int a;\n")));
      assert.deepEqual(server.uploads, []);
    },
  ));
