import { optionTable } from "@homcc/compiler/option-table";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import type { OptionRow } from "@homcc/compiler/option-row";
import type { Random } from "./random.ts";

/** Files that commands name; what is in them: `command-folder.ts`. */
export const sources: readonly string[] = [
  "a.c",
  "b.cc",
  "sub/c.cpp",
  "p.i",
  "q.ii",
  "two words.c",
  "dots.in.name.c",
  "d.m",
];
export const otherFiles: readonly string[] = [
  "list.txt",
  "force.h",
  "sub/force2.h",
  "f.s",
  "obj.o",
  "inc/x.h",
];
const folders = [
  "inc",
  "sub",
  ".",
  "nowhere",
  "inc/../sub",
  "/usr/include",
  "/proc/self/cwd/inc",
  "=inc",
  "",
  "/dev/fd",
];
const outputs = [
  "a.o",
  "out",
  "sub/o.o",
  "sub/x.y.z",
  ".hidden.o",
  "sub/.h",
  "a.c",
  "sub",
  "nowhere/a.o",
  "-",
  "/dev/null",
  "a.d",
  "no.ext/o",
];
const texts = [
  "",
  "1",
  "c",
  "c++",
  "none",
  "cpp-output",
  "c++17",
  "gnu11",
  "X=1",
  "x,y",
  "native",
  "a=b",
  "4",
  "-c",
  "x86-64",
  "yaml",
];
const separators = ["\n", " ", "  ", "\t", "\r\n"];

/** Words of a command, which often make sense; half of the options with values that their kind of operand has. */
export function commandWords(family: CompilerFamily, random: Random): string[] {
  const rows = optionTable.filter((row) => row.families.includes(family) && row.readers.includes("driver"));
  const frequent = rows.filter((row) => row.meaning.class !== "local" && row.meaning.class !== "query");
  const driver = family === "gcc" ? random.pick(["gcc", "g++"]) : random.pick(["clang", "clang++"]);
  const parts: string[][] = [
    ...random.many(1, random.chance(0.1) ? 3 : 1, () => [random.pick(sources)]),
    ...(random.chance(0.9) ? [[random.pick(["-c", "-c", "-c", "-S", "-fsyntax-only", "--compile"])]] : []),
    ...(random.chance(0.6) ? [["-o", random.pick(outputs)]] : []),
    ...random.many(0, 5, () => spelledOut(random.pick(random.chance(0.95) ? frequent : rows), random)),
    ...random.many(0, 2, () => random.pick(pairsOfInterest)),
  ];
  shuffle(parts, random);
  if (random.chance(0.15)) hideInFile(parts, random);
  return [driver, ...parts.flat()];
}

/** Options that only mean something together, or that drivers read in ways of their own. */
const pairsOfInterest: readonly string[][] = [
  ["-MD"],
  ["-MMD", "-MF", "deps"],
  ["-MD", "-MT", "x"],
  ["-Wp,-MD,w.d"],
  ["-Wp,-MMD,w.d"],
  ["-Wp,-D,X"],
  ["-Xclang", "-include", "-Xclang", "force.h"],
  ["-x", "c++"],
  ["-xc"],
  ["-x", "none"],
  ["-gsplit-dwarf"],
  ["-fstack-usage"],
  ["--coverage"],
  ["-include", "force.h"],
  ["-imacros", "sub/force2.h"],
  ["-Wa,-L,f.s"],
  ["-Wa,-al=list"],
  ["-iprefix", "su", "-iwithprefix", "b"],
  ["--sysroot=inc", "-I=/x"],
  ["--"],
  ["-Iinc"],
  ["-isysteminc"],
  ["-save-temps"],
  ["-g1", "-g0"],
  ["-fno-stack-usage"],
  ["-flto"],
  ["-ffat-lto-objects"],
];

function spelledOut(row: OptionRow, random: Random): string[] {
  const { name, spelling } = row;
  const operand = operandOf(row, random);
  switch (spelling) {
    case "flag":
      return [name];
    case "joined":
    case "comma":
      return [`${name}${operand}`];
    case "separate":
      return [name, operand];
    case "both":
      return random.chance(0.5) ? [name, operand] : [`${name}${operand}`];
    case "equals":
      return [`${name}=${operand}`];
    case "optional":
      return [random.chance(0.5) ? name : `${name}=${operand}`];
    case "either":
      return random.chance(0.5) ? [name, operand] : [`${name}=${operand}`];
    case "joined-and-separate":
      return [`${name}x`, operand];
  }
}

function operandOf({ operand }: OptionRow, random: Random): string {
  if (random.chance(0.03)) return random.pick(texts);
  switch (operand) {
    case "none":
      return "";
    case "file":
      return random.pick(otherFiles);
    case "folder":
      return random.pick(folders);
    case "output":
      return random.pick(outputs);
    case "option":
      return random.pick([
        "-D",
        "X",
        "-I",
        "inc",
        "-MD",
        "w.d",
        "--noexecstack",
        "-g",
        "-include",
        "force.h",
      ]);
    case "text":
      return random.pick(texts);
  }
}

function shuffle(parts: string[][], random: Random): void {
  for (let at = parts.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    [parts[at], parts[other]] = [parts[other] ?? [], parts[at] ?? []];
  }
}

/** Some neighbours go into a file of options: a word `@=TEXT` stands for `@FILE` with that text in it. */
function hideInFile(parts: string[][], random: Random): void {
  const from = random.below(parts.length);
  const hidden = parts.splice(from, random.from(1, 3)).flat();
  const text = hidden.map((word) => quoted(word, random)).join(random.pick(separators));
  parts.splice(from, 0, [`@=${text.replaceAll("\n", "\v")}`]);
}

function quoted(word: string, random: Random): string {
  const style = random.below(4);
  if (word === "" || style === 0) return `"${word.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  if (style === 1 && !word.includes("'")) return `'${word}'`;
  return word.replaceAll(/[\s"'\\]/g, String.raw`\$&`);
}
