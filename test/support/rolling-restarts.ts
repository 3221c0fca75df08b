import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { homccdProgram, homccProgram } from "./repository.ts";
import { type Server, type ServerOptions, startServer } from "./server.ts";
import { waitFor } from "./wait-for.ts";
import { createWorkplace, type Workplace } from "./workplace.ts";

/** A pool of servers whose members are restarted in turn while clients compile without a pause. */
export interface RollingOptions {
  readonly servers: number;
  readonly clients: number;
  readonly restarts: number;
  /** Compiles of one client at a time. */
  readonly parallel: number;
  /** Of the `index`th start: what it is started with, another version's program included. */
  readonly start: (index: number) => ServerOptions;
  /** The launcher of the `index`th client; this version's without it. */
  readonly launcher?: (index: number) => string;
  /** Writes the sources of a client and says what object each comes to. */
  readonly prepare: (workplace: Workplace) => Promise<ReadonlyMap<string, Uint8Array>>;
}

export interface RollingResult {
  readonly compiled: number;
  readonly failed: readonly string[];
  /** Whatever was not compiled by a server, and why. */
  readonly local: readonly string[];
  readonly different: readonly string[];
}

export async function rollingRestarts(options: RollingOptions): Promise<RollingResult> {
  await using stack = new AsyncDisposableStack();
  let starts = 0;
  const begin = async (more: ServerOptions = {}): Promise<Server> =>
    stack.use(await startServer({ ...options.start(starts++), ...more }));
  const servers: Server[] = [];
  for (let index = 0; index < options.servers; index += 1) servers.push(await begin());
  const hosts = servers.map(({ address }) => `${address}/8`).join(" ");
  const isOver = new AbortController();
  const results: { compiled: number; failed: string[]; different: string[] } = {
    compiled: 0,
    failed: [],
    different: [],
  };
  const workplaces: Workplace[] = [];
  const working: Promise<void>[] = [];
  for (let client = 0; client < options.clients; client += 1) {
    const workplace = stack.use(await createWorkplace({ forbidLocal: false, hosts }));
    workplaces.push(workplace);
    const objects = await options.prepare(workplace);
    const launcher = options.launcher?.(client) ?? homccProgram;
    // An agent that knows nothing yet may leave its first jobs to idle local cores.
    const [first = ""] = objects.keys();
    const warm = await workplace.run([launcher, "gcc", "-c", first, "-o", "warm.o"], {
      environment: workplace.environment({ HOMCC_NO_LOCAL_COMPILATION: "1" }),
    });
    assert.equal(warm.status, 0, warm.stderr);
    for (let worker = 0; worker < options.parallel; worker += 1) {
      working.push(compileUntil(isOver.signal, workplace, launcher, objects, worker, results));
    }
  }
  try {
    await waitFor("the load", () => results.compiled > options.clients * options.parallel);
    for (let restart = 0; restart < options.restarts; restart += 1) {
      const place = restart % servers.length;
      const old = servers[place];
      assert.ok(old !== undefined);
      const before = results.compiled;
      old.kill("SIGTERM");
      await waitFor("it to end", () => old.log().includes("ending"));
      const { port, storeFolder } = old;
      // An older one neither lets its successor start before its end, nor waits for another's.
      const { program = homccdProgram } = options.start(starts);
      if (!isDrainable(old) || program !== homccdProgram) await old.ended;
      const successor = await begin({ port, storeFolder });
      servers[place] = successor;
      await waitFor("clients of the successor", () => / 2\.0\.0/.test(clientsIn(successor)));
      await waitFor("more compiles", () => results.compiled > before + options.clients * options.parallel);
    }
  } finally {
    isOver.abort();
    await Promise.all(working);
  }
  const jobs = await Promise.all(
    workplaces.map(async (workplace) => await workplace.jobs(results.compiled / workplaces.length / 2)),
  );
  const local = jobs.flat().filter(({ outcome }) => outcome !== "compiled-remotely");
  return { ...results, local: local.map((job) => `${job.outcome} ${job.detail}`) };
}

function isDrainable(server: Server): boolean {
  return server.log().includes("ending:");
}

function clientsIn(server: Server): string {
  return /.*: homcc .*/.exec(server.log())?.[0] ?? "";
}

async function compileUntil(
  isOver: AbortSignal,
  workplace: Workplace,
  launcher: string,
  objects: ReadonlyMap<string, Uint8Array>,
  worker: number,
  results: { compiled: number; failed: string[]; different: string[] },
): Promise<void> {
  const names = [...objects.keys()];
  const object = join(workplace.project, `worker${worker}.o`);
  for (let index = worker; !isOver.aborted; index += 1) {
    const name = names[index % names.length] ?? "";
    await rm(object, { force: true });
    const { status, stderr } = await workplace.run([launcher, "gcc", "-c", name, "-o", object], {
      timeoutMs: 120_000,
    });
    results.compiled += 1;
    if (status !== 0 || stderr !== "") results.failed.push(`${name}: ${status} ${stderr}`);
    else if (!(await readFile(object)).equals(objects.get(name) ?? Buffer.of())) results.different.push(name);
  }
}
