/**
 * Where agent and homccd spend their time in warm builds of the benchmark's project over 10/50 Mbit/s: builds it until
 * nothing is new, then profiles two builds more and prints the functions with the most time of their own. The profiles
 * themselves go to target/, for Chrome's or VS Code's viewer.
 *
 *     node benchmarks/profile.ts [SOURCES]
 */
import { execFileSync } from "node:child_process";
import { chmod, cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "../test/support/repository.ts";
import { startServer } from "../test/support/server.ts";
import { unusedPort } from "../test/support/strange-server.ts";
import { createWorkplace } from "../test/support/workplace.ts";
import { prepareFarm } from "./build/farm.ts";
import { build } from "./build/parallel-build.ts";
import { sourceCount } from "./build/project.ts";
import { startThinLink } from "./link/thin-link-process.ts";
import { type CpuProfile, Profiler } from "./profile/profiler.ts";
import { selfTimes } from "./profile/self-time.ts";

const builds = 2;
const shownFunctions = 30;
const compiler = execFileSync("g++", ["--version"], { encoding: "utf8" }).split("\n")[0] ?? "";
await using farm = await prepareFarm(Number(process.argv[2] ?? sourceCount), 64, compiler, console.error);
const { project, recording, slots, folder } = farm;
const ports = { agent: await unusedPort(), homccd: await unusedPort() };
const homcc = await inspectedInstallation(join(folder, "inspected"), ports.agent);
await using server = await startServer({
  limit: slots,
  options: ["--executor", "replay", "--replay-dir", recording, "--replay-root", project.root],
  variables: { NODE_OPTIONS: `--inspect=127.0.0.1:${ports.homccd}` },
});
await using link = await startThinLink(server.address, { upMegabits: 10, downMegabits: 50, roundTripMs: 30 });
await using workplace = await createWorkplace({ parent: folder, hosts: `127.0.0.1:${link.port}/${slots}` });
const options = {
  project,
  prefix: [homcc],
  environment: workplace.environment(),
  jobs: slots,
  objects: join(folder, "objects"),
};
for (let round = 0; round < 2; round += 1) await build(options);
const profilers = {
  agent: await Profiler.connect(ports.agent),
  homccd: await Profiler.connect(ports.homccd),
};
await Promise.all([profilers.agent.start(), profilers.homccd.start()]);
for (let round = 0; round < builds; round += 1) await build(options);
const target = join(repository, "target");
await mkdir(target, { recursive: true });
for (const name of ["agent", "homccd"] as const) {
  const profile = await profilers[name].stop();
  await writeFile(join(target, `${name}.cpuprofile`), JSON.stringify(profile));
  print(name, profile);
}

/** A homcc whose agent listens for the inspector: the agent inherits nothing, so its Node is a script that says so. */
async function inspectedInstallation(root: string, port: number): Promise<string> {
  await rm(root, { recursive: true, force: true });
  for (const part of ["bin", "dist"]) await cp(join(repository, part), join(root, part), { recursive: true });
  const node = join(root, "dist/node");
  await rm(node);
  await writeFile(node, `#!/bin/sh\nexec '${process.execPath}' --inspect=127.0.0.1:${port} "$@"\n`);
  await chmod(node, 0o755);
  return join(root, "bin/homcc");
}

function print(name: string, profile: CpuProfile): void {
  const times = selfTimes(profile);
  const busyMs = times.reduce((sum, { ms }) => sum + ms, 0);
  const jobs = builds * project.sources.length;
  console.log(`${name}: ${(busyMs / jobs).toFixed(2)} ms a file in its main thread`);
  for (const { name: place, ms } of times.slice(0, shownFunctions))
    console.log(
      `${(ms / jobs).toFixed(3).padStart(9)} ms ${((100 * ms) / busyMs).toFixed(1).padStart(5)} % ${place}`,
    );
}
