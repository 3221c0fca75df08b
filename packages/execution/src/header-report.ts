import { constants, type Stats } from "node:fs";
import { lstat, open } from "node:fs/promises";
import { join } from "node:path";
import type { Action, OutputChange } from "@homcc/cas/action";
import { isDependencyFile } from "@homcc/compiler/dependency-output";
import { prerequisitesOf } from "@homcc/compiler/dependency-file";

/** A list of headers that a kind of compiler writes because a variable asks for it. */
interface AskedReport {
  readonly name: string;
  readonly variables: (file: string) => Readonly<Record<string, string>>;
  /** With such a word in its command the compiler lists nothing, or the variable would show in what it writes. */
  readonly forbiddenBy: RegExp;
  readonly names: (text: string) => readonly string[];
}

/**
 * Options for rules, which may be the preprocessor's. gcc then ignores the variable, but for `-MF` and its kin alone, which are an error
 * otherwise. clang would write system headers into the file of `-MMD`.
 */
const asksForRules = /^-M|^--.*dependencies|^-Wp,|^-Xpreprocessor/;

/** With system headers, unlike DEPENDENCIES_OUTPUT. A precompiled header keeps the list. */
const gccReport: AskedReport = {
  name: ".homcc-report.d",
  variables: (file) => ({ SUNPRO_DEPENDENCIES: `${file} all` }),
  forbiddenBy: /-header$/,
  names: prerequisitesOf,
};

/**
 * clang hands the file's name to its frontend, whose command line some options print. What the lines of a preprocessed file name
 * counts as read.
 */
const clangReport: AskedReport = {
  name: ".homcc-report.headers",
  variables: (file) => ({ CC_PRINT_HEADERS: "1", CC_PRINT_HEADERS_FILE: file }),
  forbiddenBy: /^-v$|^--verbose$|^-###$|^-fproc-stat-report|-header$|cpp-output$|\.(?:i|ii|mi|mii)$/,
  names: (text) => text.split("\n").filter((line) => line !== ""),
};

/** 60,000 names. A longer list is not looked at. */
const maxReportBytes = 8 << 20;

/**
 * What the compiler of an action says it reads: the rules for make that its command asks for, and lists that environment variables
 * ask for, which leave command, outputs and messages as they are. Each compiler ignores the other's variables.
 */
export class HeaderReport {
  /** To be set for the compiler. */
  readonly variables: Readonly<Record<string, string>>;
  readonly #asked: readonly AskedReport[];
  readonly #hasRules: boolean;
  readonly #action: Pick<Action, "steps" | "cwd">;

  /** `folder`, in which the compiler may write, as it names it; nothing in it is an output. */
  constructor(action: Pick<Action, "steps" | "cwd" | "outputs">, folder: string) {
    this.#action = action;
    const words = action.steps.flatMap(({ argv }) => argv);
    this.#hasRules = words.some((word) => asksForRules.test(word));
    const isHeader = action.outputs.some(({ path }) => /\.[gp]ch$/.test(path));
    // gcc takes the file's name up to the first blank.
    const isPossible = !this.#hasRules && !isHeader && !/\s/.test(folder);
    this.#asked = isPossible
      ? [gccReport, clangReport].filter(({ forbiddenBy }) => !words.some((word) => forbiddenBy.test(word)))
      : [];
    this.variables = Object.assign(
      {},
      ...this.#asked.map(({ name, variables }) => variables(join(folder, name))),
    );
  }

  /** Names as the compiler spells them; `undefined` when it did not say. `folder` is the constructor's as this process sees it. */
  async names(folder: string, outputs: readonly OutputChange[]): Promise<readonly string[] | undefined> {
    const lists = await Promise.all([
      ...this.#asked.map(async ({ name, names }) => {
        const text = await readReport(folder, name);
        return text === undefined ? undefined : names(text);
      }),
      ...this.#rules(outputs).map(async (file) => {
        const text = await readText(file);
        return text === undefined ? undefined : prerequisitesOf(text);
      }),
    ]);
    const reported = lists.filter((list) => list !== undefined);
    return reported.length === 0 ? undefined : [...new Set(reported.flat())];
  }

  #rules(outputs: readonly OutputChange[]): string[] {
    if (!this.#hasRules) return [];
    return outputs.flatMap((output) =>
      output.kind === "written" && isDependencyFile(output.path, this.#action) ? output.file : [],
    );
  }
}

/** The job may have put anything in its place, and in the folder's. */
async function readReport(folder: string, name: string): Promise<string | undefined> {
  const status: Stats | undefined = await lstat(folder).catch(() => undefined);
  return status?.isDirectory() === true ? await readText(join(folder, name)) : undefined;
}

/** `undefined` when it is no file of reasonable size in UTF-8. */
async function readText(file: string): Promise<string | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(file, flags).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const status = await handle.stat();
    if (!status.isFile() || status.size > maxReportBytes) return undefined;
    return new TextDecoder("utf-8", { fatal: true }).decode(await handle.readFile());
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}
