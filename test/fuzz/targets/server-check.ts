import { posix } from "node:path";
import { optionTable } from "@homcc/compiler/option-table";
import { checkAction, driverNames, isInsideNamespaceRoot } from "@homcc/compiler/server-check";
import { commandWords } from "../command-words.ts";
import type { Random } from "../random.ts";
import { type FuzzTarget, must } from "../target.ts";

const programs = [
  "/usr/bin/gcc",
  "/usr/bin/clang",
  "/usr/lib/gcc/x/12/cc1",
  "/usr/bin/as",
  "/usr/bin/objcopy",
];
const folders = ["/home/dev", "/", "/proc", "/proc/self/cwd", "/dev", "/tmp"];
const attacks = [
  "-B/tmp",
  "-fplugin=./x.so",
  "-specs=x",
  "--specs=x",
  "-wrapper",
  "sh,-c",
  "@words",
  "-Wa,@x",
  "-Wp,@x",
  "-Xassembler",
  "@x",
  "-Xclang",
  "-load",
  "-fpass-plugin=x",
  "-I/proc/self",
  "-include",
  "/proc/self/environ",
  "../../proc/1/mem",
  "-o",
  "/dev/sda",
  "/sys/x",
  "/dev/fd/3",
  "--config=x",
  "-ccc-gcc-name",
  "-iplugindir=/x",
  "-mllvm",
  "-load=x",
  "proc/self/mem",
  "-MF",
  "-cc1",
  "-ivfsoverlay",
];

/** `program, folder, words…`, one a line: an action that a client asks for. */
export const serverCheck: FuzzTarget = {
  name: "server-check",
  property:
    "no command that a server takes loads or starts what is not the toolchain's, or names a file of the machine",
  dictionary: [...attacks.map((word) => `\n${word}`), ...optionTable.map(({ name }) => `\n${name}`)],
  generate(random: Random) {
    const words = commandWords(random.pick(["gcc", "clang"] as const), random).slice(1);
    for (let left = random.below(3); left > 0; left--)
      words.splice(random.below(words.length + 1), 0, random.pick(attacks));
    return Buffer.from([random.pick(programs), random.pick(folders), "x", ...words].join("\n"), "latin1");
  },
  check(input) {
    const [program = "", cwd = "", ...argv] = input.toString("latin1").split("\n");
    if (!programs.includes(program) || !cwd.startsWith("/")) return;
    const action = { steps: [{ program, argv }], cwd, environment: {}, outputs: [] };
    const limits = {
      isToolchainProgram: (path: string) => programs.includes(path),
      isInsideRoot: isInsideNamespaceRoot,
    };
    for (const family of ["gcc", "clang"] as const) {
      if (checkAction(action, family, limits) !== undefined) continue;
      const words = argv.slice(1);
      for (const [index, word] of words.entries()) {
        const isLibrary = word === "-load" && isDriver(program, words); // liboad
        must(!loads.test(word) || isOperand(words, index) || isLibrary, `${word} is taken`);
        const path = namedPath(word, words[index - 1] ?? "", isOperand(words, index));
        if (path === undefined || path === "/dev/null") continue;
        must(isInsideNamespaceRoot(posix.resolve(cwd, path)), `${word} is taken, with ${cwd} as its folder`);
      }
    }
  },
};

/** Whatever its spelling, it loads or starts something, or hides other words. */
const loads =
  /^(?:-B.|-fplugin=|-?-specs[=]|-wrapper$|@.|-W[ap],(?:.*,)?@|-fpass-plugin=|-iplugindir=|--config(?:-(?:system|user)-dir)?(?:=|$)|-ccc-|-load$|-plugin$|-add-plugin$)/s;

function isDriver(program: string, words: readonly string[]): boolean {
  return driverNames.test(posix.basename(program)) && words[0]?.startsWith("-cc1") !== true;
}

/** The value of an option that takes any text is no word of its own. */
function isOperand(words: readonly string[], index: number): boolean {
  return takesText.test(words[index - 1] ?? "");
}

const takesText =
  /^(?:-[DUAxGTVbelhuz]|-M[TQ]|-o|-MF|-I|-L|-F|--?include.*|-imacros|-iquote|-isystem.*|-i[dwps].*|-iframework|--[a-z-]+|-aux-info|-framework|-X[a-z]+|-target|-arch|-m[a-z-]+|-cxx-isystem|-stdlib\+\+-isystem|-serialize-diagnostics|-dumpbase.*|-undefined|-rpath|-gcc-toolchain|-c-isystem|-internal.*|-ftrapv-handler|-fdebug-compilation-dir|-fxray.*)$/;

/** What certainly is the name of a file or folder. */
function namedPath(word: string, before: string, isOperand: boolean): string | undefined {
  if (/^-(?:o|MF|I|iquote|isystem|idirafter|include|imacros)$/.test(before)) return word;
  const joined = /^-(?:I|iquote|idirafter|imacros|include)(\/.+)$/s.exec(word)?.[1];
  if (joined !== undefined && !isOperand) return joined;
  return word.startsWith("-") || isOperand || word === "" ? undefined : word;
}
