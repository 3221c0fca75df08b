import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Whether the test file records what it tried, itself or by a module of test/support. Both paths relative to `root`. */
export function isRecording(root: string, file: string): boolean {
  const text = readFileSync(join(root, file), "utf8");
  if (text.includes('/reliability.ts"')) return true;
  return [...text.matchAll(/from "(\.[^"]*\/support\/[\w-]+\.ts)"/g)].some(([, module = ""]) =>
    readFileSync(join(root, dirname(file), module), "utf8").includes('"./reliability.ts"'),
  );
}
