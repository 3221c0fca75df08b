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
  /** Programs a compile runs, and those that may be looked for in PATH with the answer PATH gave. */
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

/** What a driver runs beside the compiler proper. */
const tools = ["as", "objcopy"];

/** Asks the driver for its parts and lays out the folders it brings along. */
export async function collectParts(question: Question, layout: ToolchainLayout): Promise<ToolchainParts> {
  layout.addFile(question.driver); // its answers count only if it is the same afterwards
  const version = (await answer(question, ["--version"])).split("\n", 1)[0] ?? "";
  if (version === "") {
    throw new HomccError("ERR_HOMCC_TOOLCHAIN", `${question.driver} does not answer --version`);
  }
  const compilers =
    question.family === "gcc" ? await gccParts(question, layout) : await clangParts(question, layout);
  const lookedUp = new Map<string, string | undefined>();
  const programs = [question.driver, ...compilers];
  const target = await answer(question, ["-dumpmachine"]);
  for (const name of [...tools, ...tools.map((tool) => `${target}-${tool}`)])
    lookedUp.set(name, findProgram(name, question.path, question.place.root));
  for (const name of tools) {
    const printed = await answer(question, [`-print-prog-name=${name}`]);
    const program = findProgram(printed, question.path, question.place.root);
    if (!printed.includes("/")) lookedUp.set(printed, program);
    if (program !== undefined) programs.push(program);
  }
  // The way to the loader, and to whatever is called by its short path.
  for (const link of ["/bin", "/lib", "/lib64"]) layout.walk.resolve(link);
  return { version, programs, lookedUp };
}

const compilersOfGcc = ["cc1", "cc1plus", "cc1obj", "cc1objplus"];

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
  for (const folder of searchList(folders, "libraries")) layout.lookAt(`${folder}/specs`);
  const said = await answer(question, ["-v"]);
  for (const [, specs = ""] of said.matchAll(/^Reading specs from (.*)$/gm)) layout.addFile(specs);
  const target = /^Target: (.*)$/m.exec(said)?.[1] ?? "";
  const names = [...compilersOfGcc, ...tools, ...tools.map((name) => `${target}-${name}`)];
  for (const folder of searchList(folders, "programs"))
    for (const name of names) layout.lookAt(`${folder}/${name}`);
  const programs: string[] = [];
  for (const name of compilersOfGcc) {
    const printed = await answer(question, [`-print-prog-name=${name}`]);
    if (printed.startsWith("/") && isThere(printed, question.place)) programs.push(printed);
  }
  return programs;
}

/** Absolute folders of a line of `-print-search-dirs`. */
function searchList(answered: string, title: "programs" | "libraries"): string[] {
  const list = new RegExp(`^${title}: =(.*)$`, "m").exec(answered)?.[1] ?? "";
  return [...new Set(list.split(":").filter((folder) => folder.startsWith("/")))];
}

/**
 * Where clang looks for installations of gcc, beside those it has found: a newer one that appears is the one it takes. And for
 * files of options.
 */
const placesOfGcc = [
  "/usr/lib",
  "/usr/lib64",
  "/usr/lib/gcc",
  "/usr/lib64/gcc",
  "/usr/lib/gcc-cross",
  "/opt/rh",
];
const placesOfConfiguration = ["/etc/clang", "/etc/llvm", "/etc/env.d/gcc"];

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
    for (const above of ["..", "../.."]) layout.lookAt(`${candidate}/${above}`);
  }
  for (const place of [...placesOfGcc, ...placesOfConfiguration]) layout.lookAt(place);
  const installed = /^InstalledDir: (.*)$/m.exec(said)?.[1];
  const programs = await answer(question, ["-print-search-dirs"]);
  for (const folder of [posix.dirname(question.driver), installed, ...searchList(programs, "programs")]) {
    if (folder === undefined) continue;
    // Their own stat: a file of options may have many names.
    layout.lookAt(folder);
    for (const name of ["../lib", "../lib/gcc", "../lib64/gcc", ...tools]) layout.lookAt(`${folder}/${name}`);
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

/**
 * Both streams: gcc answers `-v` on the second. On a machine without processes or memory to spare a question gets none, and a
 * toolchain without its assembler would be another one, whose jobs fail on the server.
 */
async function answer({ driver, path, place }: Question, args: readonly string[]): Promise<string> {
  const { stdout, stderr, isBroken } = await place.run(driver, args, { PATH: path, LC_ALL: "C" });
  if (isBroken === true)
    throw new HomccError("ERR_HOMCC_TOOLCHAIN", `${driver} does not answer ${args.join(" ")}`);
  return `${stdout.toString("utf8")}${stderr.toString("utf8")}`.trimEnd();
}
