/**
 * What a job costs in a sandbox, against the same job outside: one small file compiled again and again in each place, in
 * turn, so that whatever else the machine does meets all of them. Client and server are this machine, each with a processor
 * of its own. The sandboxes' compiler is another than this machine's, so besides the whole call there is what remains of it
 * without the compile. At the end the way of homcc 1.x: `schroot -c` and `docker exec` for each compile, without homcc.
 *
 *     node benchmarks/sandboxes.ts [ROUNDS]
 *
 * As root. What is missing (schroot, dockerd, the small Debian that the tests make) is named and left out.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type DockerEngine, startDockerEngine } from "../test/support/docker-engine.ts";
import { homccProgram } from "../test/support/repository.ts";
import { hasProgram } from "../test/support/requirements.ts";
import { hasSandboxTree } from "../test/support/sandbox-tree.ts";
import { addSchrootProfile } from "../test/support/schroot-profile.ts";
import { startServer } from "../test/support/server.ts";
import { createWorkplace } from "../test/support/workplace.ts";

const rounds = Number(process.argv[2] ?? 20);
const [clientMachine, serverMachine] = [
  ["taskset", "-c", "0"],
  ["taskset", "-c", "1"],
];
const compile = ["g++", "-O1", "-g", "-c", "a.cpp", "-o", "a.o"];

interface Place {
  readonly what: string;
  /** Besides the time. */
  readonly command: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  /** As `homcc stats` calls it; `undefined` where homcc has no part in it. */
  readonly executor: string | undefined;
  readonly wallMs: number[];
  /** Without the compile. */
  readonly aroundMs: number[];
}

await using stack = new AsyncDisposableStack();
const missing = missingForAll();
const hasSchroot = missing === undefined && isThere("schroot");
const engine = missing === undefined && isThere("dockerd") ? await startEngine() : undefined;
const profile = hasSchroot ? stack.use(await addSchrootProfile()).name : undefined;
const variables = engine?.variables ?? {};
const near = stack.use(await startServer({ prefix: serverMachine, variables }));
const mapped = stack.use(await startServer({ prefix: serverMachine, variables, executor: "mapped" }));
const workplace = stack.use(await createWorkplace({ forbidLocal: true }));
await writeFile(join(workplace.project, "a.cpp"), "int twice(int x) { return 2 * x; }\n");

const places = listPlaces();
for (const place of places) await measure(place); // enters it
for (const place of places) place.wallMs.length = place.aroundMs.length = 0;
for (let round = 0; round < rounds; round += 1) for (const place of places) await measure(place);
report();

function listPlaces(): Place[] {
  const through = (
    server: typeof near,
    what: string,
    executor: string,
    sandbox: Place["variables"] = {},
  ) => ({
    what,
    command: [homccProgram, ...compile],
    variables: { HOMCC_HOSTS: `${server.address}/4`, ...sandbox },
    executor,
    wallMs: [],
    aroundMs: [],
  });
  const directly = (what: string, words: readonly string[], environment: Place["variables"]): Place => ({
    what,
    command: [...words, "sh", "-c", `cd ${workplace.project} && ${compile.join(" ")}`],
    variables: environment,
    executor: undefined,
    wallMs: [],
    aroundMs: [],
  });
  const all: Place[] = [through(near, "outside", "namespace"), through(mapped, "outside, mapped", "mapped")];
  if (profile !== undefined) {
    const sandbox = { HOMCC_SCHROOT_PROFILE: profile };
    all.push(through(near, "schroot profile", "schroot", sandbox));
    all.push(through(mapped, "schroot session, mapped", "schroot-mapped", sandbox));
    all.push(directly("schroot -c, each time", ["schroot", "-c", profile, "-d", "/", "--"], {}));
  }
  if (engine !== undefined) {
    const sandbox = { HOMCC_DOCKER_CONTAINER: "box" };
    all.push(through(near, "docker container", "docker", sandbox));
    all.push(through(mapped, "docker container, mapped", "docker-mapped", sandbox));
    all.push(directly("docker exec, each time", ["docker", "exec", "box"], engine.variables));
  }
  return all;
}

async function measure(place: Place): Promise<void> {
  const before = (await workplace.jobs()).length;
  const environment = { ...workplace.environment(place.variables), ...place.variables };
  const startMs = performance.now();
  const { status, stderr } = await workplace.run([...clientMachine, ...place.command], { environment });
  const wallMs = performance.now() - startMs;
  assert.equal(status, 0, `${place.what}: ${stderr}`);
  place.wallMs.push(wallMs);
  if (place.executor === undefined) return;
  const job = (await workplace.jobs(before + 1)).at(-1);
  assert.deepEqual([job?.outcome, job?.executor], ["compiled-remotely", place.executor], place.what);
  place.aroundMs.push(wallMs - (job?.compileMs ?? 0));
}

function missingForAll(): string | undefined {
  const text =
    process.getuid?.() !== 0
      ? "needs root"
      : hasSandboxTree()
        ? undefined
        : "needs the small Debian of the tests: HOMCC_TEST_INSTALL=1 npm test -- sandboxes";
  if (text !== undefined) console.log(`sandboxes are left out: ${text}`);
  return text;
}

function isThere(program: string): boolean {
  const there = hasProgram(program);
  if (!there) console.log(`left out: needs ${program}`);
  return there;
}

async function startEngine(): Promise<DockerEngine> {
  const started = stack.use(await startDockerEngine("nogroup"));
  await started.docker("run", "--name=box", "--volume=/tmp:/tmp", "-dit", "tree", "sleep", "infinity");
  return started;
}

function report(): void {
  const outside = median(places[0]?.wallMs ?? []);
  const titles = ["median", "min", "max", "without compile", "to outside"];
  console.log(`${"".padEnd(28)}${titles.map((title) => title.padStart(17)).join("")}`);
  for (const { what, wallMs, aroundMs } of places) {
    const times = [median(wallMs), Math.min(...wallMs), Math.max(...wallMs)].map(
      (ms) => `${ms.toFixed(1)} ms`,
    );
    const around = aroundMs.length === 0 ? "-" : `${median(aroundMs).toFixed(1)} ms`;
    const cells = [...times, around, (median(wallMs) / outside).toFixed(2)];
    console.log(`${what.padEnd(28)}${cells.map((cell) => cell.padStart(17)).join("")}`);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
