import { execFileSync, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasProgram } from "../../test/support/requirements.ts";
import { endProcesses, processTree } from "../../test/support/processes.ts";
import { removeFolder } from "../../test/support/remove-folder.ts";
import { accepts } from "../../test/support/ssh-server.ts";
import { unusedPort } from "../../test/support/strange-server.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { systemPath } from "../../test/support/workplace.ts";
import { startThinLink } from "../link/thin-link-process.ts";
import type { Contender, Site } from "./contender.ts";
import { trafficOf } from "./link-traffic.ts";
import { processTimeMs } from "./process-time.ts";
import { buildReplayCompiler } from "./replay-compiler.ts";

/** distcc in its ordinary mode: preprocessed here, compressed with lzo. */
export const distcc: Contender = {
  name: "distcc",
  learns: false,
  missing: () =>
    ["distcc", "distccd", "cc"].every((name) => hasProgram(name)) ? undefined : "not installed",
  start: async (farm, profile): Promise<Site> => {
    const folder = await mkdtemp(join(farm.folder, "distcc-"));
    await chmod(folder, 0o755);
    const compiler = await buildReplayCompiler(farm, join(folder, "bin"));
    // distcc asks for the compiler by its full name, and distccd starts only programs of this list.
    const fullName = join(dirname(compiler), `${fullNamePrefix()}g++`);
    await symlink(compiler, fullName);
    await writeFile(join(folder, "commands"), `${compiler}\n${fullName}\n`);
    const port = await unusedPort();
    const pid = await startDaemon(folder, port, farm.slots);
    const link = await startThinLink(`127.0.0.1:${port}`, profile);
    await mkdir(join(folder, "client"));
    return {
      version: execFileSync("distcc", ["--version"], { encoding: "utf8" }).split("\n")[0]?.trim() ?? "distcc",
      prefix: ["distcc"],
      environment: {
        PATH: systemPath,
        HOME: folder,
        DISTCC_DIR: join(folder, "client"),
        DISTCC_HOSTS: `127.0.0.1:${link.port}/${farm.slots},lzo`,
        DISTCC_FALLBACK: "0",
      },
      clientDaemonsMs: () => 0,
      serverDaemonsMs: () => processTree(pid).reduce((sum, process) => sum + processTimeMs(process.pid), 0),
      traffic: () => trafficOf(link),
      [Symbol.asyncDispose]: async () => {
        await link[Symbol.asyncDispose]();
        await endProcesses(processTree(pid));
        await removeFolder(folder);
      },
    };
  },
};

/** `x86_64-linux-gnu-` where gcc says so. */
function fullNamePrefix(): string {
  return `${execFileSync("gcc", ["-dumpmachine"], { encoding: "utf8" }).trim()}-`;
}

/** The process that starts all others; returns when it listens. As root it serves as Debian's account distccd. */
async function startDaemon(folder: string, port: number, slots: number): Promise<number> {
  const temporary = join(folder, "tmp");
  await mkdir(temporary);
  await chmod(temporary, 0o1777);
  const options = ["--daemon", "--no-detach", "--listen", "127.0.0.1", "--port", String(port)];
  options.push("--allow", "127.0.0.1", "--jobs", String(slots), "--log-stderr", "--log-level", "critical");
  const child = spawn("distccd", options, {
    cwd: "/",
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      PATH: `${join(folder, "bin")}:${systemPath}`,
      DISTCC_CMDLIST: join(folder, "commands"),
      TMPDIR: temporary,
    },
  });
  await waitFor("distccd to listen", async () => {
    if (child.exitCode !== null) throw new Error(`distccd ended with ${child.exitCode}`);
    return await accepts(port);
  });
  return child.pid ?? -1;
}
