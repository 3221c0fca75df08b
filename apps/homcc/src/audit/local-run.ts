import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Action } from "@homcc/cas/action";
import type { FileDigests } from "@homcc/inputs/file-digests";
import type { ProducedOutput } from "../remote/produced-output.ts";
import { type LocalRunJob, type LocalRunReport, reportName } from "./local-run-job.ts";
import type { Answer, AuditSubject } from "./subject.ts";

/** Where the parts are: Node, dist/local-run.mjs, and a folder for what comes of it. */
export interface LocalRunPlace {
  readonly nodePath: string;
  readonly programPath: string;
  readonly folder: string;
}

/** A local compile's answer, its files in a folder that is removed with it. */
export interface LocalAnswer extends Answer, AsyncDisposable {
  readonly produced: readonly ProducedOutput[];
}

/** This command cannot be run apart on this machine: nothing is wrong with anybody's result. */
export class CannotRunApart extends Error {}

/** Of local runs that hang: nobody waits for them. */
const timeLimitMs = 30 * 60_000;
/** Outputs lie in memory while the compiler runs. */
const layerBytes = "1g";
const maxShownLength = 300;

/**
 * Mounts a layer over each folder that the compiler writes to, and becomes the program. Relative names, because a path may
 * have the `,` and `:` of mount's options in it. `userxattr`: without it an ordinary user may not mount one.
 */
const mountScript = `set -e
scratch=$1; shift
mount -t tmpfs -o size=${layerBytes},mode=0700 homcc-audit "$scratch"
cd "$scratch"
mkdir tmp
layer=0
while [ "$1" != -- ]; do
  mkdir lower$layer upper$layer work$layer
  mount --rbind "$1" lower$layer
  mount -t overlay -o lowerdir=lower$layer,upperdir=upper$layer,workdir=work$layer,userxattr homcc-audit "$1"
  layer=$((layer + 1))
  shift
done
shift
exec "$@"`;

/** Ends with us, and takes no time that anybody else could use. */
const behindEverybody = "setpriv --pdeathsig KILL nice -n 19 ionice -c 3 chrt --idle 0".split(" ");
/** Whatever the compiler started dies with the first process of its namespace. */
const ownMounts = "--mount --pid --fork --kill-child --".split(" ");

/**
 * Runs the subject's command as it was called, with the same folder, paths and names, in a mount namespace in which the folders of
 * its outputs catch what is written: nothing outside sees any of it. Lowest priority; it dies with this process.
 * Throws `CannotRunApart`.
 */
export async function runApart(
  subject: AuditSubject,
  place: LocalRunPlace,
  digests: Pick<FileDigests, "record">,
  signal: AbortSignal,
): Promise<LocalAnswer> {
  const folders = await layeredFolders(subject.action, place.folder, digests);
  const uid = process.getuid?.() ?? 0;
  // Root needs no user namespace; for others the compiler must not keep what mounting takes.
  const namespaces = uid === 0 ? [] : ["--user", "--map-current-user", "--keep-caps"];
  const drop = uid === 0 ? [] : ["setpriv", "--ambient-caps=-all", "--inh-caps=-all"];
  return await run(subject, place, signal, folders, (scratch, words) => [
    ...behindEverybody,
    "unshare",
    ...namespaces,
    ...ownMounts,
    "sh",
    "-c",
    mountScript,
    "sh",
    scratch,
    ...folders,
    "--",
    ...drop,
    ...words,
  ]);
}

/** Runs it where it was called, as a build would: its outputs stay. */
export async function runInPlace(
  subject: AuditSubject,
  place: LocalRunPlace,
  signal: AbortSignal,
): Promise<LocalAnswer> {
  return await run(subject, place, signal, [], (_scratch, words) => words);
}

