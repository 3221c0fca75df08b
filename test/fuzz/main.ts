/**
 * `npm run fuzz`: feeds everything that reads what others wrote with what nobody wrote.
 *
 *     node test/fuzz/main.ts [TARGET…] [--seconds N] [--seed S] [--grow]
 *     node test/fuzz/main.ts TARGET --input FILE
 *     node test/fuzz/main.ts --list
 *
 * `--seconds`: for all targets together (60). `--grow` puts inputs that reach new code into test/fuzz/corpus. An input for
 * which the property of a target does not hold is made short and put there too: from then on the tests try it.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { underContinuousIntegration } from "../../scripts/continuous-integration.ts";
import { fuzzInThread } from "./fuzz-thread.ts";
import { findTarget, targets } from "./targets.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    grow: { type: "boolean", default: false },
    input: { type: "string" },
    list: { type: "boolean", default: false },
  },
});

if (values.list) for (const { name, property } of targets) console.log(`${name.padEnd(18)} ${property}`);
else if (values.input !== undefined) await reproduce(values.input);
else await fuzzAll();

async function reproduce(path: string): Promise<void> {
  const target = findTarget(positionals[0] ?? "");
  await target.check(readFileSync(path));
  target.close?.();
  console.log(`${target.name}: ${path} does no harm`);
}

async function fuzzAll(): Promise<void> {
  const chosen = positionals.length === 0 ? targets : positionals.map(findTarget);
  const able = chosen.filter((target) => {
    const why = target.unavailable?.();
    if (why === undefined) return true;
    console.log(`fuzz: ${target.name}: left out: ${why}`);
    // Like a skipped test.
    if (underContinuousIntegration(process.env)) process.exitCode = 1;
    return false;
  });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  console.log(`fuzz: ${able.length} targets, ${values.seconds} s, --seed ${seed}`);
  for (const target of able) {
    const report = await fuzzInThread(target, {
      seconds: Number(values.seconds) / able.length,
      seed,
      grow: values.grow,
    });
    console.log(
      `fuzz: ${target.name.padEnd(18)} ${report.tried} inputs, ${report.findings.length} findings` +
        (report.reachedCharacters === 0 ? "" : `, ${report.reachedCharacters} characters of source reached`) +
        (report.kept === 0 ? "" : `, ${report.kept} inputs kept`),
    );
    for (const { path, message } of report.findings) {
      console.log(`${message.replaceAll(/^/gm, "    ")}\n    npm run fuzz -- ${target.name} --input ${path}`);
      process.exitCode = 1;
    }
  }
}
