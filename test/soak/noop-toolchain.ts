import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * gcc's own driver in a folder of its own, with a compiler proper and an assembler that copy (noop-compiler.c): homcc sees
 * a gcc like any other, a server runs three programs for each job, and all of it takes a hundredth of a compile.
 */
export function makeNoopToolchain(folder: string): string {
  const real = execFileSync("gcc", ["-print-prog-name=cc1"], { encoding: "utf8" }).trim();
  // Drivers look for their parts relative to where they are.
  const parts = join(folder, dirname(real).replace(/^\/usr\//, ""));
  mkdirSync(join(folder, "bin"), { recursive: true });
  mkdirSync(parts, { recursive: true });
  const driver = join(folder, "bin/gcc");
  copyFileSync(realpathSync("/usr/bin/gcc"), driver);
  const cc1 = join(parts, "cc1");
  const source = join(import.meta.dirname, "noop-compiler.c");
  execFileSync("gcc", ["-O2", "-static", `-DREAL_CC1="${real}"`, source, "-o", cc1]);
  copyFileSync(cc1, join(parts, "as"));
  // Without it the driver does nothing.
  copyFileSync(join(dirname(real), "liblto_plugin.so"), join(parts, "liblto_plugin.so"));
  for (const path of [driver, cc1, join(parts, "as")]) chmodSync(path, 0o755);
  return driver;
}
