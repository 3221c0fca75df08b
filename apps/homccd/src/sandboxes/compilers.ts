import { posix } from "node:path";
import { digestOf } from "@homcc/cas/digest";
import type { ExecutorSession } from "@homcc/execution/executor";
import { JobNotStarted } from "@homcc/execution/runner";
import { listed, unavailable } from "./unavailable.ts";

/** A compiler as it is inside a sandbox. */
export interface SandboxCompiler {
  /** Its absolute path there. */
  readonly driver: string;
  /** First line of `--version`. */
  readonly version: string;
  readonly family: "gcc" | "clang";
}

/** Where the compilers of a sandbox are looked for when nothing else is said: Debian's PATH of root. */
export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** An upgrade inside the sandbox counts from then on; asking takes 5 ms. */
const rememberMs = 10_000;

interface Known {
  readonly compiler: Promise<SandboxCompiler>;
  readonly untilMs: number;
}

/** Finds compilers in a sandbox by running them there. */
export class SandboxCompilers {
  readonly path: string;
  readonly #session: ExecutorSession;
  readonly #place: string;
  readonly #known = new Map<string, Known>();

  /** `place` names the sandbox in messages; `path` is its PATH. */
  constructor(session: ExecutorSession, place: string, path: string) {
    this.#session = session;
    this.#place = place;
    this.path = path;
  }

  /** The compiler of that base name, found through the sandbox's PATH. Rejects when there is none. */
  compiler(name: string): Promise<SandboxCompiler> {
    const known = this.#known.get(name);
    if (known !== undefined && performance.now() < known.untilMs) return known.compiler;
    const compiler = this.#find(name);
    this.#known.set(name, { compiler, untilMs: performance.now() + rememberMs });
    compiler.catch(() => this.#known.delete(name));
    return compiler;
  }

  /** Rejects when nothing at all can be started there. */
  async probe(): Promise<void> {
    await this.#versionOf("/homcc-probe"); // that there is no such program is an answer
  }

  async #find(name: string): Promise<SandboxCompiler> {
    for (const folder of this.#folders()) {
      const driver = posix.join(folder, name);
      const version = await this.#versionOf(driver);
      if (version === undefined) continue;
      const family = /clang/i.test(version) ? "clang" : "gcc";
      return { driver, version, family };
    }
    const hint = `install it inside ${this.#place}, or call a compiler that is there`;
    throw unavailable(`${this.#place} has no ${name}; ${listed(await this.#others())}`, hint);
  }

  /** `undefined` when there is no such program. */
  async #versionOf(driver: string): Promise<string | undefined> {
    try {
      await using result = await this.#session.execute(
        {
          toolchain: noToolchain,
          steps: [{ program: driver, argv: [driver, "--version"] }],
          cwd: "/",
          environment: { PATH: this.path, LC_ALL: "C" },
          umask: 0o022,
          terminal: {},
          inputs: [],
          absent: [],
          outputs: [],
          timeoutMs: 20_000,
        },
        new AbortController().signal,
      );
      const line = Buffer.from(result.stdout).toString().split("\n", 1)[0] ?? "";
      const answered = result.termination.kind === "exited" && result.termination.status === 0;
      return answered && line !== "" ? line : undefined;
    } catch (error) {
      // Anything else, such as a mount that failed, is no answer to the question.
      if (error instanceof JobNotStarted && error.call === driver) return undefined;
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

const noToolchain = digestOf(new Uint8Array());
const commonNames = ["gcc", "g++", "cc", "c++", "clang", "clang++"];

/** gcc begins the line with the name it was called by, which says nothing about it. */
export function isSameVersion(one: string, other: string): boolean {
  return withoutName(one) === withoutName(other);
}

function withoutName(version: string): string {
  return version.replace(/^\S+(?= \()/, "");
}
