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
  readonly port: number;
  counters(): Promise<LinkCounters>;
}

/** Starts the emulator in a process of its own, in front of `target` (`HOST:PORT`). */
export async function startThinLink(
  target: string,
  profile: LinkProfile,
  listen = "127.0.0.1:0",
): Promise<ThinLink> {
  const { upMegabits, downMegabits, roundTripMs, lossPercent = 0 } = profile;
  const options = {
    to: target,
    listen,
    up: upMegabits,
    down: downMegabits,
    rtt: roundTripMs,
    loss: lossPercent,
  };
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const program = join(import.meta.dirname, "../thin-link.ts");
  const child = spawn(process.execPath, [program, ...words], { stdio: ["pipe", "pipe", "inherit"] });
  const closed = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error("the link emulator ended");
    return value;
  };
  const port = Number(/^listening on port (\d+)$/.exec(await nextLine())?.[1]);
  return {
    port,
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
