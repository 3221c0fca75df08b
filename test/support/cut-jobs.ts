import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Cut, type HeldLink, startHeldLink } from "./held-link.ts";
import { assertNoLeaks } from "./leaks.ts";
import { randomNumbers } from "./noise.ts";
import { recordSurvived } from "./reliability.ts";
import { startServer } from "./server.ts";
import { assertSameUnit, compilersStarted, unitCompile } from "./unit-compile.ts";
import { createWorkplace } from "./workplace.ts";

/** More than hello and welcome take, in either direction. */
const handshakeBytes = 700;

/**
 * Compiles one file after the other and cuts the line of each at another byte: towards the server, back, and every fourth time also
 * in the middle of the next connection's handshake. None may be compiled at home, or twice.
 */
export async function cutJobs(t: TestContext, jobs: number): Promise<void> {
  await using server = await startServer({ resultCache: true, options: ["--log-level", "DEBUG"] });
  await using link = await startHeldLink(server.port);
  await using workplace = await createWorkplace({ hosts: `${link.address}/4` });
  const source = (job: number): Promise<void> =>
    writeFile(
      join(workplace.project, "cut.cpp"),
      `#include <string>\nstd::string value${job}() { return "${job}"; }\n`,
    );
  const compile = async (job: number): Promise<number> => {
    await source(job);
    const startedMs = performance.now();
    const { status, stderr } = await workplace.run(unitCompile("cut"));
    assert.deepEqual({ job, status, stderr }, { job, status: 0, stderr: "" });
    return performance.now() - startedMs;
  };
  await compile(jobs);
  const { up, down, uncutMs } = await measure(link, () => compile(jobs + 1));
  let longestMs = 0;
  const offsets = randomNumbers(2 * jobs, 1, "cut jobs");
  for (let job = 0; job < jobs; job += 1) {
    const [first = 0, second = 0] = offsets.slice(2 * job);
    const cuts: Cut[] = [
      job % 2 === 0
        ? { direction: "up", afterBytes: Math.floor(first * up) }
        : { direction: "down", afterBytes: Math.floor(first * down) },
    ];
    if (job % 4 >= 2) {
      cuts.push({ direction: job % 8 < 4 ? "up" : "down", afterBytes: Math.floor(second * handshakeBytes) });
    }
    link.cut(...cuts);
    longestMs = Math.max(longestMs, await compile(job));
    link.cut();
    if (job % 8 === 0) await assertSameUnit(workplace, "cut");
    assert.ok((await readFile(join(workplace.project, "cut.o"))).includes(`value${job}`));
  }
  await assertSameUnit(workplace, "cut");
  t.diagnostic(
    `${link.cuts()} cuts; a job took ${Math.round(uncutMs)} ms without, ${Math.round(longestMs)} ms at most`,
  );
  // Each but for offsets behind what the job really sent.
  assert.ok(link.cuts() >= jobs * 0.8, `${link.cuts()} cuts`);
  assert.equal(compilersStarted(server, "cut.cpp"), jobs + 2, "nothing was compiled twice");
  await assertNoLeaks({ servers: [server], workplaces: [workplace] });
  recordSurvived("The line is cut at any byte of a job, in either direction, or of a handshake", link.cuts());
}

/** What one job passes. */
async function measure(
  link: HeldLink,
  run: () => Promise<number>,
): Promise<{ readonly up: number; readonly down: number; readonly uncutMs: number }> {
  const before = [link.passed("up"), link.passed("down")] as const;
  const uncutMs = await run();
  return { up: link.passed("up") - before[0], down: link.passed("down") - before[1], uncutMs };
}
