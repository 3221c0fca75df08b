import type { Analysis } from "@homcc/compiler/compilation";
import type { LaunchCall } from "@homcc/launch/call";
import type { KnownCompiler } from "./compile.ts";
import type { Conclusion } from "./conclusion.ts";
import { isComplete, renderScanComparison } from "./verify-scan-print.ts";
import type { Services } from "./services.ts";

/** Answers `--verify-scan`: the include scanner's list beside the compiler's own, and no run. */
export async function verifyScan(
  call: LaunchCall,
  analysis: Analysis,
  { family }: KnownCompiler,
  services: Pick<Services, "discovery">,
): Promise<Conclusion> {
  const { cwd, environment, compilerPath } = call.request;
  const context = { cwd, environment, compilerPath, family, signal: call.signal };
  const compilations = analysis.verdict === "distribute" ? analysis.compilations : [];
  const comparisons = await Promise.all(
    compilations.map((compilation) => services.discovery.compare(compilation, context)),
  );
  await call.stdout(Buffer.from(renderScanComparison(analysis, comparisons)));
  const outcome = analysis.verdict === "local" ? analysis.outcome : "no-compilation";
  const status = comparisons.every(isComplete) ? 0 : 1;
  return { outcome, detail: "", silent: true, ending: { kind: "exit", status } };
}
