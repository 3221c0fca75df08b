import { existsSync } from "node:fs";
import { chmod, lstat, mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Action, ActionResult, DeclaredOutput, InputEntry, OutputChange } from "@homcc/cas/action";
import type { BlobStore } from "@homcc/cas/blob-store";
import { deadlineAfter } from "@homcc/observability/deadline";
import { HomccError } from "@homcc/observability/error";
import { checkActionPaths, isDevice } from "./action-paths.ts";
import type { Executor, ExecutorSession } from "./executor.ts";
import { asStoreError, describeAction, JobFolder } from "./job-folder.ts";
import { jobBounds, type JobLimits, maxTimeoutMs, resourceLimits } from "./job-limits.ts";
import { LayerPlan } from "./layer-plan.ts";
import { folderOf, LinkResolver } from "./link-resolution.ts";
import { type MapArguments, type MappedArguments, type MappedRoot, mapPath } from "./mapped-arguments.ts";
import { HeaderReport } from "./header-report.ts";
import {
  boundOutputs,
  type CollectedOutputs,
  collectOutputs,
  nothingCollected,
  type JudgeOutput,
  written,
} from "./output-collection.ts";
import { refoldDependencies } from "@homcc/compiler/refold-dependencies";
import { removeTree } from "./remove-tree.ts";
import { SessionJobs } from "./session-jobs.ts";
import type { JobRunning, RunnerResult } from "./runner.ts";
import { SystemFiles } from "./system-files.ts";
import { unlistedInputs } from "./unlisted-inputs.ts";

export interface MappedExecutorOptions {
  /** Of the executor. */
  readonly name: string;
  /** For each session: what runs its jobs. */
  readonly openRunner: () => JobRunning;
  /** Sessions live here and nothing else does: what a crash left is removed at start. */
  readonly folder: string;
  readonly blobs: BlobStore;
  readonly mapArguments: MapArguments;
  /** Paths at which the place of the job has files of its own. */
  readonly isSystem: (path: string) => boolean;
  /** What its jobs may read and run of the machine, besides their own folder. */
  readonly readable: (action: Action) => readonly string[];
  /** They have to equal the client's, by digest; else they are right, whatever the client has. */
  readonly comparesSystemFiles: boolean;
  readonly limits: JobLimits;
}

