/**
 * Behind ccache: each row is a small build that runs with a cache of its own plainly, with CCACHE_PREFIX=homcc on a
 * server, and with CCACHE_PREFIX=homcc where every compile falls back with a warning. Status, streams, objects and
 * ccache's counters must be the same, and nothing of homcc's may be in the cache.
 */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { OutcomeName } from "@homcc/observability/outcomes";
import { type CommandResult, runCommand } from "../support/command.ts";
import { type Files, writeFiles } from "../support/files.ts";
import { runPty } from "../support/pty.ts";
import { homccProgram } from "../support/repository.ts";
import { meets } from "../support/requirements.ts";
import { type Server, startServer } from "../support/server.ts";
import { compareSnapshots, type Snapshot, takeSnapshot } from "../support/snapshot.ts";
import { unusedPort } from "../support/strange-server.ts";
import { createWorkplace, type Workplace } from "../support/workplace.ts";

interface Build {
  /** Shell commands, one after the other. `ccache` is the program. */
  readonly commands: readonly string[];
  /** What homcc is called for, on a server that takes everything; the rest are hits. */
  readonly jobs: readonly OutcomeName[];
  /** Default: only in those that users choose, `default` and `depend`. */
  readonly inEveryMode?: boolean;
}

const files: Files = {
  "a.cpp": '#include "h.h"\nint value() { return VALUE; }\n',
  "main.cpp": '#include "h.h"\nint value();\nint main() { return value() - VALUE; }\n',
  "w.cpp": "int noise(int used) { int unused; return 0; }\n#warning said by the source\n",
  "bad.cpp": "int value() { return nothing; }\n",
  "lost.cpp": '#include "nowhere.h"\n',
  "broken.cpp": "#error said by the source\n",
  "h.h": "#pragma once\n#define VALUE 1\n",
};

/** ccache's own ways of working. */
const modes = {
  default: {},
  depend: { CCACHE_DEPEND: "1" },
  "without direct mode": { CCACHE_NODIRECT: "1" },
  "with preprocessed sources": { CCACHE_NOCPP2: "1" },
} as const;

const builds: Readonly<Record<string, Build>> = {
  "cold, then hit": {
    commands: ["ccache g++ -MD -c a.cpp", "rm a.o a.d", "ccache g++ -MD -c a.cpp"],
    jobs: ["compiled-remotely"],
    inEveryMode: true,
  },
  "without a dependency file": {
    commands: ["ccache g++ -c a.cpp -o a.o", "rm a.o", "ccache g++ -c a.cpp -o a.o"],
    jobs: ["compiled-remotely"],
  },
  "warnings, cold and from the cache": {
    commands: ["ccache g++ -MD -Wall -c w.cpp", "rm w.o", "ccache g++ -MD -Wall -c w.cpp"],
    jobs: ["compiled-remotely"],
    inEveryMode: true,
  },
  "a compile error, twice": {
    commands: ["ccache g++ -MD -c bad.cpp", "ccache g++ -MD -c bad.cpp"],
    jobs: ["compile-error", "compile-error"],
    inEveryMode: true,
  },
  "an error of the preprocessor": {
    commands: ["ccache g++ -MD -c broken.cpp", "ccache g++ -MD -c broken.cpp"],
    jobs: ["compile-error", "compile-error"],
  },
  "a header that is not there": {
    commands: ["ccache g++ -MD -c lost.cpp"],
    jobs: ["compile-error"],
  },
  "a link": {
    commands: [
      "ccache g++ -MD -c a.cpp",
      "ccache g++ -MD -c main.cpp",
      "ccache g++ a.o main.o -o app",
      "./app",
    ],
    jobs: ["compiled-remotely", "compiled-remotely", "linking-only"],
  },
  "compile and link in one": {
    commands: ["ccache g++ a.cpp main.cpp -o app", "./app"],
    jobs: ["compiled-remotely"],
  },
  "preprocessing, to stdout and to a file": {
    commands: ["ccache g++ -E a.cpp", "ccache g++ -E a.cpp -o a.ii", "ccache g++ -M a.cpp"],
    jobs: ["no-compilation", "no-compilation", "no-compilation"],
  },
  "debug information": {
    commands: ["ccache g++ -MD -g -O2 -c a.cpp", "rm a.o", "ccache g++ -MD -g -O2 -c a.cpp"],
    jobs: ["compiled-remotely"],
  },
  "an edited header": {
    commands: [
      "ccache g++ -MD -c a.cpp",
      "printf '#define VALUE 2\\n' >h.h && touch -d 2024-03-05 h.h",
      "ccache g++ -MD -c a.cpp",
      "rm a.o",
      "ccache g++ -MD -c a.cpp",
    ],
    jobs: ["compiled-remotely", "compiled-remotely"],
  },
  "dependency files of other names": {
    commands: [
      "ccache g++ -MMD -MF deps -MT target -MP -c a.cpp",
      "rm deps",
      "ccache g++ -MMD -MF deps -MT target -MP -c a.cpp",
    ],
    jobs: ["compiled-remotely"],
  },
  "a language, an output and a folder of its own": {
    commands: [
      "mkdir out",
      "ccache gcc -x c -MD -c a.cpp -o out/a.o",
      "ccache gcc -x c -MD -c a.cpp -o out/a.o",
    ],
    jobs: ["compiled-remotely"],
  },
};

