import { execFile } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import type { KnownHeaders } from "./known-headers-program.fixture.ts";

const headersPerFolder = 1000;

/**
 * Has a process with an agent's options know so many headers, in two passes. Links, so that a disk has room for them.
 * `maxObjects`: how many of them are not in tables; the agent's own choice without.
 */
export async function knowHeaders(t: TestContext, count: number, maxObjects?: number): Promise<KnownHeaders> {
  const root = mkdtempSync(join(tmpdir(), "homcc-known-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (let number = 0; number < count; number += headersPerFolder) {
    const folder = join(root, `a-project-with-many-folders-${number}`);
    mkdirSync(folder);
    const first = join(folder, "header_number_0.h");
    writeFileSync(first, `int of_folder_${number};\n`);
    for (let index = 1; index < headersPerFolder; index += 1)
      linkSync(first, join(folder, `header_number_${index}.h`));
  }
  const program = join(import.meta.dirname, "known-headers-program.fixture.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--max-semi-space-size=4",
    program,
    root,
    ...(maxObjects === undefined ? [] : [String(maxObjects)]),
  ]);
  const report: KnownHeaders = JSON.parse(stdout);
  return report;
}
