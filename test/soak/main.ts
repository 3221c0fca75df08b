/**
 * `npm run soak`: many clients of one homccd for a long time, with a compiler that only copies, and faults.
 *
 *     node test/soak/main.ts [--clients 50] [--jobs 100000] [--seconds 7200] [--seed S] [--slots 8] [--home]
 *
 * With `--home` jobs may also be compiled where they come from. Ends after so many jobs or so much time, whatever comes first, and says what it came to. Agents and launchers are real
 * ones; every object is looked at.
 */
import { parseArgs } from "node:util";
import { soak } from "./soak.ts";
import { complaintsAbout, describeSoak } from "./verdict.ts";

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "50" },
    jobs: { type: "string", default: "100000" },
    seconds: { type: "string", default: "7200" },
    seed: { type: "string", default: "1" },
    slots: { type: "string", default: "8" },
    home: { type: "boolean", default: false },
  },
});

const report = await soak({
  clients: Number(values.clients),
  jobs: Number(values.jobs),
  maxSeconds: Number(values.seconds),
  seed: Number(values.seed),
  slots: Number(values.slots),
  allowHome: values.home,
  onProgress: (text) => console.log(`soak: ${text}`),
});
console.log(describeSoak(report));
for (const complaint of complaintsAbout(report)) {
  console.error(`soak: ${complaint}`);
  process.exitCode = 1;
}
