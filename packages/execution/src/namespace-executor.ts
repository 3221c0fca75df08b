import { mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Action, ActionResult, DeclaredOutput, InputEntry } from "@homcc/cas/action";
import type { BlobStore } from "@homcc/cas/blob-store";
import { deadlineAfter } from "@homcc/observability/deadline";
import { HomccError } from "@homcc/observability/error";
import { checkActionPaths, deviceFiles, isDevice } from "./action-paths.ts";
import type { Executor, ExecutorSession } from "./executor.ts";
import { InputMirror, type MirrorView } from "./input-mirror.ts";
import { asStoreError, describeAction, JobFolder } from "./job-folder.ts";
import { jobBounds, type JobLimits, maxTimeoutMs, resourceLimits } from "./job-limits.ts";
import { type LayerListing, listLayer } from "./layer-listing.ts";
import { type LayerEntry, LayerPlan } from "./layer-plan.ts";
import { folderOf, LinkResolver } from "./link-resolution.ts";
import { HeaderReport } from "./header-report.ts";
import { boundOutputs, collectOutputs, judgeUpper, nothingCollected } from "./output-collection.ts";
import { removeTree } from "./remove-tree.ts";
import { SessionJobs } from "./session-jobs.ts";
import { JobRunner, type RunnerResult } from "./runner.ts";
import { guardToolchain } from "./toolchain-guard.ts";
import type { ToolchainLayers } from "./toolchain-layer.ts";
import { unlistedInputs } from "./unlisted-inputs.ts";

export interface LayeredExecutorOptions {
  /** Of the executor. */
  readonly name: string;
  /** The built native/runner.c. */
  readonly runnerProgram: string;
  /** Of a session's runner, instead of those that show the floor's folder. */
  readonly runnerArguments?: (session: string) => readonly string[];
  /** Sessions live here and nothing else does: what a crash left is removed at start. */
  readonly folder: string;
  readonly floor: JobFloor;
  readonly blobs: BlobStore;
  /** Server folders that jobs see read-only (locales, gconv, zoneinfo); all of them exist. */
  readonly shares: readonly string[];
  readonly limits: JobLimits;
}

/** What lies below the client's files in the root of every job. */
export interface JobFloor {
  /** The folder that holds its layers; the runner shows it as /t. */
  readonly folder: string;
  /** A path that is absent at home is hidden where the floor has it. Else the floor is right, whatever the client has. */
  readonly hidesAbsent: boolean;
  /** Whatever its layers need in a session's folder. */
  prepareSession(folder: string): Promise<void>;
  layersFor(action: Action): Promise<FloorLayers>;
}

export interface FloorLayers {
  /** Top first, below /t or relative to the session's folder. */
  readonly layers: readonly string[];
  readonly listing: LayerListing;
  /** Called when the job has ended: the layers may go. */
  release?(): void;
}

export interface NamespaceExecutorOptions extends Omit<
  LayeredExecutorOptions,
  "name" | "floor" | "runnerArguments"
> {
  /** The folder directly in which all layers of `toolchains` lie. */
  readonly toolchainsFolder: string;
  readonly toolchains: ToolchainLayers;
  /** Name of the layer with the places of the shares, in `toolchainsFolder`. Executors with other shares need another one. */
  readonly baseLayer: string;
}

/**
 * Gives each job a root of its own in which the client's paths are the real ones: the session's mirrored inputs over
 * the toolchain's files, and nothing else of this server. Needs user namespaces and overlayfs in them (Linux 5.11).
 */
export async function createNamespaceExecutor(options: NamespaceExecutorOptions): Promise<Executor> {
  const { toolchainsFolder, toolchains, shares, baseLayer } = options;
  await mkdir(toolchainsFolder, { recursive: true });
  await layOutBase(join(toolchainsFolder, baseLayer), shares);
  const listings = new Map<string, Promise<LayerListing>>();
  const listingOf = (layer: string) => {
    const known = listings.get(layer) ?? listLayer(layer);
    listings.delete(layer);
    listings.set(layer, known);
    const [oldest] = listings.keys();
    if (listings.size > maxListings && oldest !== undefined) listings.delete(oldest);
    known.catch(() => listings.delete(layer));
    return known;
  };
  const floor: JobFloor = {
    folder: toolchainsFolder,
    hidesAbsent: true,
    prepareSession: async () => {},
    layersFor: async (action) => {
      const held = toolchains.hold(action.toolchain);
      try {
        const layer = await toolchains.layerFor(action.toolchain);
        return {
          layers: [`/t/${basename(layer)}`, `/t/${baseLayer}`],
          listing: await listingOf(layer),
          release: () => held[Symbol.dispose](),
        };
      } catch (error) {
        held[Symbol.dispose]();
        throw error;
      }
    },
  };
  return await createLayeredExecutor({ ...options, name: "namespace", floor });
}

