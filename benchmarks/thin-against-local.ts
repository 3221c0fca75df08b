/**
 * A build through a thin link beside the same build by the plain compiler: homcc is to be no more than a tenth slower on any link.
 *
 *     node benchmarks/thin-against-local.ts [--link UP/DOWN/RTT]... [--project c|c++] [--sources N] [--jobs N] [--local-jobs N]
 *         [--slots N] [--localhost N] [--real]
 *
 * For each link: the plain build, homcc with servers, agent and ledger that know nothing, homcc again after an edit of the header that
 * most sources read, and the plain build once more. The server replays. So does the compiler here, unless `--real` is given: it naps as
 * long as the recorded compile took of the processor, so that a busy machine does not make the plain build slow.
 */
import { appendFile, chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { JobRecord } from "@homcc/homcc/records/job-log";
import { homccProgram } from "../test/support/repository.ts";
import { startServer } from "../test/support/server.ts";
import { createWorkplace } from "../test/support/workplace.ts";
import { trafficOf } from "./build/link-traffic.ts";
import { build, type BuildOptions } from "./build/parallel-build.ts";
import { generateProject, type GeneratedProject } from "./build/project.ts";
import { record } from "./build/recording.ts";
import { Words } from "./build/words.ts";
import { startThinLink } from "./link/thin-link-process.ts";

const { values } = parseArgs({
  options: {
    link: { type: "string", multiple: true, default: ["0.5/2/60"] },
    project: { type: "string", default: "c++" },
    sources: { type: "string", default: "40" },
    jobs: { type: "string", default: "16" },
    "local-jobs": { type: "string", default: String(availableParallelism()) },
    slots: { type: "string", default: "64" },
    localhost: { type: "string" },
    real: { type: "boolean", default: false },
  },
});

await using workplace = await createWorkplace({ parent: "/var/tmp", forbidLocal: false });
const project = await prepared(join(workplace.folder, "quarry"), Number(values.sources));
const recording = join(workplace.folder, "recording");
const times = await record({ folder: recording, ...project, jobs: availableParallelism() });
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
console.log(
  `${project.sources.length} sources, ${seconds(times.reduce((a, b) => a + b, 0))} of compiling, the longest ${seconds(Math.max(...times))}`,
);
const compiler = values.real ? project.compiler : await nappingCompiler(project);
for (const link of values.link) await compare(link);

async function compare(words: string): Promise<void> {
  const [upMegabits = 0, downMegabits = 0, roundTripMs = 0] = words.split("/").map(Number);
  await using server = await startServer({
    limit: Number(values.slots),
    options: ["--executor", "replay", "--replay-dir", recording, "--replay-root", project.root],
  });
  await using link = await startThinLink(server.address, { upMegabits, downMegabits, roundTripMs });
  const localhost = values.localhost === undefined ? "" : ` localhost/${values.localhost}`;
  await using client = await createWorkplace({
    parent: workplace.folder,
    hosts: `127.0.0.1:${link.port}/${values.slots}${localhost}`,
    forbidLocal: false,
  });
  const plain = (): Promise<number> =>
    wall({ prefix: [], jobs: Number(values["local-jobs"]), environment: client.environment() });
  let jobsBefore: readonly JobRecord[] = [];
  const ours = async (name: string, localMs: number): Promise<void> => {
    const before = await trafficOf(link);
    const ms = await wall({
      prefix: [homccProgram],
      jobs: Number(values.jobs),
      environment: client.environment(),
    });
    const after = await trafficOf(link);
    const jobs = await client.jobs(jobsBefore.length + project.sources.length);
    const outcomes = new Map<string, number>();
    for (const { outcome } of jobs.slice(jobsBefore.length))
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    jobsBefore = jobs;
    const kilobytes = (bytes: number): string => `${Math.round(bytes / 1000)} kB`;
    const counted = [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(", ");
    console.log(
      `${words} ${name}: ${seconds(ms)} against ${seconds(localMs)}, × ${(ms / localMs).toFixed(2)}; ${counted}; ` +
        `${kilobytes(after.upBytes - before.upBytes)} up, ${kilobytes(after.downBytes - before.downBytes)} down`,
    );
  };
  const firstMs = await plain();
  await ours("cold", firstMs);
  await appendFile(await centralHeader(), "/* edited */\n");
  await ours("header edited", await plain());
}

async function wall(options: Pick<BuildOptions, "prefix" | "jobs" | "environment">): Promise<number> {
  const { wallMs } = await build({
    ...options,
    project: { ...project, compiler },
    objects: join(workplace.folder, "objects"),
  });
  return wallMs;
}

/** Takes the same options, answers questions as the compiler does, and naps where that would compile. */
async function nappingCompiler({
  root,
  compiler: [driver = "", ...options],
}: GeneratedProject): Promise<string[]> {
  const program = join(workplace.folder, "bin", driver);
  await mkdir(join(program, ".."), { recursive: true });
  const script = `#!/bin/sh
for word; do
  case $word in -M*|-E|-v|-\\#\\#\\#|-print*|-dump*|--version) exec /usr/bin/${driver} "$@" ;; esac
  case $before in -c) source=$word ;; -o) output=$word ;; esac
  before=$word
done
[ -n "$source" ] && [ -n "$output" ] || exec /usr/bin/${driver} "$@"
IFS=/
set -- \${source#${root}/}
key=$1; shift
for part; do key=$key@$part; done
read -r ms < "${recording}/$key.ms"
sleep $((ms / 1000)).$(printf %03d $((ms % 1000)))
exec cp "${recording}/$key.o" "$output"
`;
  await writeFile(program, script);
  await chmod(program, 0o755);
  return [program, ...options];
}

async function prepared(root: string, limit: number): Promise<GeneratedProject> {
  return values.project === "c" ? await smallC(root, limit) : await generateProject(root, limit);
}

/** Sources of some hundred lines, as of a C program: each compiles in a tenth of a second. */
async function smallC(root: string, limit: number): Promise<GeneratedProject> {
  await mkdir(join(root, "include"), { recursive: true });
  await chmod(root, 0o755);
  const headers = Array.from({ length: 30 }, (_, index) => `h${index}`);
  for (const name of headers) {
    const words = new Words(name);
    const lines = Array.from(
      { length: 60 },
      (_, at) =>
        `${words.comment(1)}static inline int ${name}_${at}(int x) { return x * ${at + 3} + ${words.below(999)}; }\n`,
    );
    await writeFile(join(root, "include", `${name}.h`), `#pragma once\n${lines.join("")}`);
  }
  const sources: string[] = [];
  for (let index = 0; index < limit; index++) {
    const words = new Words(`source ${index}`);
    const own = words.someOf(headers.slice(1), 12);
    const used = ["h0", ...own];
    const bodies = Array.from({ length: 10 }, (_, at) => {
      const calls = used.map(
        (name) => `  for (int i = 0; i < x; i++) x += ${name}_${words.below(60)}(x ^ i);\n`,
      );
      return `${words.comment(2)}int f${index}_${at}(int x) {\n${calls.join("")}  return x + (int)strlen("${words.word()}");\n}\n`;
    });
    const source = join(root, `s${index}.c`);
    const includes = used.map((name) => `#include "${name}.h"\n`).join("");
    await writeFile(
      source,
      `#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n${includes}${bodies.join("")}`,
    );
    sources.push(source);
  }
  return { root, sources, compiler: ["gcc", "-O1", `-I${join(root, "include")}`] };
}

async function centralHeader(): Promise<string> {
  const list = await Promise.all(project.sources.map((source) => readFile(source, "utf8")));
  const counts = new Map<string, number>();
  for (const [, name = ""] of list.flatMap((text) => [...text.matchAll(/#include "(.*)"/g)]))
    counts.set(name, (counts.get(name) ?? 0) + 1);
  const [most] = [...counts].toSorted(([, a], [, b]) => b - a);
  return join(project.root, "include", most?.[0] ?? "");
}
