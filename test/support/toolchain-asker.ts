/**
 * A program that answers what a compiler is, for machines that only their own processes see into: reads `Question`s, a line of
 * JSON each, and prints an `Answer` to each. `live` is by an inspector that has been there since the first question, as in an agent,
 * and `fresh` by a new one.
 */
import { createInterface } from "node:readline";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import { systemClock } from "@homcc/observability/clock";
import { describeError } from "@homcc/observability/error";

export interface ToolchainAnswer {
  readonly live: string;
  readonly fresh: string;
}

export interface AskedToolchain {
  readonly driver: string;
  readonly family: CompilerFamily;
  readonly path: string;
  readonly libraryPath?: string;
}

const [cacheFile = ""] = process.argv.slice(2);
// What changed a moment ago is old to it, so that it has to notice the next change by a stat.
const clock = { ...systemClock, wallMs: () => systemClock.wallMs() + 10_000 };
const live = new ToolchainInspector({ clock, recheckMs: 0 });
for await (const line of createInterface({ input: process.stdin })) {
  const { driver, ...question }: AskedToolchain = JSON.parse(line);
  const ask = (inspector: ToolchainInspector): Promise<string> =>
    inspector.inspect(driver, question).then(({ digest }) => digest, describeError);
  const answer: ToolchainAnswer = {
    live: await ask(live),
    fresh: await ask(new ToolchainInspector({ cacheFile })),
  };
  console.log(JSON.stringify(answer));
}
