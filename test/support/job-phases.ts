/** Brings a job to one of its phases and lets it stand there, so that a test can end something just then. */
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunningCommand } from "./command.ts";
import type { HeldLink } from "./held-link.ts";
import { noise } from "./noise.ts";
import type { Server } from "./server.ts";
import { slowSource } from "./slow-source.ts";
import { compilersStarted, unitCompile } from "./unit-compile.ts";
import { waitFor } from "./wait-for.ts";
import type { Workplace } from "./workplace.ts";

/** The server takes one job at once, logs at DEBUG, and is reached over the link. */
export interface Scene {
  readonly server: Server;
  readonly link: HeldLink;
  readonly workplace: Workplace;
}

export interface Job {
  /** `NAME.cpp` of the project. */
  readonly unit: string;
  readonly running: RunningCommand;
}

export interface Phase {
  /** "while NAME". */
  readonly name: string;
  /** The first job on this server, whose layer is not there yet. */
  readonly cold?: boolean;
  /** Resolves when the last of the jobs is in this phase. */
  readonly reach: (scene: Scene) => Promise<readonly Job[]>;
}

async function start({ workplace }: Scene, unit: string, text: string): Promise<Job> {
  await writeFile(join(workplace.project, `${unit}.cpp`), text);
  return { unit, running: workplace.start(unitCompile(unit), { timeoutMs: 110_000 }) };
}

/** Whatever the machine is busy with, the unit's job is in its compiler. */
async function startSlow(scene: Scene): Promise<Job> {
  const job = await start(scene, "slow", slowSource);
  await waitFor("the remote compiler", () => compilersStarted(scene.server, "slow.cpp") > 0, 60_000);
  return job;
}

export const phases: readonly Phase[] = [
  {
    name: "its inputs arrive",
    reach: async (scene) => {
      const text = noise(600_000).toString("base64");
      scene.link.hold("up", 300_000);
      const job = await start(scene, "inputs", `// ${text}\nint inputs;\n`);
      await waitFor("half of the source", () => scene.link.isHeld("up"), 60_000);
      return [job];
    },
  },
  {
    name: "its toolchain's layer is made",
    cold: true,
    reach: async (scene) => {
      const job = await start(scene, "first", "int first;\n");
      const folder = join(scene.server.storeFolder, "toolchains");
      const isMade = (): boolean => readdirSync(folder).some((name) => name.startsWith("partial-"));
      await waitFor("half of a layer", isMade, 60_000);
      return [job];
    },
  },
  {
    name: "it waits for a slot",
    reach: async (scene) => {
      const occupant = await startSlow(scene);
      const sent = scene.link.passed("up");
      const job = await start(scene, "waiting", "int waiting;\n");
      await waitFor("the second job", () => scene.link.passed("up") > sent, 60_000);
      return [occupant, job];
    },
  },
  { name: "its compiler runs", reach: async (scene) => [await startSlow(scene)] },
  {
    name: "its result is sent",
    reach: async (scene) => {
      scene.link.hold("down", 450_000);
      const job = await start(
        scene,
        "large",
        `extern const unsigned char large[] = {${[...noise(500_000)].join(",")}};\n`,
      );
      await waitFor("half of the object", () => scene.link.isHeld("down"), 60_000);
      return [job];
    },
  },
  {
    name: "its result is kept",
    reach: async (scene) => {
      const job = await start(scene, "kept", "int kept;\n");
      await job.running.finished;
      return [job];
    },
  },
  { name: "nothing is compiled", reach: () => Promise.resolve([]) },
];
