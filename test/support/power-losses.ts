import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { damageFiles } from "./damaged-files.ts";
import { assertNoLeaks } from "./leaks.ts";
import { agentsOf, endProcesses } from "./processes.ts";
import { recordSurvived } from "./reliability.ts";
import { homccProgram } from "./repository.ts";
import { type Server, startServer } from "./server.ts";
import { createWorkplace, type Workplace } from "./workplace.ts";

const units = ["one", "two", "three"];
const versions = 3;

/** Each with a header that makes what agents and servers keep worth keeping. */
const textOf = (unit: string, version: number): string =>
  `#include <vector>\n#include "shared.h"\nstd::vector<int> ${unit}() { return {${version}, SHARED}; }\n`;

const compileOf = (unit: string): string[] => [
  "g++",
  "-O1",
  "-g",
  "-MD",
  "-c",
  `${unit}.cpp`,
  "-o",
  `${unit}.o`,
];

/**
 * Builds, kills agent and homccd, damages what they keep, starts them again and builds anew, so many times. Nothing may be
 * compiled at home, every object is compared, and so is every dependency file.
 */
export async function losePower(rounds: number, damagesOfEach: number): Promise<void> {
  await using workplace = await createWorkplace();
  const plain = await plainOutputs(workplace);
  const servers: Server[] = [];
  const start = async (): Promise<Server> => {
    const [first] = servers;
    const again = first === undefined ? {} : { port: first.port, storeFolder: first.storeFolder };
    const server = await startServer({ resultCache: true, ...again });
    servers.push(server);
    return server;
  };
  try {
    for (let round = 0; round <= rounds; round += 1) {
      const server = await start();
      await build(workplace, server, round % versions, plain);
      await assertNoLeaks({ servers: [server], workplaces: [workplace] });
      if (round === rounds) break;
      server.kill("SIGKILL");
      await server.ended;
      await endProcesses(agentsOf(workplace.homccFolder));
      damageFiles(join(workplace.homccFolder, "agent"), damagesOfEach, `agent ${round}`);
      // The thousands of files of a layer would hide the others.
      damageFiles(
        server.storeFolder,
        damagesOfEach,
        `store ${round}`,
        (path) => !path.includes("/toolchains/"),
      );
      if (round % 4 === 1) damageFiles(join(server.storeFolder, "toolchains"), 4, `layers ${round}`);
    }
  } finally {
    for (const server of servers.toReversed()) await server.stop();
  }
  recordSurvived(
    "A machine loses power while files are written: files of its stores and caches are cut off, zeroed or changed",
    rounds * 2 * damagesOfEach,
  );
}

async function plainOutputs(workplace: Workplace): Promise<ReadonlyMap<string, Buffer>> {
  await writeFile(join(workplace.project, "shared.h"), "#define SHARED 7\n");
  const outputs = new Map<string, Buffer>();
  for (let version = 0; version < versions; version += 1) {
    for (const unit of units) {
      await writeFile(join(workplace.project, `${unit}.cpp`), textOf(unit, version));
      const { status, stderr } = await workplace.run(compileOf(unit));
      assert.equal(status, 0, stderr);
      for (const name of [`${unit}.o`, `${unit}.d`])
        outputs.set(`${name} ${version}`, await readFile(join(workplace.project, name)));
    }
  }
  return outputs;
}

async function build(
  workplace: Workplace,
  server: Server,
  version: number,
  plain: ReadonlyMap<string, Buffer>,
): Promise<void> {
  // Servers and agents that have kept something have to use it.
  const environment = workplace.environment({
    HOMCC_HOSTS: `${server.address}/4`,
    HOMCC_CLIENT_CACHE_SIZE: "1G",
  });
  for (const unit of units) {
    await writeFile(join(workplace.project, `${unit}.cpp`), textOf(unit, version));
    await rm(join(workplace.project, `${unit}.o`), { force: true });
  }
  for (const pass of ["first", "again"]) {
    const results = await Promise.all(
      units.map((unit) => workplace.run([homccProgram, ...compileOf(unit)], { environment })),
    );
    for (const [index, unit] of units.entries()) {
      const { status, stderr } = results[index] ?? {};
      assert.deepEqual({ status, stderr }, { status: 0, stderr: "" }, `${unit}, ${pass}`);
      for (const name of [`${unit}.o`, `${unit}.d`]) {
        const ours = await readFile(join(workplace.project, name));
        assert.ok(plain.get(`${name} ${version}`)?.equals(ours), `${name} differs, ${pass}`);
      }
    }
  }
}
