import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { LinkCounters } from "./proxy.ts";

/** A link as people name it. */
export interface LinkProfile {
  readonly upMegabits: number;
  readonly downMegabits: number;
  readonly roundTripMs: number;
  readonly lossPercent?: number;
}

export interface ThinLink extends AsyncDisposable {
  /** Of the first route. */
  readonly port: number;
  readonly ports: readonly number[];
  counters(): Promise<LinkCounters>;
}

/** A place where the link listens (`HOST:PORT`), and where it leads to. */
export interface Route {
  readonly listen: string;
  readonly to: string;
}

/** Starts the emulator in a process of its own, in front of `target` (`HOST:PORT`). */
export async function startThinLink(
  target: string,
  profile: LinkProfile,
  listen = "127.0.0.1:0",
): Promise<ThinLink> {
  return await startSharedLink([{ listen, to: target }], profile);
}

/** The same with several targets behind one line. `place` are words before the emulator. */
export async function startSharedLink(
  routes: readonly Route[],
  profile: LinkProfile,
  place: readonly string[] = [],
): Promise<ThinLink> {
  const { upMegabits, downMegabits, roundTripMs, lossPercent = 0 } = profile;
  const options = { up: upMegabits, down: downMegabits, rtt: roundTripMs, loss: lossPercent };
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  for (const { listen, to } of routes) words.push("--listen", listen, "--to", to);
  const emulator = [process.execPath, join(import.meta.dirname, "../thin-link.ts")];
  const [program = "", ...rest] = [...place, ...emulator, ...words];
  const child = spawn(program, rest, { stdio: ["pipe", "pipe", "inherit"] });
  const closed = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error("the link emulator ended");
    return value;
  };
  const ports = (/^listening on port ([\d ]+)$/.exec(await nextLine())?.[1] ?? "").split(" ").map(Number);
  const [port = Number.NaN] = ports;
  return {
    port,
    ports,
    counters: async () => {
      child.stdin.write("\n");
      const counters: LinkCounters = JSON.parse(await nextLine());
      return counters;
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await closed;
    },
  };
}
