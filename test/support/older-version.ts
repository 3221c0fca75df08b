import { access, cp, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "./command.ts";
import { repository } from "./repository.ts";

export interface OlderVersion {
  readonly homcc: string;
  readonly homccd: string;
}

/** Where versions that were built stay for later runs. */
const parent = "/var/tmp/homcc-test-versions";

/** The programs as of a commit; built once, in a minute. `undefined` where the repository's history does not reach so far. */
export async function olderVersion(commit: string): Promise<OlderVersion | undefined> {
  const folder = join(parent, commit);
  const built = await access(folder).then(
    () => true,
    () => false,
  );
  if (!built) {
    const making = `${folder}.${process.pid}`;
    await mkdir(making, { recursive: true });
    const environment = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: making };
    const archive = await run(
      ["sh", "-c", `git -C '${repository}' archive ${commit} | tar -x -C '${making}'`],
      environment,
    );
    const isThere = await access(join(making, "package.json")).then(
      () => true,
      () => false,
    );
    if (archive !== 0 || !isThere) {
      await rm(making, { recursive: true });
      return undefined;
    }
    // Its links to the packages are relative.
    await cp(join(repository, "node_modules"), join(making, "node_modules"), {
      recursive: true,
      verbatimSymlinks: true,
    });
    if ((await run(["sh", join(making, "scripts/setup.sh")], environment)) !== 0)
      throw new Error(`${commit} cannot be built`);
    await rename(making, folder);
  }
  return { homcc: join(folder, "bin/homcc"), homccd: join(folder, "bin/homccd") };
}

async function run(argv: readonly string[], environment: Record<string, string>): Promise<number | null> {
  const { status, stderr } = await runCommand(argv, { cwd: "/", environment, timeoutMs: 300_000 });
  if (status !== 0) process.stderr.write(stderr);
  return status;
}
