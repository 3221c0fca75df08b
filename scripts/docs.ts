/** Writes the documents that are made from tables. With `--check` it only says which are stale, and exits with 1. */
import { renderConfigurationDocument, renderOutcomesDocument } from "@homcc/config/documents";
import { renderTroubleshootingDocument } from "@homcc/config/troubleshooting";
import { readFile, writeFile } from "node:fs/promises";

const documents = new Map([
  ["docs/configuration.md", renderConfigurationDocument()],
  ["docs/outcomes.md", renderOutcomesDocument()],
  ["docs/troubleshooting.md", renderTroubleshootingDocument()],
]);

for (const [path, text] of documents) {
  const file = new URL(`../${path}`, import.meta.url);
  const current = await readFile(file, "utf8").catch(() => "");
  if (current === text) continue;
  if (process.argv.includes("--check")) {
    console.error(`${path} is stale: run node scripts/docs.ts`);
    process.exitCode = 1;
  } else {
    await writeFile(file, text);
    console.log(`${path} written`);
  }
}
