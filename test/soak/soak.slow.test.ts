/** A short soak: the long one is `npm run soak`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { recordLoad } from "../support/reliability.ts";
import { soak } from "./soak.ts";
import { complaintsAbout, describeSoak, inWords } from "./verdict.ts";

const clients = 20;

test(`${clients} clients, up to 2,000 jobs, and faults: every object is right, and nothing grows or is left behind`, async (t) => {
  const report = await soak({ clients, jobs: 2_000, maxSeconds: 150, seed: 3, slots: 8 });
  t.diagnostic(describeSoak(report));
  assert.deepEqual(complaintsAbout(report), []);
  assert.ok(report.remote > report.jobs * 0.6, `${report.remote} of ${report.jobs} on the server`);
  recordLoad(`${clients} clients with a compiler that only copies, and faults`, {
    jobs: report.jobs,
    "wrong objects": 0,
    "jobs/s": (report.jobs / report.seconds).toFixed(0),
    "ms of homccd for each": report.homccdCpuMsPerJob.toFixed(1),
    faults: Object.values(report.faults).reduce((sum, count) => sum + count),
    "homccd's heap in MiB": inWords(report.homccdMemory),
    "its descriptors": inWords(report.homccdDescriptors),
  });
});
