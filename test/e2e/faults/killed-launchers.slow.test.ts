/** As killed-launchers.test.ts, with each signal in each phase, and at more moments. */
import { test } from "node:test";
import { endLauncherAtMoments, endLauncherIn } from "../../support/ended-launcher.ts";
import { phases } from "../../support/job-phases.ts";

for (const phase of phases.slice(0, -1))
  for (const signal of ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"] as const)
    test(`the launcher ends by ${signal} while ${phase.name}`, () => endLauncherIn(phase, signal));

test("the launcher is killed at any moment of a job with four outputs", () => endLauncherAtMoments(200));
