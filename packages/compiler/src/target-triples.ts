import { runProgram } from "./run-program.ts";
import type { Toolchain } from "./toolchain.ts";

const timeLimitMs = 20_000;

/**
 * The targets that compilers have without being told another one; asked once. homcc 1.x goes by them: its client names
 * its own, and a server chooses a compiler for that.
 */
export class TargetTriples {
  readonly #path: string;
  readonly #known = new Map<string, Promise<string>>();

  /** `path`: PATH of the compilers that are asked. */
  constructor(path: string) {
    this.#path = path;
  }

  of({ digest, driver }: Pick<Toolchain, "digest" | "driver">): Promise<string> {
    const key = `${digest} ${driver}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    // gcc and clang understand the same question; clang's answer is the `Target:` of its `--version`.
    const environment = { PATH: this.#path, LC_ALL: "C" };
    const asked = runProgram(driver, { args: ["-dumpmachine"], cwd: "/", environment, timeLimitMs }).then(
      ({ status, stdout }) => {
        // Killed, or out of time: another time it may answer.
        if (status === undefined) this.#known.delete(key);
        return stdout.toString().trim();
      },
    );
    this.#known.set(key, asked);
    return asked;
  }
}