/** Where compilers and distributions keep what they bring; nobody's project lies there. */
export function isInSystemFolder(path: string): boolean {
  return systemFolders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

const systemFolders: readonly string[] = ["/usr/include", "/usr/lib", "/usr/local/include", "/lib"];

/**
 * For machines without namespaces: the client's files below a private folder, the server's own compiler and system
 * headers, paths mapped in the command and back in the texts. The objects are equal where `-ffile-prefix-map` is
 * enough; a job sees the server's files, so only clients that may read those should be served this way.
 */
export async function createMappedExecutor(options: MappedExecutorOptions): Promise<Executor> {
  await removeTree(options.folder);
  await mkdir(options.folder, { recursive: true, mode: 0o700 }); // sources are private
  const systemFiles = new SystemFiles();
  let nextSession = 1;
  return {
    name: options.name,
    openSession: async () => {
      const folder = join(options.folder, String(nextSession++));
      await mkdir(folder);
      return new MappedSession(options, folder, systemFiles);
    },
  };
}

class MappedSession implements ExecutorSession {
  readonly #options: MappedExecutorOptions;
  readonly #folder: string;
  readonly #systemFiles: SystemFiles;
  readonly #runner: JobRunning;
  readonly #jobs = new SessionJobs();
  #nextJob = 1;

  constructor(options: MappedExecutorOptions, folder: string, systemFiles: SystemFiles) {
    this.#options = options;
    this.#folder = folder;
    this.#systemFiles = systemFiles;
    this.#runner = options.openRunner();
  }

  async execute(action: Action, signal: AbortSignal): Promise<ActionResult> {
    checkActionPaths(action);
    return await this.#jobs.run((ended) => this.#execute(action, ended), signal);
  }

  async close(): Promise<void> {
    await this.#jobs.end(() => this.#runner.close());
    await removeTree(this.#folder);
  }

  /** system files → private folder → mapped command → run → texts mapped back */
  async #execute(action: Action, signal: AbortSignal): Promise<ActionResult> {
    if (this.#options.comparesSystemFiles) await this.#checkSystemFiles(action);
    signal.throwIfAborted();
    const { limits } = this.#options;
    const job = await JobFolder.create(join(this.#folder, String(this.#nextJob++)), limits);
    try {
      const root = this.#rootOf(job, action);
      const layout = await this.#layOut(action, root);
      const commands = action.steps.map((step) => this.#options.mapArguments(step.argv, root));
      const temporaryFolder = join(job.path, "work");
      const report = new HeaderReport(action, temporaryFolder);
      const environment = {
        ...mapEnvironment(action.environment, root, temporaryFolder),
        ...report.variables,
      };
      const startedMs = performance.now();
      const result = await this.#run(action, job, root, commands, environment, signal);
      const usage = {
        wallMs: performance.now() - startedMs,
        cpuMs: result?.cpuMs ?? 0,
        maxRssKiB: result?.maxRssKiB ?? 0,
      };
      const text = await job.read(result, limits);
      const conclusive = text.termination.kind === "exited" || text.termination.kind === "signalled";
      const found = conclusive ? await collect(root, layout) : nothingCollected;
      const termination = boundOutputs(text.termination, found, limits);
      const collected = termination.kind === "limited" ? nothingCollected : found;
      const outputs = await mapOutputsBack(collected.outputs, root, commands);
      const names = await report.names(temporaryFolder, outputs);
      const systemInputs = new Set(action.inputs.flatMap(({ path }) => (root.isSystem(path) ? path : [])));
      return {
        termination,
        stdout: mapBack(text.stdout, root),
        stderr: mapBack(text.stderr, root),
        outputs,
        undeclared: collected.undeclared,
        unlisted:
          names &&
          unlistedInputs(names.map(nameAtHome(root)), action.cwd, {
            links: layout.links,
            isInput: (path) => layout.entries.get(path)?.kind === "file" || systemInputs.has(path),
            holds: (path) =>
              root.isSystem(path)
                ? this.#options.comparesSystemFiles && existsSync(path)
                : existsSync(root.folder + path),
          }),
        usage,
        [Symbol.asyncDispose]: () => job.remove(),
      };
    } catch (error) {
      await job.remove();
      throw error;
    }
  }

  #rootOf(job: JobFolder, action: Action): MappedRoot {
    return {
      folder: join(job.path, "upper"),
      cwd: action.cwd,
      isSystem: this.#options.isSystem,
    };
  }

  async #checkSystemFiles(action: Action): Promise<void> {
    await Promise.all(
      action.inputs.map(async (input) => {
        if (input.kind !== "file" || !this.#options.isSystem(input.path)) return;
        if (await this.#systemFiles.has(input.path, input.digest)) return;
        throw new HomccError("ERR_HOMCC_REFUSED", `this server's ${input.path} differs from the client's`);
      }),
    );
    for (const path of action.absent) {
      if (!this.#options.isSystem(path) || !(await this.#systemFiles.exists(path))) continue;
      throw new HomccError("ERR_HOMCC_REFUSED", `this server has ${path}, which the client has not`);
    }
  }

  async #layOut(action: Action, root: MappedRoot): Promise<MappedLayout> {
    const layout = layOut(action, root);
    const plan = new LayerPlan();
    for (const entry of layout.entries.values()) {
      if (!plan.add(entry))
        throw new HomccError("ERR_HOMCC_REFUSED", `contradicting entries at ${entry.path}`);
    }
    try {
      const failed = await plan.write(root.folder, this.#options.blobs);
      for (const error of failed.values()) throw error;
      for (const [path, { exists, mode }] of layout.outputs) {
        if (exists && !layout.entries.has(path)) await writePlaceholder(root.folder + path, mode);
      }
    } catch (error) {
      throw asStoreError(error);
    }
    return layout;
  }

  /** `undefined`: the time was up. */
  async #run(
    action: Action,
    job: JobFolder,
    root: MappedRoot,
    commands: readonly MappedArguments[],
    environment: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<RunnerResult | undefined> {
    using deadline = deadlineAfter(Math.min(action.timeoutMs, maxTimeoutMs), signal);
    try {
      return await this.#runner.run(
        {
          ...describeAction(action, this.#options.limits),
          folder: job.path,
          layers: "",
          absent: [],
          cwd: root.folder + action.cwd,
          limits: resourceLimits(this.#options.limits),
          bounds: jobBounds(this.#options.limits),
          readable: this.#options.readable(action),
          environment,
          steps: action.steps.map(({ program }, at) => ({ program, argv: commands[at]?.argv ?? [] })),
        },
        deadline.signal,
      );
    } catch (error) {
      if (deadline.isOver) return undefined;
      throw error;
    }
  }
}

interface MappedLayout {
  readonly links: LinkResolver;
  readonly entries: ReadonlyMap<string, InputEntry>;
  readonly outputs: ReadonlyMap<string, DeclaredOutput>;
}

/** Paths below the private folder, which is new for every job: what is absent at home is absent there. */
function layOut(action: Action, root: MappedRoot): MappedLayout {
  const links = new Map<string, string>();
  for (const input of action.inputs) if (input.kind === "symlink") links.set(input.path, input.target);
  const resolver = new LinkResolver((path) => links.get(path));
  const entries = new Map<string, InputEntry>();
  for (const input of action.inputs) {
    if (root.isSystem(input.path) || isDevice(input.path)) continue;
    const path = input.kind === "directory" ? resolver.target(input.path) : resolver.place(input.path);
    if (input.kind !== "symlink") entries.set(path, { ...input, path });
    else
      entries.set(path, {
        ...input,
        path,
        target: mapPath(input.target, { ...root, cwd: folderOf(path) || "/" }),
      });
  }
  const outputs = new Map<string, DeclaredOutput>();
  for (const output of action.outputs) {
    if (!isDevice(output.path)) outputs.set(resolver.place(output.path), output);
  }
  for (const folder of [resolver.target(action.cwd), ...Array.from(outputs.keys(), folderOf)]) {
    if (folder !== "" && !entries.has(folder)) entries.set(folder, { kind: "directory", path: folder });
  }
  return { links: resolver, entries, outputs };
}

/** An old time tells a placeholder from what a job writes, also when it has the same size. */
const placeholderSeconds = 1;

async function writePlaceholder(path: string, mode: number | undefined): Promise<void> {
  await writeFile(path, "\n");
  if (mode !== undefined) await chmod(path, mode);
  await utimes(path, placeholderSeconds, placeholderSeconds);
}

/** Tells what the job wrote from its placeholders. */
const judgePrivate: JudgeOutput = (output, file, status) => {
  // A second name of a file may be one of the server's own.
  if (!status.isFile() || status.nlink > 1 || (output.exists && status.mtimeMs === placeholderSeconds * 1000))
    return undefined;
  return written(output, file, status);
};

async function collect(root: MappedRoot, layout: MappedLayout): Promise<CollectedOutputs> {
  const ours = (path: string) => layout.entries.has(path);
  const { outputs, undeclared } = await collectOutputs(root.folder, layout.outputs, ours, judgePrivate);
  const removed: OutputChange[] = [];
  for (const [path, output] of layout.outputs) {
    if (!output.exists || (await lstat(root.folder + path).catch(() => undefined)) !== undefined) continue;
    removed.push({ kind: "removed", path: output.path });
  }
  return { outputs: [...outputs, ...removed], undeclared };
}

const pathVariables = new Set(["PWD", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH"]);

/** A relative one would find programs among the client's files, which here run with all that homccd may do. */
function withoutRelativeFolders(path: string): string {
  const folders = path.split(":").filter((folder) => folder.startsWith("/"));
  return folders.length === 0 ? "/" : folders.join(":"); // an empty PATH would be the working folder
}

function mapEnvironment(environment: Action["environment"], root: MappedRoot, temporaryFolder: string) {
  const mapped: Record<string, string> = { ...environment, TMPDIR: temporaryFolder };
  if (environment["PATH"] !== undefined) mapped["PATH"] = withoutRelativeFolders(environment["PATH"]);
  for (const [name, value] of Object.entries(environment)) {
    if (pathVariables.has(name))
      mapped[name] = value
        .split(":")
        .map((path) => path && mapPath(path, root))
        .join(":");
  }
  return mapped;
}

/** Texts lose the folder; any other output in which it is left would not be what a local compile gives. */
async function mapOutputsBack(
  outputs: readonly OutputChange[],
  root: MappedRoot,
  commands: readonly MappedArguments[],
): Promise<OutputChange[]> {
  const texts = new Set(commands.flatMap((command) => command.textOutputs));
  return await Promise.all(
    outputs.map(async (output) => {
      if (output.kind === "removed") return output;
      const bytes = await readFile(output.file);
      if (!bytes.includes(root.folder)) return output;
      if (!texts.has(output.path) && !/\.(?:d|su)$/.test(output.path)) {
        throw new HomccError("ERR_HOMCC_REFUSED", `${output.path} would hold a path of this server`, {
          hint: "it needs a server with namespaces",
        });
      }
      const text = Buffer.from(mapBack(bytes, root)).toString("latin1");
      const isStackUsage = output.path.endsWith(".su");
      const mapped = Buffer.from(isStackUsage ? text : refoldDependencies(text), "latin1");
      await writeFile(output.file, mapped);
      return { ...output, sizeBytes: mapped.byteLength };
    }),
  );
}

function nameAtHome({ folder }: MappedRoot): (name: string) => string {
  return (name) => (name.startsWith(`${folder}/`) ? name.slice(folder.length) : name);
}

function mapBack(bytes: Uint8Array, root: MappedRoot): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!text.includes(root.folder)) return bytes;
  // latin1 keeps every byte as it is.
  const folder = Buffer.from(root.folder).toString("latin1");
  return Buffer.from(text.toString("latin1").replaceAll(`${folder}/`, "/").replaceAll(folder, ""), "latin1");
}
