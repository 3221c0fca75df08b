import type { Analysis, Compilation } from "@homcc/compiler/compilation";
import type { LoadedSettings } from "@homcc/config/load";
import type { LaunchCall } from "@homcc/launch/call";
import { realpath } from "node:fs/promises";
import type { KnownCompiler } from "./compile.ts";
import type { Conclusion } from "./conclusion.ts";
import { type Discovery, renderExplanation, renderScannedIncludes } from "./explain-print.ts";
import type { Services } from "./services.ts";

/** Answers `--explain` and `--scan-includes`: everything up to the point where a job would leave, and no run. */
export async function explain(
  call: LaunchCall,
  loaded: LoadedSettings,
  analysis: Analysis,
  compiler: KnownCompiler,
  services: Services,
): Promise<Conclusion> {
  const { cwd, compilerPath, environment, options } = call.request;
  const compilations = analysis.verdict === "distribute" ? analysis.compilations : [];
  const discoveries = await Promise.all(
    compilations.map((compilation) => look(compilation, call, compiler, services)),
  );
  let text: string;
  if (options["scan-includes"] === undefined) {
    const toolchain = await services.toolchains.inspect(await realpath(compiler.driver), {
      family: compiler.family,
      path: environment["PATH"] ?? "",
    });
    text = renderExplanation(analysis, { compilerPath, toolchain, discoveries, hosts: loaded.hostLines });
  } else {
    const inputs = discoveries.flatMap((discovery) => (discovery.kind === "found" ? discovery.inputs : []));
    text = renderScannedIncludes(
      cwd,
      compilations.map(({ source }) => source),
      inputs,
    );
  }
  await call.stdout(Buffer.from(text));
  const outcome = analysis.verdict === "local" ? analysis.outcome : "no-compilation";
  return { outcome, detail: "", silent: true, ending: { kind: "exit", status: 0 } };
}

async function look(
  compilation: Compilation,
  call: LaunchCall,
  compiler: KnownCompiler,
  services: Services,
): Promise<Discovery> {
  const { cwd, environment, compilerPath } = call.request;
  const { family } = compiler;
  const found = await services.discovery.discover(compilation, {
    cwd,
    environment,
    compilerPath,
    family,
    signal: call.signal,
  });
  return found.kind === "found"
    ? { kind: "found", inputs: found.entries, absent: found.absent }
    : { kind: "unknown", outcome: found.outcome, detail: found.detail };
}