let server: Server;
let workplace: Workplace;
let deadAddress: string;
before(async () => {
  server = await startServer();
  workplace = await createWorkplace();
  deadAddress = `127.0.0.1:${await unusedPort()}`;
});
after(async () => {
  await workplace?.[Symbol.asyncDispose]();
  await server?.stop();
});

const chosenByUsers: ReadonlySet<string> = new Set(["default", "depend"]);

for (const [mode, modeVariables] of Object.entries(modes)) {
  for (const [name, build] of Object.entries(builds)) {
    if (build.inEveryMode !== true && !chosenByUsers.has(mode)) continue;
    test(`${mode}: ${name}`, async (t) => {
      if (!meets(t, { program: "ccache" })) return;
      const plain = await observe(build, modeVariables);
      const prefix = { ...modeVariables, CCACHE_PREFIX: homccProgram };
      const before = (await workplace.jobs()).length;
      const remote = await observe(build, { ...prefix, HOMCC_HOSTS: `${server.address}/4` });
      const jobs = (await workplace.jobs(before + build.jobs.length)).slice(before);
      assert.deepEqual(
        jobs.map(({ outcome }) => outcome),
        build.jobs,
      );
      assert.deepEqual(differences(plain, remote, []), []);
      const home = await observe(build, { ...prefix, ...fallingBack() });
      assert.deepEqual(differences(plain, home, ownLines(home)), []);
      assert.equal(ownLines(home).length, build.jobs.length);
      assert.deepEqual([...remote.cachedWords, ...home.cachedWords], []);
    });
  }
}

test("at a terminal: warnings of ours and of the compiler's, cold and from the cache", async (t) => {
  if (!meets(t, { program: "ccache" }, { program: "python3" })) return;
  const screen = async (variables: Readonly<Record<string, string>>): Promise<string[]> => {
    const environment = await freshProject(variables);
    const script = "ccache g++ -MD -Wall -c w.cpp; echo; ccache g++ -MD -Wall -c w.cpp";
    const terminal = { columns: 90, rows: 24, descriptors: "012" };
    const shell = ["/bin/sh", "-c", script];
    const result = await runPty(shell, { cwd: workplace.project, environment, ...terminal });
    return result.terminal.replaceAll("\u001B", "<ESC>").split("\n\n");
  };
  const plain = await screen({});
  const [cold = "", hit = ""] = await screen({ CCACHE_PREFIX: homccProgram, ...fallingBack() });
  const line = /^<ESC>\[33m\[HOMCC-WARNING\] [^\n]*<ESC>\[0m\n/;
  assert.match(cold, line);
  assert.deepEqual([cold.replace(line, ""), hit], plain);
});

/** Every compile warns: no server can be reached. */
function fallingBack(): Record<string, string> {
  return { HOMCC_HOSTS: deadAddress, HOMCC_VERBOSE: "1", HOMCC_NO_LOCAL_COMPILATION: "0" };
}

interface Observation {
  readonly steps: readonly CommandResult[];
  readonly files: Snapshot;
  readonly counters: readonly string[];
  /** Files of the cache in which something of homcc's stands. */
  readonly cachedWords: readonly string[];
}

async function observe(build: Build, variables: Readonly<Record<string, string>>): Promise<Observation> {
  const { project } = workplace;
  const environment = await freshProject(variables);
  const run = (script: string): Promise<CommandResult> =>
    runCommand(["/bin/sh", "-c", script], { cwd: project, environment });
  const steps: CommandResult[] = [];
  for (const command of build.commands) steps.push(await run(command));
  const { stdout } = await run("ccache --print-stats");
  const counters = stdout.split("\n").filter((line) => !line.startsWith("stats_"));
  const cachedWords = await filesWith(environment["CCACHE_DIR"] ?? "", "HOMCC-");
  return { steps, files: await takeSnapshot(project), counters, cachedWords };
}

/** The project in a fresh folder, always of the same name, and an empty cache; returns the environment for both. */
async function freshProject(variables: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const { folder, project } = workplace;
  const cache = join(folder, "cache");
  for (const path of [project, cache]) await rm(path, { recursive: true, force: true });
  await mkdir(project);
  await writeFiles(project, files, new Date("2024-03-04T05:06:07Z"));
  return workplace.environment({ ...variables, CCACHE_DIR: cache, CCACHE_NOCOMPRESS: "1" });
}

/** What a user could tell the two by, apart from `lines`. */
function differences(plain: Observation, actual: Observation, lines: readonly string[]): string[] {
  const without = ({ stderr, ...rest }: CommandResult): CommandResult => ({
    ...rest,
    stderr: lines.reduce((text, line) => text.replace(`${line}\n`, ""), stderr),
  });
  const parts = [
    [actual.steps.map(without), plain.steps],
    [actual.counters, plain.counters],
  ].map(([one, other]) => [JSON.stringify(one), JSON.stringify(other)]);
  return [
    ...parts.flatMap(([one, other]) => (one === other ? [] : [`${one} instead of ${other}`])),
    ...compareSnapshots(plain.files, actual.files),
  ];
}

function ownLines({ steps }: Observation): string[] {
  return steps.flatMap(({ stderr }) => stderr.split("\n").filter((line) => line.startsWith("[HOMCC-")));
}

async function filesWith(folder: string, text: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const found = await Promise.all(paths.map(async (path) => (await readFile(path)).includes(text)));
  return paths.filter((_, index) => found[index]);
}