/** Of toolchains that jobs have used last, 1 MB each. */
const maxListings = 64;

/** Jobs in roots that are made of the client's files over a floor. */
export async function createLayeredExecutor(options: LayeredExecutorOptions): Promise<Executor> {
  await removeTree(options.folder);
  await mkdir(options.folder, { recursive: true, mode: 0o700 }); // sources are private
  let nextSession = 1;
  return {
    name: options.name,
    openSession: async () => {
      const folder = join(options.folder, String(nextSession++));
      await layOutSession(folder)
        .then(() => options.floor.prepareSession(folder))
        .catch((error: unknown) => {
          throw asStoreError(error);
        });
      return new NamespaceSession(options, folder);
    },
  };
}

/** The lowest layer of all jobs, beside the toolchains, whose names are digests: the places where the runner mounts devices, shares and /proc. */
export async function layOutBase(base: string, shares: readonly string[]): Promise<void> {
  await removeTree(base);
  for (const path of ["/proc", "/dev", "/tmp", ...shares]) await mkdir(base + path, { recursive: true });
  for (const device of deviceFiles) await writeFile(base + device, "");
}

/** As little as can be: thousands of clients may come and go without ever having a job. */
async function layOutSession(folder: string): Promise<void> {
  await mkdir(join(folder, "g"), { recursive: true });
  await mkdir(join(folder, "j"));
}

class NamespaceSession implements ExecutorSession {
  readonly #options: LayeredExecutorOptions;
  readonly #folder: string;
  readonly #mirror: InputMirror;
  readonly #runner: JobRunner;
  readonly #jobs = new SessionJobs();
  #nextJob = 1;

  constructor(options: LayeredExecutorOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.#mirror = new InputMirror(folder, options.blobs);
    const { runnerProgram, floor, shares } = options;
    const args = options.runnerArguments?.(folder) ?? ["namespace", folder, floor.folder, ...shares];
    this.#runner = new JobRunner(runnerProgram, args);
  }

  async execute(action: Action, signal: AbortSignal): Promise<ActionResult> {
    checkActionPaths(action);
    return await this.#jobs.run((ended) => this.#execute(action, ended), signal);
  }

  /** The runner's view: it may be of a root that only the runner was shown. */
  async floor(): Promise<string> {
    return `/proc/${await this.#runner.pid()}/root/t`;
  }

  async close(): Promise<void> {
    await this.#jobs.end(() => this.#runner.close());
    await removeTree(this.#folder);
  }

  /** floor → places of all paths → mirror → job folder → run → outputs */
  async #execute(action: Action, signal: AbortSignal): Promise<ActionResult> {
    const { floor } = this.#options;
    const floorLayers = await floor.layersFor(action);
    using _held = { [Symbol.dispose]: () => floorLayers.release?.() };
    const { layers, listing } = floorLayers;
    const layout = layOut(action, listing, floor.hidesAbsent);
    const view = await this.#mirror.view([...layout.entries.values()], layout.absent);
    try {
      signal.throwIfAborted();
      const job = await JobFolder.create(
        join(this.#folder, "j", String(this.#nextJob++)),
        this.#options.limits,
      );
      try {
        await this.#writeOwnLayer(job, view, layout);
        const report = new HeaderReport(action, reportFolder);
        const startedMs = performance.now();
        const result = await this.#run(
          action,
          job,
          [`j/${basename(job.path)}/l`, ...view.layers, ...layers].join(":"),
          view,
          layout,
          report,
          signal,
        );
        const wallMs = performance.now() - startedMs;
        return await this.#collect(action, job, view, layout, report, result, wallMs);
      } catch (error) {
        await job.remove();
        throw error;
      }
    } finally {
      view.release();
    }
  }

  async #writeOwnLayer(job: JobFolder, view: MirrorView, layout: JobLayout): Promise<void> {
    const plan = new LayerPlan();
    for (const entry of [...view.missing, ...layout.placeholders]) {
      if (!plan.add(entry))
        throw new HomccError("ERR_HOMCC_REFUSED", `contradicting entries at ${entry.path}`);
    }
    try {
      const failed = await plan.write(join(job.path, "l"), this.#options.blobs);
      for (const error of failed.values()) throw error;
    } catch (error) {
      throw asStoreError(error);
    }
  }

