import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repository } from "../support/repository.ts";
import { must } from "./target.ts";

/** What a program says that read or wrote beside its memory, or did what C does not define. */
const reportPrefix = "asan";

/** One of the two C programs with AddressSanitizer and UndefinedBehaviorSanitizer in it, and a folder that anybody may use. */
export class SanitizedProgram implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "homcc-fuzz-"));
  readonly path: string;
  readonly environment: Readonly<Record<string, string>>;

  /** `program`: its path below the folder. */
  constructor(program: string, sources: readonly string[]) {
    chmodSync(this.folder, 0o777);
    this.path = join(this.folder, program);
    const args = [
      "-g",
      "-O1",
      "-fsanitize=address,undefined",
      "-fno-sanitize-recover=all",
      "-D_GNU_SOURCE",
      "-w",
    ];
    const files = sources.map((source) => join(repository, "native", source));
    spawnSync("mkdir", ["-p", join(this.path, "..")]);
    const { status, stderr } = spawnSync("gcc", [...args, ...files, "-o", this.path], { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
    this.environment = {
      // Of what is kept until the end both programs take no account.
      ASAN_OPTIONS: `detect_leaks=0:log_path=${join(this.folder, reportPrefix)}`,
      UBSAN_OPTIONS: `log_path=${join(this.folder, reportPrefix)}:print_stacktrace=1`,
    };
  }

  /** Throws with what the sanitizers said, also in a child of the program. */
  mustBeSilent(): void {
    const reports = readdirSync(this.folder).filter((name) => name.startsWith(reportPrefix));
    const text = reports.map((name) => readFileSync(join(this.folder, name), "utf8")).join("\n");
    for (const name of reports) rmSync(join(this.folder, name));
    must(reports.length === 0, text);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** `undefined` when this machine's gcc has the sanitizers. */
export function whyNotSanitized(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "homcc-fuzz-"));
  const answer = spawnSync("gcc", ["-fsanitize=address,undefined", "-xc", "-", "-o", join(folder, "a.out")], {
    input: "int main(void) { return 0; }",
  });
  rmSync(folder, { recursive: true });
  return answer.status === 0 ? undefined : "gcc has no sanitizers";
}
