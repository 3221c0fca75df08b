import { basename, resolve } from "node:path";

/** Names of the sources that autoconf and CMake's modules compile to learn about the machine. */
const checkSource =
  /^(?:tmp\.)?conftest\.|^(?:CheckIncludeFiles?|CheckFunctionExists|CheckSymbolExists|CheckTypeSize|CheckPrototypeDefinition|CMake(?:C|CXX|OBJC|OBJCXX)Compiler(?:Id|ABI)|testC(?:XX)?Compiler)\./;

/** Folders in which CMake and Meson run their checks. */
const checkFolder =
  /\/(?:CMakeTmp|CMakeScratch|TryCompile-[^/]+|meson-private|CompilerId(?:C|CXX|OBJC|OBJCXX))(?:\/|$)/;

/**
 * Why the command is a check of the machine rather than part of a build. Such checks run at home, where their answer
 * is about, and without a word of ours: their output is read by a script.
 */
export function configureCheck(inputs: readonly string[], cwd: string): string | undefined {
  if (checkFolder.test(cwd)) return cwd;
  return inputs.find(
    (input) =>
      input === "-" ||
      input === "/dev/null" ||
      checkSource.test(basename(input)) ||
      checkFolder.test(resolve(cwd, input)),
  );
}
