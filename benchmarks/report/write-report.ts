import { readFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "../../test/support/repository.ts";
import type { Results } from "../results.ts";
import { renderPlots } from "./plots.ts";
import { withMeasuredSection } from "./readme-section.ts";
import { renderResults } from "./tables.ts";

export const resultsFile: string = join(repository, "benchmarks/results/results.json");

export async function readResults(): Promise<Results> {
  const results: Results = JSON.parse(await readFile(resultsFile, "utf8"));
  return results;
}

/** Every file that is made of the results: path below the repository to text. */
export async function reportFiles(results: Results): Promise<Map<string, string>> {
  const readme = await readFile(join(repository, "README.md"), "utf8");
  const plots = [...renderPlots(results)].map(([name, svg]) => [`benchmarks/results/${name}`, svg] as const);
  const pictures = plots.map(([path]) => `![](${path.replace("benchmarks/results/", "")})\n`).join("\n");
  const heading = "<!-- Made from results.json by benchmarks/report.ts: do not edit. -->\n\n# Results\n\n";
  return new Map([
    ["benchmarks/results/README.md", `${heading}${renderResults(results)}\n\n${pictures}`],
    ...plots,
    ["README.md", withMeasuredSection(readme, results)],
  ]);
}

export async function writeReport(results: Results): Promise<void> {
  await mkdir(join(resultsFile, ".."), { recursive: true });
  await writeFile(resultsFile, `${JSON.stringify(results, undefined, 2)}\n`);
  for (const [path, text] of await reportFiles(results)) await writeFile(join(repository, path), text);
}
