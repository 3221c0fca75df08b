import { readdirSync, realpathSync } from "node:fs";
import { basename, posix } from "node:path";
import { CompilerIdentities } from "@homcc/compiler/compiler-identity";
import { findProgram } from "@homcc/compiler/find-program";
import { runProgram } from "@homcc/compiler/run-program";
import { driverNames } from "@homcc/compiler/server-check";
import type { Inventory } from "@homcc/protocol/messages";

type OfferedToolchain = Inventory["toolchains"][number];

const timeLimitMs = 20_000;

/** Programs that are asked what they are; a machine for many targets has some 30. */
const maxPrograms = 256;

/** What the compilers of one PATH say about themselves, for people. */
export class OwnCompilers {
  readonly #path: string;
  readonly #identities = new CompilerIdentities();
  readonly #told = new Map<string, { readonly stamp: string; readonly told: Promise<Said> }>();

  constructor(path: string) {
    this.#path = path;
  }

  /** Each program once, with the names it has: gcc, g++ and clang first. One after the other: nobody waits for speed here. */
  async list(): Promise<OfferedToolchain[]> {
    const toolchains: OfferedToolchain[] = [];
    for (const names of this.#programs().slice(0, maxPrograms)) {
      const said = await this.#ask(names[0] ?? "");
      if (said !== undefined) toolchains.push({ names, ...said });
    }
    return toolchains;
  }

  /** The names of each program that is called like a compiler. */
  #programs(): string[][] {
    const byProgram = new Map<string, string[]>();
    for (const name of this.#names()) {
      const program = realPathOf(findProgram(name, this.#path));
      if (program === undefined) continue;
      byProgram.set(program, [...(byProgram.get(program) ?? []), name]);
    }
    return [...byProgram.values()];
  }

  #names(): string[] {
    const names = this.#path.split(":").flatMap((folder) => (folder.startsWith("/") ? namesIn(folder) : []));
    return [...new Set(names.filter((name) => driverNames.test(name)))].sort(byRank);
  }

  async #ask(name: string): Promise<Said | undefined> {
    const program = findProgram(name, this.#path);
    if (program === undefined) return undefined;
    const identity = await this.#identities.identify(program, { PATH: this.#path });
    if (identity.family === "neither") return undefined;
    const known = this.#told.get(program);
    if (known?.stamp === identity.stamp) return await known.told;
    const told = this.#say(program);
    this.#told.set(program, { stamp: identity.stamp, told });
    return await told;
  }

  async #say(program: string): Promise<Said> {
    const [version = "", target = ""] = await Promise.all(
      ["--version", "-dumpmachine"].map(async (word) => {
        const environment = { PATH: this.#path, LC_ALL: "C" };
        const asked = { args: [word], cwd: "/", environment, timeLimitMs, maxOutputBytes: 1 << 16 };
        const { status, stdout } = await runProgram(program, asked);
        return status === 0 ? (stdout.toString().split("\n", 1)[0] ?? "") : "";
      }),
    );
    return { version, target };
  }
}

type Said = Pick<OfferedToolchain, "version" | "target">;

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function realPathOf(path: string | undefined): string | undefined {
  try {
    return path === undefined ? undefined : posix.normalize(realpathSync(path));
  } catch {
    return undefined;
  }
}

const usualNames = ["gcc", "g++", "clang", "clang++"];

function byRank(one: string, other: string): number {
  return rankOf(one) - rankOf(other) || one.length - other.length || (one < other ? -1 : 1);
}

function rankOf(name: string): number {
  const rank = usualNames.indexOf(basename(name));
  return rank < 0 ? usualNames.length : rank;
}