  /** `undefined`: the time was up. */
  async #run(
    action: Action,
    job: JobFolder,
    layers: string,
    view: MirrorView,
    layout: JobLayout,
    report: HeaderReport,
    signal: AbortSignal,
  ): Promise<RunnerResult | undefined> {
    using deadline = deadlineAfter(Math.min(action.timeoutMs, maxTimeoutMs), signal);
    try {
      return await this.#runner.run(
        {
          ...describeAction(action, this.#options.limits),
          folder: `j/${basename(job.path)}`,
          layers,
          absent: [...view.present, ...layout.absentInFloor],
          cwd: action.cwd,
          limits: resourceLimits(this.#options.limits),
          bounds: jobBounds(this.#options.limits),
          readable: [],
          environment: { ...action.environment, ...report.variables },
          steps: action.steps,
        },
        deadline.signal,
      );
    } catch (error) {
      if (deadline.isOver) return undefined;
      throw error;
    }
  }

  async #collect(
    action: Action,
    job: JobFolder,
    view: MirrorView,
    layout: JobLayout,
    report: HeaderReport,
    result: RunnerResult | undefined,
    wallMs: number,
  ): Promise<ActionResult> {
    const text = await job.read(result, this.#options.limits);
    const conclusive = text.termination.kind === "exited" || text.termination.kind === "signalled";
    const upper = join(job.path, "upper");
    const found = conclusive
      ? await collectOutputs(upper, layout.outputs, isDevice, judgeUpper)
      : nothingCollected;
    const termination = boundOutputs(text.termination, found, this.#options.limits);
    const collected = termination.kind === "limited" ? nothingCollected : found;
    const { links, entries, floor } = layout;
    const { hidesAbsent } = this.#options.floor;
    const names = await report.names(join(upper, reportFolder), collected.outputs);
    return {
      ...text,
      termination,
      ...collected,
      unlisted:
        names &&
        unlistedInputs(names, action.cwd, {
          links,
          isInput: (path) => entries.get(path)?.kind === "file",
          holds: (path) => view.has(path) || (hidesAbsent && floor.has(path)),
        }),
      usage: { wallMs, cpuMs: result?.cpuMs ?? 0, maxRssKiB: result?.maxRssKiB ?? 0 },
      [Symbol.asyncDispose]: () => job.remove(),
    };
  }
}

/** Each job has its own, in which nothing but its outputs is looked for. */
const reportFolder = "/tmp";

/** An action's paths at the places where they really lie in the job's root. */
interface JobLayout {
  readonly links: LinkResolver;
  /** What lies below the entries. */
  readonly floor: LayerListing;
  /** Inputs, and the working folder and the folders of outputs, which exist even when no input lies in them. */
  readonly entries: ReadonlyMap<string, InputEntry>;
  readonly placeholders: readonly LayerEntry[];
  readonly outputs: ReadonlyMap<string, DeclaredOutput>;
  readonly absent: readonly string[];
  /** Those of `absent` that the floor shows and must not. */
  readonly absentInFloor: readonly string[];
}

function layOut(action: Action, floor: LayerListing, hidesAbsent: boolean): JobLayout {
  const links = new Map<string, string>();
  for (const input of action.inputs) if (input.kind === "symlink") links.set(input.path, input.target);
  const root = new LinkResolver((path) => links.get(path) ?? floor.readLink(path));
  const entries = new Map<string, InputEntry>();
  for (const input of action.inputs) {
    const path = input.kind === "directory" ? root.target(input.path) : root.place(input.path);
    if (isDevice(path) || path === "/") continue;
    const entry = path === input.path ? input : { ...input, path };
    guardToolchain(entry, floor);
    entries.set(path, entry);
  }
  const outputs = new Map<string, DeclaredOutput>();
  for (const output of action.outputs) {
    const path = root.place(output.path);
    if (!isDevice(path)) outputs.set(path, output);
  }
  for (const folder of [root.target(action.cwd), ...Array.from(outputs.keys(), folderOf)]) {
    if (folder !== "" && folder !== "/" && !entries.has(folder))
      entries.set(folder, { kind: "directory", path: folder });
  }
  const placeholders: LayerEntry[] = [];
  const newFileMode = 0o666 & ~action.umask;
  for (const [path, { exists, mode = newFileMode }] of outputs) {
    if (exists && !entries.has(path)) placeholders.push({ kind: "placeholder", path, mode });
  }
  const newOutputs = [...outputs].filter(([path, { exists }]) => !exists && !entries.has(path));
  const absent = [...action.absent.map((path) => root.place(path)), ...newOutputs.map(([path]) => path)];
  return {
    links: root,
    floor,
    entries,
    placeholders,
    outputs,
    absent: absent.filter((path) => !isDevice(path)),
    absentInFloor: hidesAbsent ? absent.filter((path) => floor.has(path) && !isDevice(path)) : [],
  };
}
