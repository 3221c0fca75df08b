/** 500 files with three servers that swallow packets: at most 2 s longer than without servers. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createNetwork } from "../../support/network.ts";
import { homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { createWorkplace } from "../../support/workplace.ts";

const rounds = 10;
const filesPerRound = 50;

/** Mean and standard error of what the black-holed build of a round took longer. */
function statistics(differencesMs: readonly number[]): { readonly meanMs: number; readonly errorMs: number } {
  const count = differencesMs.length;
  const meanMs = differencesMs.reduce((sum, ms) => sum + ms, 0) / count;
  const variance = differencesMs.reduce((sum, ms) => sum + (ms - meanMs) ** 2, 0) / (count - 1);
  return { meanMs, errorMs: Math.sqrt(variance / count) };
}

for (const jobs of ["-j1", "-j8"]) {
  test(`500 files, ${jobs}`, async (t) => {
    if (!meets(t, "root", { program: "make" })) return;
    await using network = await createNetwork();
    // As many local slots as make has jobs, so that all three builds have the same share of the machine.
    const local = "localhost/8";
    const hosts = [...network.blackHoles.map((address) => `${address}/8`), local].join("\n");
    await using workplace = await createWorkplace({ forbidLocal: false });
    const names = Array.from({ length: filesPerRound }, (_, index) => `f${index}`);
    for (const name of names) await writeFile(join(workplace.project, `${name}.c`), `int ${name};\n`);
    const makefile = `all: ${names.map((name) => `${name}.o`).join(" ")}\n%.o: %.c\n\t$(CC) -c $< -o $@\n`;
    await writeFile(join(workplace.project, "Makefile"), makefile);
    const build = async (compiler: string, HOMCC_HOSTS: string): Promise<number> => {
      const startMs = performance.now();
      const result = await workplace.run([...network.home, "make", "-s", "-B", jobs, `CC=${compiler}`], {
        environment: workplace.environment({ HOMCC_HOSTS }),
        timeoutMs: 600_000,
      });
      assert.equal(result.status, 0, result.stderr);
      return performance.now() - startMs;
    };
    await build(`${homccProgram} gcc`, local);
    const plainMs: number[] = [];
    const withoutMs: number[] = [];
    const withMs: number[] = [];
    // In turns, so that a machine that becomes busier does so for all of them.
    for (let round = 0; round < rounds; round += 1) {
      plainMs.push(await build("gcc", ""));
      withoutMs.push(await build(`${homccProgram} gcc`, local));
      withMs.push(await build(`${homccProgram} gcc`, hosts));
    }
    const [plain, without, withServers] = [plainMs, withoutMs, withMs].map((times) =>
      Math.round(times.reduce((sum, ms) => sum + ms, 0)),
    );
    const differencesMs = withMs.map((ms, round) => ms - (withoutMs[round] ?? 0));
    const { errorMs } = statistics(differencesMs.slice(1));
    const { meanMs } = statistics(differencesMs);
    t.diagnostic(`gcc ${plain} ms, homcc without servers ${without} ms, with black holes ${withServers} ms`);
    t.diagnostic(
      `first round ${Math.round(differencesMs[0] ?? 0)} ms longer, connects ${network.connects()}`,
    );
    assert.ok(meanMs * rounds < 2_000 + 2 * errorMs * rounds, `${meanMs * rounds} ms longer`);
    const probesAtMost = ((withServers ?? 0) + (plain ?? 0) + (without ?? 0)) / 10_000 + 8;
    assert.ok(network.connects() <= 3 * probesAtMost, `${network.connects()} connects`);
  });
}
