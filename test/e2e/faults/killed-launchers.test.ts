/** A launcher that ends in any phase of its job: a whole object or none, and nothing that goes on or stays. */
import { test } from "node:test";
import { endLauncherAtMoments, endLauncherIn } from "../../support/ended-launcher.ts";
import { phases } from "../../support/job-phases.ts";

const signals = ["SIGKILL", "SIGTERM", "SIGINT"] as const;

/** All of them with all signals are in the slow suite. */
for (const [index, phase] of phases.slice(0, -1).entries()) {
  const signal = signals[index % signals.length] ?? "SIGKILL";
  test(`the launcher ends by ${signal} while ${phase.name}`, () => endLauncherIn(phase, signal));
}

test("the launcher is killed at any moment of a job with four outputs", () => endLauncherAtMoments(16));
