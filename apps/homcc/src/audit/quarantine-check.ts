import { realpathSync } from "node:fs";
import type { Analysis } from "@homcc/compiler/compilation";
import type { LoadedSettings } from "@homcc/config/load";
import { hostIdOf } from "@homcc/scheduler/host";
import type { LaunchRequest } from "@homcc/launch/messages";
import type { KnownCompiler } from "../compile.ts";
import { atHome, type Conclusion } from "../conclusion.ts";
import type { Services } from "../services.ts";
import type { Finding } from "./findings.ts";
import { flagSignature } from "./flag-signature.ts";
import { signatureKey } from "./quarantine.ts";

export type QuarantineAnswer =
  /** As configured, without the servers that get no jobs. */
  | { readonly kind: "free"; readonly loaded: LoadedSettings }
  | { readonly kind: "barred"; readonly conclusion: Conclusion };

/**
 * Keeps a job from where audits found differences. Servers stay connected, because a new version of one ends its quarantine; so
 * does another toolchain here. Costs a stat of 2 µs while nothing was found.
 */
export async function checkQuarantine(
  loaded: LoadedSettings,
  { compilations }: Extract<Analysis, { verdict: "distribute" }>,
  { environment }: Pick<LaunchRequest, "environment">,
  compiler: KnownCompiler,
  { audits: { findings }, servers, toolchains }: Services,
): Promise<QuarantineAnswer> {
  if (findings.all.length === 0) return { kind: "free", loaded };
  const driver = realpathSync.native(compiler.driver);
  const { family } = compiler;
  const toolchain = await toolchains.inspect(driver, { family, path: environment["PATH"] ?? "" });
  findings.noteToolchain(driver, toolchain.digest);
  for (const [host, version] of servers.versionsOf(loaded)) findings.noteServer(host, version);
  const quarantine = findings.quarantine;
  for (const compilation of compilations) {
    const found = quarantine.signatures.get(
      signatureKey(flagSignature(compilation, family).id, toolchain.digest),
    );
    if (found !== undefined) return barred("flags-quarantined", found);
  }
  const hosts = loaded.hosts.map((host) =>
    quarantine.servers.has(hostIdOf(host)) ? { ...host, limit: 0 } : host,
  );
  if (hosts.some(({ limit }) => limit > 0)) return { kind: "free", loaded: { ...loaded, hosts } };
  const found = loaded.hosts.flatMap((host) => quarantine.servers.get(hostIdOf(host)) ?? []);
  return found.length === 0 ? { kind: "free", loaded } : barred("server-quarantined", found);
}

function barred(
  outcome: "flags-quarantined" | "server-quarantined",
  found: readonly Finding[],
): QuarantineAnswer {
  const what = outcome === "flags-quarantined" ? found[0]?.signature.text : found[0]?.host;
  return { kind: "barred", conclusion: atHome(outcome, what ?? "") };
}
