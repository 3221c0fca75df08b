/** The smallest of the real projects, as `npm run test:projects` builds them all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { underContinuousIntegration } from "../../scripts/continuous-integration.ts";
import { checkProject, problemsOf } from "../projects/check.ts";
import { lua } from "../projects/project.ts";
import { missingRequirement } from "../projects/requirements.ts";
import { renderReport } from "../projects/report.ts";
import { fetchSource, SourceUnavailableError } from "../projects/source-packages.ts";

test("lua's own Makefile: every compile runs remotely, every object is the local one", async (t) => {
  const missing = missingRequirement(lua) ?? (await missingSource());
  if (missing !== undefined) return t.skip(missing);
  const measurements = await checkProject(lua);
  assert.deepEqual(problemsOf(measurements), [], renderReport(measurements));
});

/** Without a network there is nothing to build; in continuous integration that is a failure. */
async function missingSource(): Promise<string | undefined> {
  try {
    await fetchSource(lua.sourcePackage);
    return undefined;
  } catch (error) {
    if (error instanceof SourceUnavailableError && !underContinuousIntegration(process.env))
      return "needs deb-src";
    throw error;
  }
}
