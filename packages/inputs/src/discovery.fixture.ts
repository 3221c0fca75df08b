import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import type { Compilation, CompilerFamily } from "@homcc/compiler/compilation";
import { findProgram } from "@homcc/compiler/find-program";
import type { DiscoveryContext } from "./include-finder.ts";

export const searchPath = "/usr/sbin:/usr/bin:/sbin:/bin";

/** A folder with sources, and compilations in it. Removed at the end of the test. */
export class Project {
  readonly folder: string;

  constructor(t: Pick<TestContext, "after">) {
    this.folder = realpathSync(mkdtempSync("/tmp/inputs-"));
    t.after(() => rmSync(this.folder, { recursive: true }));
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  /** A file whose times are old enough to be trusted as far as a program can set them. */
  write(name: string, text = ""): string {
    const path = this.at(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    utimesSync(path, 1_600_000_000, 1_600_000_000);
    return path;
  }

  makeFolder(name: string): string {
    mkdirSync(this.at(name), { recursive: true });
    return this.at(name);
  }

  link(name: string, target: string): void {
    mkdirSync(dirname(this.at(name)), { recursive: true });
    symlinkSync(target, this.at(name));
  }

  compilation(source: string, args: readonly string[] = [], more: Partial<Compilation> = {}): Compilation {
    const language = source.endsWith(".c") ? "c" : "c++";
    const folders = args.flatMap((argument) => /^-I(.+)/.exec(argument)?.[1] ?? []);
    return {
      argv: ["cc", "-c", ...args, source],
      source,
      language,
      outputs: ["out.o"],
      mainOutput: "out.o",
      discoveryArguments: args,
      includeDirectories: folders.map((path) => ({ path, kind: "angle" })),
      forcedIncludes: [],
      extraInputs: [],
      replay: false,
      mappedVeto: undefined,
      ...more,
    };
  }

  context(
    compilerPath: string,
    family: CompilerFamily,
    more: Partial<DiscoveryContext> = {},
  ): DiscoveryContext {
    const { signal } = new AbortController();
    return { cwd: this.folder, environment: { PATH: searchPath }, compilerPath, family, signal, ...more };
  }
}

export interface InstalledCompiler {
  readonly name: string;
  readonly family: CompilerFamily;
  /** `undefined` when it is not installed. */
  readonly path: string | undefined;
}

export const compilers: readonly InstalledCompiler[] = (
  [
    ["g++", "gcc"],
    ["clang++", "clang"],
  ] as const
).map(([name, family]) => ({ name, family, path: findProgram(name, searchPath) }));
