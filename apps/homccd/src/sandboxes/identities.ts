import { LinkWalk } from "@homcc/compiler/link-walk";
import { StampedPaths } from "@homcc/compiler/stamped-paths";
import { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import type { ToolchainPlace } from "@homcc/compiler/toolchain-place";
import { familyOf, type SandboxCompiler } from "./compilers.ts";

type Identity = Omit<SandboxCompiler, "driver">;

interface KnownVersion {
  readonly paths: StampedPaths;
  readonly version: Promise<string>;
  /** Of `performance.now()`: a program that said nothing may have been killed. */
  untilMs: number;
}

/** What one root holds; another one is looked at anew. */
interface Root {
  readonly folder: string;
  readonly place: ToolchainPlace;
  readonly inspector: ToolchainInspector;
  readonly versions: Map<string, KnownVersion>;
  /** Drivers whose parts could not be found out, until when nobody tries again. */
  readonly failed: Map<string, number>;
}

/** For a digest some 20 programs are started: a driver that is a script fails each time. */
const failureHoldsMs = 10_000;

/**
 * The toolchains of a sandbox by their files, as those of this machine are known: hashed once (0.2 s for gcc), looked at
 * again at most once a second (400 stats, 2 ms), so that an upgrade inside is noticed.
 */
export class SandboxIdentities {
  readonly #path: string;
  readonly #run: ToolchainPlace["run"];
  #root: Root | undefined;

  /** `path` is the sandbox's PATH, `run` starts a program in it. */
  constructor(path: string, run: ToolchainPlace["run"]) {
    this.#path = path;
    this.#run = run;
  }

  /** Of a driver that is there; `undefined` when it does not answer like a compiler. */
  async of(driver: string, folder: string): Promise<Identity | undefined> {
    const root = this.#rootAt(folder);
    const version = await this.#version(driver, root);
    if (version === "") return undefined;
    const family = familyOf(version);
    return { version, family, digest: await this.#digest(driver, family, root) };
  }

  #rootAt(folder: string): Root {
    if (this.#root?.folder === folder) return this.#root;
    const place = { root: folder, run: this.#run };
    this.#root = {
      folder,
      place,
      inspector: new ToolchainInspector({ place }),
      versions: new Map(),
      failed: new Map(),
    };
    return this.#root;
  }

  async #version(driver: string, { folder, versions }: Root): Promise<string> {
    const known = versions.get(driver);
    if (known !== undefined && performance.now() < known.untilMs && known.paths.unchanged())
      return await known.version;
    const paths = new StampedPaths(folder);
    paths.add(driver);
    const asked: KnownVersion = { paths, version: this.#ask(driver), untilMs: Infinity };
    versions.set(driver, asked);
    asked.version.catch(() => versions.delete(driver));
    const version = await asked.version;
    if (version === "") asked.untilMs = performance.now() + failureHoldsMs;
    return version;
  }

  async #ask(driver: string): Promise<string> {
    const { stdout } = await this.#run(driver, ["--version"], { PATH: this.#path, LC_ALL: "C" });
    return stdout.toString().split("\n", 1)[0] ?? "";
  }

  /** By the driver's real path, as clients know theirs. */
  async #digest(driver: string, family: Identity["family"], root: Root): Promise<Identity["digest"]> {
    if (performance.now() < (root.failed.get(driver) ?? 0)) return undefined;
    try {
      const program = new LinkWalk(root.folder).resolve(driver).path;
      return (await root.inspector.inspect(program, { family, path: this.#path })).digest;
    } catch {
      root.failed.set(driver, performance.now() + failureHoldsMs);
      return undefined;
    }
  }
}
