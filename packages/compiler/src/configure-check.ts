import { basename, resolve } from "node:path";

/** Names of the sources that autoconf and CMake's modules compile to learn about the machine. */
const checkSource =
  /^(?:tmp\.|lib)?(?:conftest|conftst)\w*\.|^(?:CheckIncludeFiles?|CheckFunctionExists|CheckSymbolExists|CheckTypeSize|CheckPrototypeDefinition|CMake(?:C|CXX|OBJC|OBJCXX)Compiler(?:Id|ABI)|testC(?:XX)?Compiler)\./;

/** Folders in which CMake and Meson run their checks. */
const checkFolder =
  /\/(?:CMakeTmp|CMakeScratch|TryCompile-[^/]+|meson-private|CompilerId(?:C|CXX|OBJC|OBJCXX))(?:\/|$)/;

/** Meson's answers for its own cache are compiled in a folder that Python's tempfile has named. */
const temporaryCheck = /\/tmp[a-z0-9_]{8}\/testfile\.\w+$/;

/**
 * Why the command is a check of the machine rather than part of a build. Such checks run at home, where their answer
 * is about, and without a word of ours: their output is read by a script.
 */
export function configureCheck(inputs: readonly string[], cwd: string): string | undefined {
  if (checkFolder.test(cwd)) return cwd;
  return inputs.find((input) => input === "-" || input === "/dev/null" || isCheckFile(input, cwd));
}

/**
 * The same question before anything else is known of the command. Says no where only the meaning of the words could
 * tell (`-`, response files).
 */
export function looksLikeConfigureCheck(argv: readonly string[], cwd: string): boolean {
  if (checkFolder.test(cwd)) return true;
  return argv.slice(1).some((word) => !word.startsWith("-") && isCheckFile(word, cwd));
}

function isCheckFile(path: string, cwd: string): boolean {
  const absolutePath = resolve(cwd, path);
  return (
    checkSource.test(basename(path)) || checkFolder.test(absolutePath) || temporaryCheck.test(absolutePath)
  );
}
