import { realpathSync } from "node:fs";
import type { Compilation } from "@homcc/compiler/compilation";
import type { LaunchRequest } from "@homcc/launch/messages";
import type { KnownCompiler } from "../compile.ts";
import type { RemoteCompilation } from "../remote/remote-compilation.ts";
import type { Services } from "../services.ts";
import type { AuditSubject } from "./subject.ts";

type FinalResult = Extract<RemoteCompilation, { kind: "final" }>;

/** A server of homcc 1.x maps paths in ways that show, and the agent makes its dependency files itself. */
const incomparable = "homcc 1.x";

/**
 * What an audit of this result takes. `undefined` where it could not tell right from wrong: compilers of sandboxes and of homcc
 * 1.x, wrappers (a compiler cache would answer), and commands that wrote what the analysis does not know of.
 */
export function auditSubject(
  result: FinalResult,
  compilation: Compilation,
  { compilerPath, environment }: Pick<LaunchRequest, "compilerPath" | "environment">,
  compiler: KnownCompiler,
  { servers }: Pick<Services, "servers">,
): AuditSubject | undefined {
  const { action, cost, undeclared, origin, status, stdout, stderr, produced } = result;
  if (action.sandbox !== undefined || compiler.wrapper || cost.executor === incomparable) return undefined;
  if (undeclared.length > 0) return undefined;
  return {
    action,
    compilation,
    family: compiler.family,
    compilerPath,
    driver: realpathSync.native(compiler.driver),
    compilerVersion: compiler.version,
    environment,
    answer: { status, stdout, stderr, produced, undeclared },
    from: { host: cost.host, serverVersion: servers.versionOf(cost.host), origin, executor: cost.executor },
  };
}
