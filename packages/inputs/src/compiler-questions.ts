import { runProgram, type ProgramOutput } from "@homcc/compiler/run-program";
import type { DiscoveryContext } from "./include-finder.ts";

/** A translation unit that takes longer to preprocess is not known to exist. */
const timeLimitMs = 300_000;

/** They make gcc and clang write files or print more than was asked for. */
const withheld = new Set([
  "DEPENDENCIES_OUTPUT",
  "SUNPRO_DEPENDENCIES",
  "CC_PRINT_HEADERS",
  "CC_PRINT_OPTIONS",
  "CC_LOG_DIAGNOSTICS",
]);

/** Runs the job's compiler with other arguments, in the job's folder and environment; it answers in English. */
export async function askCompiler(
  args: readonly string[],
  { compilerPath, cwd, environment, signal }: DiscoveryContext,
): Promise<ProgramOutput> {
  const kept = Object.entries(environment).filter(([name]) => !withheld.has(name));
  return runProgram(compilerPath, {
    args,
    cwd,
    environment: { ...Object.fromEntries(kept), LC_ALL: "C" },
    timeLimitMs,
    signal,
  });
}

/** `undefined` for bytes that are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
