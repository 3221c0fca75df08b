import { LauncherTree } from "../../test/support/launcher-tree.ts";
import type { MicroResult } from "../results.ts";
import { summary } from "./rounds.ts";

/** The native launcher against an agent that answers at once, beside a process that does nothing. */
export async function launcher(rounds: number): Promise<MicroResult[]> {
  const tree = new LauncherTree("native");
  try {
    await tree.serve((call) => {
      call.exit(0);
      return Promise.resolve();
    });
    const timed = async (program: string, words: readonly string[]): Promise<number> => {
      const startMs = performance.now();
      const { status } = await tree.run(program, words);
      if (status !== 0) throw new Error(`${program} ended with ${String(status)}`);
      return performance.now() - startMs;
    };
    const empty: number[] = [];
    const launched: number[] = [];
    for (let round = 0; round < rounds * 10; round += 1) {
      empty.push(await timed("/bin/true", []));
      launched.push(await timed(tree.homcc, ["mycc", "-c", "a.c"]));
    }
    const emptyMs = summary("", "ms", empty).median;
    return [
      summary(
        "launcher: call, answer, end, beyond an empty command",
        "ms",
        launched.map((ms) => ms - emptyMs),
      ),
    ];
  } finally {
    await tree.remove();
  }
}
