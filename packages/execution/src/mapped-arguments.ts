import { posix } from "node:path";
import { HomccError } from "@homcc/observability/error";

/** A command as it runs below a private folder. */
export interface MappedArguments {
  readonly argv: readonly string[];
  /** Outputs that are text with paths in it, by the client's absolute path: they are mapped back. */
  readonly textOutputs: readonly string[];
}

export interface MappedRoot {
  /** The private folder; the client's `/a` is `folder/a`. */
  readonly folder: string;
  /** The client's working folder. */
  readonly cwd: string;
  /** Paths that stay as they are, because the server's own file is meant. */
  isSystem(path: string): boolean;
}

export type MapArguments = (argv: readonly string[], root: MappedRoot) => MappedArguments;

/** Options whose operand is a path: `-I x` and `-Ix`, or with `=` where the name ends so. Longer names first. */
const pathOptions = [
  "--serialize-diagnostics",
  "-include-pch",
  "--sysroot",
  "-idirafter",
  "-iframework",
  "-imacros",
  "-include",
  "-isysroot",
  "-isystem",
  "-iquote",
  "-MF",
  "-I",
  "-F",
  "-o",
];
/** Options whose operand is no path, whatever it looks like. */
const otherOptions = new Set([
  "-Xassembler",
  "-Xclang",
  "-mllvm",
  "-target",
  "-MT",
  "-MQ",
  "-D",
  "-U",
  "-A",
  "-x",
  "-L",
  "-l",
]);
const dependencyWord = /^(-Wp,-MM?D,)(.+)$/;
const operandAfterEquals = /^(-[^=]+=)(\/.*)$/;

/**
 * Rewrites absolute paths of the client to the private folder and adds the prefix map that takes them out of the
 * objects again. Relative paths stay: the working folder is mapped. `-MT` and `-MQ` stay: they are the client's text.
 */
export const mapArguments: MapArguments = (argv, root) => {
  const textOutputs: string[] = [];
  const noteText = (path: string) => textOutputs.push(posix.resolve(root.cwd, path));
  const mapped: string[] = [`-ffile-prefix-map=${root.folder}=`];
  const words = argv.slice(1);
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (otherOptions.has(word)) {
      mapped.push(word, ...words.splice(0, 1));
      continue;
    }
    const option = pathOptions.find((name) => word === name || joins(word, name));
    if (option !== undefined) {
      const separate = word === option;
      const operand = separate ? words.shift() : word.slice(option.length).replace(/^=/, "");
      if (operand === undefined) mapped.push(word);
      else {
        if (option === "-MF") noteText(operand);
        const path = mapPath(operand, root);
        mapped.push(...(separate ? [word, path] : [word.slice(0, word.length - operand.length) + path]));
      }
      continue;
    }
    mapped.push(mapWord(word, root, noteText));
  }
  return { argv: [argv[0] ?? "", ...mapped], textOutputs };
};

/** `-Ifoo` and `--sysroot=/x`, but not `-fopenmp` for `-F` nor `-object` for `-o`, which are other options. */
function joins(word: string, option: string): boolean {
  if (!word.startsWith(option)) return false;
  return (
    option.length === 2 || option === "-MF" || word[option.length] === "/" || word[option.length] === "="
  );
}

function mapWord(word: string, root: MappedRoot, noteText: (path: string) => void): string {
  if (/^-[DUA]/.test(word) || /^-M[TQ]/.test(word)) return word;
  if (!word.startsWith("-")) return mapPath(word, root);
  const dependency = dependencyWord.exec(word);
  if (dependency?.[1] !== undefined && dependency[2] !== undefined) {
    noteText(dependency[2]);
    return dependency[1] + mapPath(dependency[2], root);
  }
  const equals = operandAfterEquals.exec(word);
  return equals?.[1] !== undefined && equals[2] !== undefined ? equals[1] + mapPath(equals[2], root) : word;
}

/** Refuses what would climb out of the private folder: at home `..` ends at `/`. */
export function mapPath(path: string, root: MappedRoot): string {
  const absolute = posix.isAbsolute(path);
  if (absolute && (root.isSystem(posix.normalize(path)) || path === "/dev/null")) return path;
  let depth = absolute ? 0 : namesOf(root.cwd).length;
  for (const name of namesOf(path)) {
    depth += name === ".." ? -1 : 1;
    if (depth < 0) throw new HomccError("ERR_HOMCC_REFUSED", `${path} leads above the root`);
  }
  return absolute ? root.folder + path : path;
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}
