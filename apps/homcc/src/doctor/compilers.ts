import { realpath } from "node:fs/promises";
import { hashOf } from "@homcc/cas/digest";
import { describeError } from "@homcc/observability/error";
import { findCompiler, type FoundCompiler } from "../launcher/find-compiler.ts";
import type { Installation } from "../launcher/installation.ts";
import type { Services } from "../services.ts";
import type { Examination } from "./examination.ts";

/** A compiler of this machine that servers are asked to stand in for. */
export interface ExaminedCompiler {
  /** As a build calls it: `g++`. */
  readonly word: string;
  readonly found: FoundCompiler;
  readonly language: "c" | "c++";
}

const words = [
  { word: "gcc", language: "c" },
  { word: "g++", language: "c++" },
  { word: "clang", language: "c" },
  { word: "clang++", language: "c++" },
] as const;

export interface CompilersCall {
  readonly environment: Readonly<Record<string, string>>;
  readonly installation: Installation;
  readonly services: Pick<Services, "compilers" | "toolchains">;
}

/** The compilers of PATH by their usual names, each with what identifies its toolchain. */
export async function examineCompilers(
  call: CompilersCall,
  examination: Examination,
): Promise<ExaminedCompiler[]> {
  examination.section("Compilers of this machine");
  const compilers: ExaminedCompiler[] = [];
  for (const { word, language } of words) {
    try {
      const found = findCompiler(word, call.environment, call.installation.launcherPath);
      if (found === undefined) continue;
      const toolchain = await toolchainOf(found, call);
      if (toolchain === undefined) {
        examination.note(`${word} is ${found.path}, which does not answer like gcc or clang`);
        continue;
      }
      examination.ok(`${word} is ${found.path}: ${toolchain}`);
      compilers.push({ word, found, language });
    } catch (error) {
      examination.problem(
        `${word}: ${describeError(error)}`,
        "reinstall the compiler's packages, or put the real compiler's folder into PATH behind that of homcc's link",
      );
    }
  }
  if (compilers.length === 0)
    examination.problem("PATH has no gcc and no clang", "install a compiler, or add its folder to PATH");
  return compilers;
}

async function toolchainOf(
  found: FoundCompiler,
  { environment, services }: CompilersCall,
): Promise<string | undefined> {
  const compiler = await services.compilers.identify(found.path, environment);
  if (compiler.family === "neither") return undefined;
  const { family } = compiler;
  const path = environment["PATH"] ?? "";
  const toolchain = await services.toolchains.inspect(await realpath(compiler.driver), { family, path });
  return `${toolchain.version}, toolchain ${hashOf(toolchain.digest).slice(0, 12)}`;
}
