import { posix } from "node:path";
import { HomccError } from "@homcc/observability/error";
import type { CompilerFamily } from "./compilation.ts";
import { findProgram } from "./find-program.ts";
import { LinkWalk } from "./link-walk.ts";
import type { FileFilter, ToolchainLayout } from "./toolchain-layout.ts";
import type { ToolchainPlace } from "./toolchain-place.ts";

/** What a compiler says about itself when asked. */
export interface ToolchainParts {
  /** First line of `--version`. */
  readonly version: string;
  /** Programs a compile runs, and those that are looked for in PATH with the answer PATH gave. */
  readonly programs: readonly string[];
  readonly lookedUp: ReadonlyMap<string, string | undefined>;
}

interface Question {
  readonly driver: string;
  readonly family: CompilerFamily;
  /** PATH of the job. */
  readonly path: string;
  readonly place: ToolchainPlace;
}

/** Asks the driver for its parts and lays out the folders it brings along. */
export async function collectParts(question: Question, layout: ToolchainLayout): Promise<ToolchainParts> {
  const version = (await answer(question, ["--version"])).split("\n", 1)[0] ?? "";
  if (version === "") {
    throw new HomccError("ERR_HOMCC_TOOLCHAIN", `${question.driver} does not answer --version`);
  }
  const compilers =
    question.family === "gcc" ? await gccParts(question, layout) : await clangParts(question, layout);
  const lookedUp = new Map<string, string | undefined>();
  const programs = [question.driver, ...compilers];
  for (const name of ["as", "objcopy"]) {
    const printed = await answer(question, [`-print-prog-name=${name}`]);
    const program = findProgram(printed, question.path, question.place.root);
    if (!printed.includes("/")) lookedUp.set(printed, program);
    if (program !== undefined) programs.push(program);
  }
  // The way to the loader, and to whatever is called by its short path.
  for (const link of ["/bin", "/lib", "/lib64"]) layout.walk.resolve(link);
  return { version, programs, lookedUp };
}

/**
 * gcc's own folder is taken whole, with its headers, specs and plugins; without static libraries, which only a linker
 * reads, and without programs that no compile of C or C++ runs (lto1, f951, gnat1…: 30 MB each).
 */
async function gccParts(question: Question, layout: ToolchainLayout): Promise<string[]> {
  const folders = await answer(question, ["-print-search-dirs"]);
  const install = /^install: (.*)$/m.exec(folders)?.[1];
  if (install === undefined)
    throw new HomccError("ERR_HOMCC_TOOLCHAIN", `${question.driver} has no install folder`);
  layout.addTree(install, (name, executable) => isGccPart(name, executable, true));
  layout.addFile(posix.join(install, "../specs"));
  const programs: string[] = [];
  for (const name of ["cc1", "cc1plus", "cc1obj", "cc1objplus"]) {
    const printed = await answer(question, [`-print-prog-name=${name}`]);
    if (printed.startsWith("/") && isThere(printed, question.place)) programs.push(printed);
  }
  return programs;
}

/**
 * clang's resource folder without its run-time libraries; the GCC installation it chose, and the object by which it
 * knows each of those that it could have chosen, since options like -m32 choose again.
 */
async function clangParts(question: Question, layout: ToolchainLayout): Promise<string[]> {
  layout.addTree(
    await answer(question, ["-print-resource-dir"]),
    (name) => !/^lib.*\.(a|so|syms)\b/.test(name),
  );
  const said = await answer(question, ["-v"]);
  for (const [, candidate = ""] of said.matchAll(/^Found candidate GCC installation: (.*)$/gm)) {
    for (const multilib of ["", "32", "64", "x32"])
      layout.addFile(posix.join(candidate, multilib, "crtbegin.o"));
  }
  const selected = /^Selected GCC installation: (.*)$/m.exec(said)?.[1];
  if (selected !== undefined)
    layout.addTree(selected, (name, executable) => isGccPart(name, executable, false));
  for (const [, configuration = ""] of said.matchAll(/^Configuration file: (.*)$/gm))
    layout.addFile(configuration);
  return [];
}

const isGccPart = (name: string, executable: boolean, withCompilers: boolean): ReturnType<FileFilter> => {
  if (name.endsWith(".a")) return false;
  if (!executable || /\.so(\.|$)/.test(name)) return true;
  return withCompilers && /^cc1(plus|obj|objplus)?$/.test(name);
};

function isThere(path: string, { root }: ToolchainPlace): boolean {
  return new LinkWalk(root).resolve(path).kind === "file";
}

/** Both streams: gcc answers `-v` on the second. */
async function answer({ driver, path, place }: Question, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await place.run(driver, args, { PATH: path, LC_ALL: "C" });
  return `${stdout.toString("utf8")}${stderr.toString("utf8")}`.trimEnd();
}
