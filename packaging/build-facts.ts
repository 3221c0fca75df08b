import { version } from "@homcc/config/version";
import { readChangelog, type Release } from "./changelog.ts";
import { repository, run } from "./scratch.ts";

/** What all packages of one run have in common. */
export interface BuildFacts {
  readonly version: string;
  readonly releases: readonly Release[];
  readonly maintainer: string;
  /** SOURCE_DATE_EPOCH: files get no later time, so that the same commit gives the same packages. */
  readonly epochSeconds: number;
}

export async function readBuildFacts(environment: NodeJS.ProcessEnv): Promise<BuildFacts> {
  const releases = await readChangelog();
  const [latest] = releases;
  if (latest?.version !== version)
    throw new Error(
      `CHANGELOG.md begins with ${latest?.version ?? "no version"}, the programs are ${version}`,
    );
  return {
    version,
    releases,
    maintainer: `${environment["DEBFULLNAME"] ?? "The homcc authors"} <${environment["DEBEMAIL"] ?? "homcc@homcc.invalid"}>`,
    epochSeconds: Number(environment["SOURCE_DATE_EPOCH"] ?? (await lastCommitSeconds(latest))),
  };
}

/** Without git, as in an unpacked archive, the day of the release. */
async function lastCommitSeconds({ date }: Release): Promise<number> {
  const text = await run("git", ["log", "-1", "--format=%ct"], { cwd: repository }).catch(() => "");
  return Number(text.trim()) || date.getTime() / 1000;
}
