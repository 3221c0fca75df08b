import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type GroupFolder, makeGroupFolder, readText } from "./memory-group-folder.ts";
import { isAlive } from "./processes.ts";
import { waitFor } from "./wait-for.ts";

/** A control group whose processes have a bound of memory together. Beyond it the kernel's OOM killer ends one of them. */
export interface MemoryGroup extends AsyncDisposable {
  /** Words before a program, which runs in the group then, with all that it starts. */
  readonly words: readonly string[];
  /** Bytes that nobody has, the page cache among them. */
  free(): number;
  /** How many of its processes the OOM killer has ended. */
  kills(): number;
  /** Reads the file so often that its pages are used often. Gives how many bytes of the page cache are by then. */
  readOften(file: string): Promise<number>;
  /** A process of the group takes so many bytes, and has them until what this gives is called. */
  take(bytes: number): Promise<() => Promise<void>>;
  /**
   * Memory runs out until the process is ended for it. `chosen`: the kernel takes it before all others of the group, else after the
   * compilers, as homccd wants it.
   */
  exhaust(pid: number, chosen: boolean): Promise<void>;
}

/** `undefined` where none can be made. */
export function createMemoryGroup(limitBytes: number): MemoryGroup | undefined {
  const folder = makeGroupFolder(limitBytes);
  return folder === undefined ? undefined : groupIn(folder, limitBytes);
}

function groupIn({ path: folder, names }: GroupFolder, limitBytes: number): MemoryGroup {
  const figure = (file: string, name: string): number =>
    Number(new RegExp(`^${name} (\\d+)$`, "m").exec(readText(join(folder, file)))?.[1]);
  const enter = ["sh", "-ec", `echo $$ > ${folder}/cgroup.procs; exec "$@"`, "sh"];
  const pids = (): number[] => readText(join(folder, "cgroup.procs")).split("\n").filter(Boolean).map(Number);
  const kills = (): number => figure(names.kills, "oom_kill");
  return {
    words: enter,
    free: () => limitBytes - figure("memory.stat", names.held),
    kills,
    readOften: async (file) => {
      const script = 'cat "$0" "$0" "$0" > /dev/null';
      await once(start(enter, ["sh", "-c", script, file]), "exit");
      return figure("memory.stat", names.active);
    },
    take: async (bytes) => {
      const taker = start(enter, holding(bytes));
      // It says so.
      await once(taker.stdout, "readable");
      return () => end(taker);
    },
    exhaust: async (pid, chosen) => {
      const before = kills();
      // 1000 is as much as all memory of the group. To make it less than it was at first takes a capability that root may lack.
      if (chosen) for (const each of pids()) setScore(each, 0);
      setScore(pid, chosen ? 1000 : 500);
      const takers = Array.from({ length: 8 }, () => start(enter, holding(limitBytes / 8)));
      try {
        await waitFor("the OOM killer", () => kills() > before && !isAlive(pid), 60_000);
      } finally {
        await Promise.all(takers.map(end));
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const pid of pids()) kill(pid);
      await waitFor("an empty group", () => pids().length === 0);
      rmdirSync(folder);
    },
  };
}

const holding = (bytes: number): string[] => [
  "perl",
  "-e",
  '$| = 1; $taken = "x" x shift; print "taken"; sleep',
  String(bytes),
];

function start(enter: readonly string[], command: readonly string[]) {
  const [program = "", ...words] = [...enter, ...command];
  return spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
}

async function end(started: ReturnType<typeof start>): Promise<void> {
  if (started.exitCode === null && started.signalCode === null) {
    const ended = once(started, "exit");
    started.kill("SIGKILL");
    await ended;
  }
  started.stdout.destroy();
}

function setScore(pid: number, score: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
  } catch {
    // It ended meanwhile.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}
