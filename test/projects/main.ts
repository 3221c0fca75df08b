/**
 * `npm run test:projects`: builds real projects plainly and through homcc, and compares.
 *
 *     node test/projects/main.ts [PROJECT…]
 */
import { installDebianPackages } from "../../scripts/debian-packages.ts";
import { checkProject, problemsOf } from "./check.ts";
import { projects } from "./project.ts";
import { missingRequirement } from "./requirements.ts";
import { renderReport } from "./report.ts";

const names = process.argv.slice(2);
const unknown = names.find((name) => !projects.some((project) => project.name === name));
if (unknown !== undefined) throw new Error(`unknown project ${unknown}`);

await installDebianPackages(process.env);
for (const project of projects.filter(({ name }) => names.length === 0 || names.includes(name))) {
  const missing = missingRequirement(project);
  const problems = missing === undefined ? await check(project) : [`${project.name}: ${missing}`];
  for (const problem of problems) console.log(`FAIL ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}

async function check(project: (typeof projects)[number]): Promise<string[]> {
  try {
    const measurements = await checkProject(project);
    console.log(renderReport(measurements));
    return problemsOf(measurements);
  } catch (error) {
    return [`${project.name}: ${error instanceof Error ? error.message : String(error)}`];
  }
}
