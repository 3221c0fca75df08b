/** An agent that nobody needs: what it keeps of the memory, and how often it wakes up. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { isOnLocalFileSystem } from "@homcc/inputs/local-file-system";
import { releaseAfterMs } from "@homcc/homcc/idle-memory";
import { agentsOf } from "../../support/processes.ts";
import { homccProgram } from "../../support/repository.ts";
import { startServer } from "../../support/server.ts";
import { unusedPort } from "../../support/strange-server.ts";
import { createWorkplace } from "../../support/workplace.ts";

const files = 200;
const headers = [
  "stdio",
  "stdlib",
  "string",
  "math",
  "unistd",
  "pthread",
  "netdb",
  "signal",
  "time",
  "wchar",
];

function residentKiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** How often any of its threads has gone to sleep, which is how often it was awake. */
function wakeUps(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
    return sum + Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
  }, 0);
}

/** Folders and files about whose changes the kernel tells it. */
function watches(pid: number): number {
  const files = readdirSync(`/proc/${pid}/fdinfo`).map((name) => textOf(`/proc/${pid}/fdinfo/${name}`));
  return files.join("").match(/^inotify wd:/gm)?.length ?? 0;
}

/** Empty for one that was closed meanwhile. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

test("after a build of 200 files the agent is small and sleeps", async (t) => {
  await using server = await startServer();
  await using workplace = await createWorkplace({
    hosts: `${server.address}/4\n127.0.0.1:${await unusedPort()}/4`,
  });
  const includes = headers.map((name) => `#include <${name}.h>\n`).join("");
  const names = Array.from({ length: files }, (_, index) => `f${index}`);
  for (const name of names)
    await writeFile(join(workplace.project, `${name}.c`), `${includes}int ${name};\n`);
  const makefile = `all: ${names.map((name) => `${name}.o`).join(" ")}\n%.o: %.c\n\t$(CC) -c $< -o $@\n`;
  await writeFile(join(workplace.project, "Makefile"), makefile);
  const build = await workplace.run(["make", "-s", "-j4", `CC=${homccProgram} gcc`], {
    timeoutMs: 600_000,
  });
  assert.equal(build.status, 0, build.stderr);
  const [agent] = agentsOf(workplace.homccFolder);
  assert.ok(agent !== undefined);
  const builtKiB = residentKiB(agent.pid);
  if (isOnLocalFileSystem("/usr/include")) assert.ok(watches(agent.pid) > 0);
  // By then the probes of the dead server have ended, too.
  await sleep(releaseAfterMs + 20_000);
  // What happens once, such as the end of V8's collection in its threads, is in one of the minutes only.
  const counts: number[] = [];
  assert.equal(watches(agent.pid), 0);
  for (let minute = 0; minute < 2; minute += 1) {
    const before = wakeUps(agent.pid);
    await sleep(60_000);
    counts.push(wakeUps(agent.pid) - before);
  }
  t.diagnostic(
    `${builtKiB} kB after the build, ${residentKiB(agent.pid)} kB idle, ${counts.join(" and ")} wake-ups in a minute`,
  );
  assert.ok(residentKiB(agent.pid) * 1024 <= 80e6);
  // The server's ping of that minute, and what it does to the threads.
  assert.ok(Math.min(...counts) <= 10, `${counts.join(" and ")} wake-ups`);
  const job = await workplace.run([homccProgram, "gcc", "-c", "f0.c", "-o", "f0.o"]);
  assert.equal(job.status, 0, job.stderr);
});
