import { join } from "node:path";
import { ConfigurationFiles, configurationFolders } from "@homcc/config/files";
import type { LoadedSettings } from "@homcc/config/load";
import { describeError } from "@homcc/observability/error";
import type { Examination } from "./examination.ts";

/** Names the files that count, everything in them that cannot be used, and settings that keep all jobs at home. */
export async function examineConfiguration(
  loaded: LoadedSettings,
  environment: Readonly<Record<string, string>>,
  examination: Examination,
): Promise<void> {
  examination.section("Configuration");
  await nameFiles(environment, examination);
  for (const { source, message, hint } of loaded.problems) examination.problem(`${source}: ${message}`, hint);
  if (loaded.fatal !== undefined) {
    examination.problem(
      `${describeError(loaded.fatal)} Every compile ends with exit status 64.`,
      "set one of schroot_profile and docker_container at most; --no-sandbox ignores both",
    );
  }
  if (loaded.noHosts !== undefined) {
    const { message, hint } = loaded.noHosts;
    const effect = loaded.settings.noLocalCompilation
      ? "no_local_compilation is set, so every compile ends with exit status 66"
      : "everything is compiled on this machine";
    examination.problem(`${message}: ${effect}`, `${hint ?? ""}, one line for each server: buildserver/12`);
  } else if (loaded.settings.noLocalCompilation) {
    examination.note("no_local_compilation is set: what no server compiles ends with exit status 69");
  }
  for (const { text, source, limit } of loaded.hosts) {
    if (limit > 0) continue;
    examination.problem(
      `${source}: ${text} has the limit 0, so it is never used`,
      "write the number of jobs that may run there at once, or take the line out",
    );
  }
}

async function nameFiles(
  environment: Readonly<Record<string, string>>,
  examination: Examination,
): Promise<void> {
  const files = new ConfigurationFiles();
  const folders = configurationFolders(environment, process.cwd());
  const paths = folders.flatMap((folder) => [join(folder, "hosts"), join(folder, "homcc.conf")]);
  const readings = await Promise.all(paths.map((path) => files.read(path)));
  const present = paths.filter((_, index) => readings[index]?.kind === "text");
  const variables = Object.keys(environment).filter((name) => name.startsWith("HOMCC_"));
  examination.ok(present.length === 0 ? `no files in ${folders.join(", ")}` : `files: ${present.join(", ")}`);
  if (variables.length > 0) examination.ok(`variables: ${variables.toSorted().join(", ")}`);
  if ((environment["HOMCC_HOSTS"] ?? "").trim() !== "")
    examination.note("HOMCC_HOSTS is set, so no file hosts is read");
}