async function run(
  { action, compilation, compilerPath, environment }: AuditSubject,
  { nodePath, programPath, folder }: LocalRunPlace,
  signal: AbortSignal,
  folders: readonly string[],
  commandOf: (scratch: string, words: readonly string[]) => readonly string[],
): Promise<LocalAnswer> {
  signal.throwIfAborted();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const resultFolder = await mkdtemp(join(folder, "run-"));
  const dispose = (): Promise<void> => rm(resultFolder, { recursive: true, force: true });
  try {
    const scratch = join(resultFolder, "scratch");
    const jobPath = join(resultFolder, "job.json");
    await mkdir(scratch);
    const isApart = folders.length > 0;
    const job: LocalRunJob = {
      program: compilerPath,
      argv: compilation.argv,
      cwd: action.cwd,
      environment: isApart ? { ...environment, TMPDIR: join(scratch, "tmp") } : environment,
      umask: action.umask,
      outputs: action.outputs,
      layers: folders.map((layered, index) => ({ upper: join(scratch, `upper${index}`), folder: layered })),
      resultFolder,
      timeLimitMs,
    };
    await writeFile(jobPath, JSON.stringify(job), { mode: 0o600 });
    await ended(commandOf(scratch, [nodePath, programPath, jobPath]), isApart, signal);
    const report: LocalRunReport = JSON.parse(await readFile(join(resultFolder, reportName), "utf8"));
    return {
      ...report,
      status: report.status,
      stdout: await readFile(join(resultFolder, "stdout")),
      stderr: await readFile(join(resultFolder, "stderr")),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Waits for the end of the whole run; aborted, it is killed with everything that it started. */
async function ended(command: readonly string[], isApart: boolean, signal: AbortSignal): Promise<void> {
  const [program = "", ...words] = command;
  const child = spawn(program, words, { cwd: "/", stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(0, maxShownLength);
  });
  // In place the runner ends the compiler, which removes its temporary files.
  const kill = (): void => void child.kill(isApart ? "SIGKILL" : "SIGTERM");
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  try {
    const [status]: unknown[] = await once(child, "close");
    signal.throwIfAborted();
    if (status !== 0)
      throw new CannotRunApart(said.trim() === "" ? `exit status ${String(status)}` : said.trim());
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CannotRunApart) throw error;
    throw new CannotRunApart(`${program} cannot be started`, { cause: error });
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

/** The folders of the outputs, each once; those below another one of the same file system are covered by it. */
async function layeredFolders(
  { outputs, inputs, sandbox }: Action,
  ownFolder: string,
  digests: Pick<FileDigests, "record">,
): Promise<string[]> {
  if (sandbox !== undefined) throw new CannotRunApart("the compiler of a sandbox is not on this machine");
  const names = [...new Set(outputs.map(({ path }) => dirname(path)))].toSorted();
  // A command that only checks writes nothing, and is not run in place for that.
  if (names.length === 0) return [await emptyFolder(ownFolder)];
  const folders: { readonly path: string; readonly dev: bigint }[] = [];
  for (const path of names) {
    const { dev } = await stat(path, { bigint: true });
    if (!folders.some((other) => isBelow(path, other.path) && other.dev === dev)) folders.push({ path, dev });
  }
  const own = folders.find(({ path }) => isBelow(`${ownFolder}/run`, path));
  if (own !== undefined)
    throw new CannotRunApart(`homcc's own folder lies in ${own.path}, which the compiler writes to`);
  for (const entry of inputs) {
    // A layer does not show what is mounted below it.
    const over = folders.find(({ path }) => isBelow(entry.path, path));
    if (over === undefined || entry.kind !== "file") continue;
    const record = await digests.record(entry.path);
    if (record !== undefined && record.dev !== over.dev)
      throw new CannotRunApart(`${entry.path} lies in another file system than ${over.path}`);
  }
  return folders.map(({ path }) => path);
}

async function emptyFolder(ownFolder: string): Promise<string> {
  const folder = join(ownFolder, "nothing");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return folder;
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}
