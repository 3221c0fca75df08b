import { posix } from "node:path";
import { type Digest, digestOf } from "@homcc/cas/digest";
import type { ActionResult } from "@homcc/cas/action";
import { driverNames } from "@homcc/compiler/server-check";
import { findProgram } from "@homcc/compiler/find-program";
import type { ExecutorSession } from "@homcc/execution/executor";
import { JobNotStarted } from "@homcc/execution/runner";
import { SandboxIdentities } from "./identities.ts";
import { listed, unavailable } from "./unavailable.ts";

/** A compiler as it is inside a sandbox. */
export interface SandboxCompiler {
  /** Its absolute path there. */
  readonly driver: string;
  /** First line of `--version`. */
  readonly version: string;
  readonly family: "gcc" | "clang";
  /** The toolchain's, equal to that of an equal one on another machine; `undefined` where its files cannot be read. */
  readonly digest: Digest | undefined;
}

/** Where the compilers of a sandbox are looked for when nothing else is said: Debian's PATH of root. */
export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Where only the version is known, an upgrade inside the sandbox counts from then on; asking takes 5 ms. */
const rememberMs = 10_000;

interface Known {
  readonly compiler: Promise<SandboxCompiler>;
  readonly untilMs: number;
}

export interface SandboxCompilersOptions {
  /** Runs programs in the sandbox. Its floor, where it has one, is where the files of compilers are read. */
  readonly session: Pick<ExecutorSession, "execute" | "floor">;
  /** Names the sandbox in messages. */
  readonly place: string;
  /** PATH of the sandbox. */
  readonly path: string;
}

/** Finds compilers in a sandbox, and what they consist of. */
export class SandboxCompilers {
  readonly path: string;
  readonly #session: SandboxCompilersOptions["session"];
  readonly #place: string;
  readonly #known = new Map<string, Known>();
  readonly #identities: SandboxIdentities;

  constructor({ session, place, path }: SandboxCompilersOptions) {
    this.#session = session;
    this.#place = place;
    this.path = path;
    this.#identities = new SandboxIdentities(path, (program, args, environment) =>
      this.#answer(program, args, environment),
    );
  }

  /** The compiler of that base name, found through the sandbox's PATH. Rejects when there is none. */
  async compiler(name: string): Promise<SandboxCompiler> {
    // Clients name it, those of homcc 1.x too: `sh`, or a path to something that a job left in the shared folder.
    if (!driverNames.test(name) || name.includes("/"))
      throw unavailable(`${name} is not called like a compiler`);
    const root = await this.#session.floor?.();
    const driver = root === undefined ? undefined : findProgram(name, this.path, root);
    const identity =
      root === undefined || driver === undefined ? undefined : await this.#identities.of(driver, root);
    return driver === undefined || identity === undefined
      ? await this.#byVersion(name)
      : { driver, ...identity };
  }

  /** Rejects when nothing at all can be started there. */
  async probe(): Promise<void> {
    await this.#versionOf("/homcc-probe"); // that there is no such program is an answer
  }

  /** By running it: where its files cannot be read. */
  #byVersion(name: string): Promise<SandboxCompiler> {
    const known = this.#known.get(name);
    if (known !== undefined && performance.now() < known.untilMs) return known.compiler;
    const compiler = this.#find(name);
    this.#known.set(name, { compiler, untilMs: performance.now() + rememberMs });
    compiler.catch(() => this.#known.delete(name));
    return compiler;
  }

  async #find(name: string): Promise<SandboxCompiler> {
    for (const folder of this.#folders()) {
      const driver = posix.join(folder, name);
      const version = await this.#versionOf(driver);
      if (version !== undefined) return { driver, version, family: familyOf(version), digest: undefined };
    }
    const hint = `install it inside ${this.#place}, or call a compiler that is there`;
    throw unavailable(`${this.#place} has no ${name}; ${listed(await this.#others())}`, hint);
  }

  /** `undefined` when there is no such program. */
  async #versionOf(driver: string): Promise<string | undefined> {
    const environment = { PATH: this.path, LC_ALL: "C" };
    const { succeeded, stdout } = await this.#answer(driver, ["--version"], environment);
    const line = stdout.toString().split("\n", 1)[0] ?? "";
    return succeeded && line !== "" ? line : undefined;
  }

  /** Nothing of a program that is not there. Rejects when nothing can be run: a mount that failed is no answer. */
  async #answer(
    program: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<SandboxAnswer> {
    try {
      await using result = await this.#session.execute(
        {
          toolchain: noToolchain,
          steps: [{ program, argv: [program, ...args] }],
          cwd: "/",
          environment,
          umask: 0o022,
          terminal: {},
          inputs: [],
          absent: [],
          outputs: [],
          timeoutMs: 20_000,
        },
        new AbortController().signal,
      );
      return answerOf(result);
    } catch (error) {
      if (error instanceof JobNotStarted && error.call === program) return noAnswer;
      throw error;
    }
  }

  /** Common compilers that are there, for the message. */
  async #others(): Promise<string[]> {
    const found: string[] = [];
    for (const name of commonNames) {
      for (const folder of this.#folders()) {
        if ((await this.#versionOf(posix.join(folder, name)).catch(() => undefined)) === undefined) continue;
        found.push(name);
        break;
      }
    }
    return found;
  }

  #folders(): string[] {
    return this.path.split(":").filter((folder) => folder.startsWith("/"));
  }
}

interface SandboxAnswer {
  readonly succeeded: boolean;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

function answerOf({ termination, stdout, stderr }: ActionResult): SandboxAnswer {
  return {
    succeeded: termination.kind === "exited" && termination.status === 0,
    stdout: Buffer.from(stdout),
    stderr: Buffer.from(stderr),
  };
}

const noAnswer: SandboxAnswer = { succeeded: false, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
const noToolchain = digestOf(new Uint8Array());
const commonNames = ["gcc", "g++", "cc", "c++", "clang", "clang++"];

export function familyOf(version: string): "gcc" | "clang" {
  return /clang/i.test(version) ? "clang" : "gcc";
}

/** Whether they are one compiler: by their files where those are known, else by what they say. */
export function isSameCompiler(one: CompilerName, other: CompilerName): boolean {
  if (one.digest !== undefined && other.digest !== undefined) return one.digest === other.digest;
  return withoutName(one.version) === withoutName(other.version);
}

type CompilerName = Pick<SandboxCompiler, "version" | "digest">;

/** gcc begins the line with the name it was called by, which says nothing about it. */
function withoutName(version: string): string {
  return version.replace(/^\S+(?= \()/, "");
}
