import type { Toolchain } from "@homcc/compiler/toolchain";
import { runProgram } from "@homcc/compiler/run-program";

const timeLimitMs = 20_000;

/** The targets of compilers, by which a 1.x server chooses its own one; asked once. */
export class TargetTriples {
  readonly #known = new Map<string, Promise<string>>();

  of({ digest, driver }: Pick<Toolchain, "digest" | "driver">): Promise<string> {
    const known = this.#known.get(digest);
    if (known !== undefined) return known;
    // gcc and clang understand the same question; clang's answer is the `Target:` of its `--version`.
    const environment = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C" };
    const asked = runProgram(driver, { args: ["-dumpmachine"], cwd: "/", environment, timeLimitMs }).then(
      ({ stdout }) => stdout.toString().trim(),
    );
    this.#known.set(digest, asked);
    return asked;
  }
}
