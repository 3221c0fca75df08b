/** Sources as Debian's archive has them, fetched by apt from the mirror that this machine uses. */
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../support/command.ts";
import { repository } from "../support/repository.ts";
import { systemPath } from "../support/workplace.ts";

/** What was fetched once stays here: outside of what git sees, and gone with `node_modules`. */
const cacheFolder = join(repository, "node_modules/.cache/homcc-projects");

/** A mirror, a network or apt itself is missing: nothing that a change of this repository could cause. */
export class SourceUnavailableError extends Error {}

/** @returns the upstream archive of a source package. */
export async function fetchSource(sourcePackage: string): Promise<string> {
  const folder = join(cacheFolder, sourcePackage);
  const present = await archiveIn(folder);
  if (present !== undefined) return present;
  await mkdir(cacheFolder, { recursive: true });
  const temporary = await mkdtemp(join(cacheFolder, "fetching-"));
  try {
    const download = join(temporary, sourcePackage);
    await mkdir(download);
    // apt downloads as an account of its own where it runs as root.
    for (const path of [temporary, download]) await chmod(path, 0o755);
    const apt = await privateApt(temporary);
    await run([...apt, "--quiet", "update"], temporary);
    await run([...apt, "--quiet", "--download-only", "--tar-only", "source", sourcePackage], download);
    await rm(folder, { recursive: true, force: true });
    await rename(download, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  const fetched = await archiveIn(folder);
  if (fetched === undefined) throw new SourceUnavailableError(`${sourcePackage} has no upstream archive`);
  return fetched;
}

/** Unpacks an archive without its top folder; the files get the times they have in it, the same each time. */
export async function unpackSource(archive: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await run(["tar", "--extract", "--file", archive, "--strip-components=1", "--no-same-owner"], folder);
}

async function archiveIn(folder: string): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => []);
  const name = names.find((candidate) => /\.orig\.tar\.\w+$/.test(candidate));
  return name === undefined ? undefined : join(folder, name);
}

/** An apt with lists and a cache of its own, that knows the sources of this machine's mirror and nothing else. */
async function privateApt(folder: string): Promise<string[]> {
  const sourceList = join(folder, "sources.list");
  const apt = [
    "apt-get",
    "-o",
    `Dir::State::lists=${join(folder, "lists")}`,
    "-o",
    `Dir::Cache=${join(folder, "cache")}`,
  ];
  for (const name of ["lists/partial", "cache/archives/partial"])
    await mkdir(join(folder, name), { recursive: true });
  await writeFile(sourceList, await sourceEntries(apt, folder));
  return [...apt, "-o", `Dir::Etc::sourcelist=${sourceList}`, "-o", "Dir::Etc::sourceparts=/dev/null"];
}

/** One line for each archive from which this machine has its packages of this release, security updates excluded. */
async function sourceEntries(apt: readonly string[], folder: string): Promise<string> {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  const codename = /^VERSION_CODENAME=(\S+)$/m.exec(release)?.[1];
  if (codename === undefined) throw new SourceUnavailableError("this is no release of Debian");
  // With empty lists it prints what it would fetch first: the release file of every archive that is configured.
  const uris = await run([...apt, "--print-uris", "update"], folder);
  const archives = [...uris.matchAll(/^'(.+)\/dists\/(\S+)\/InRelease'/gm)]
    .filter(([, , suite]) => suite === codename)
    .map(([, uri]) => uri);
  if (archives.length === 0) throw new SourceUnavailableError(`no archive of ${codename} is configured`);
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  const options = (await exists(keyring)) ? `[signed-by=${keyring}] ` : "";
  return [...new Set(archives)].map((uri) => `deb-src ${options}${uri} ${codename} main\n`).join("");
}

async function run(argv: readonly string[], cwd: string): Promise<string> {
  const environment = { PATH: systemPath, LC_ALL: "C", ...proxies() };
  const result = await runCommand(argv, { cwd, environment, timeoutMs: 600_000 }).catch((cause: unknown) => {
    throw new SourceUnavailableError(`${argv[0]} cannot be started`, { cause });
  });
  if (result.status !== 0) throw new SourceUnavailableError(`${argv.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

/** How this machine reaches its mirror, where it needs that. */
function proxies(): Record<string, string> {
  const names = ["http_proxy", "https_proxy", "no_proxy"];
  return Object.fromEntries(
    names
      .map((name) => [name, process.env[name]])
      .filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
