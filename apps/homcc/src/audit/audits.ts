import { realpathSync } from "node:fs";
import { join } from "node:path";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import type { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import type { FileDigests } from "@homcc/inputs/file-digests";
import type { Logger } from "@homcc/observability/log";
import type { AuditTools, AuditVerdict } from "./audit.ts";
import { AuditReporter } from "./audit-reporter.ts";
import { Auditor, type AuditorOptions } from "./auditor.ts";
import { Candidates } from "./candidates.ts";
import { Findings } from "./findings.ts";
import { type LocalRunPlace, runApart, runInPlace } from "./local-run.ts";

export interface AuditsOptions {
  /** Of the agent; what audits leave lies below it. */
  readonly folder: string;
  /** Where dist/local-run.mjs is. */
  readonly programFolder: string;
  readonly digests: FileDigests;
  readonly toolchains: Pick<ToolchainInspector, "inspect">;
  readonly count: (kind: AuditVerdict["kind"]) => void;
  readonly logger: Logger;
}

/** Where audits leave what they found: `findings.json`, `bundles`, and what agents need meanwhile. */
export function auditFolder(agentFolder: string): string {
  return join(agentFolder, "audit");
}

export function findingsOf(agentFolder: string, logger: Logger): Findings {
  return new Findings(join(auditFolder(agentFolder), "findings.json"), logger);
}

/** The parts of the self-audit, put together. */
export class Audits {
  readonly findings: Findings;
  readonly reporter: AuditReporter;
  /** Compile where the call was made. */
  readonly inPlace: AuditTools;
  readonly #apart: AuditTools;
  readonly #candidates: Candidates;
  readonly #logger: Logger;

  constructor({ folder, programFolder, digests, toolchains, count, logger }: AuditsOptions) {
    this.#logger = logger;
    this.findings = findingsOf(folder, logger);
    this.reporter = new AuditReporter(auditFolder(folder), this.findings, count, logger);
    this.#candidates = new Candidates(join(auditFolder(folder), "work"));
    const place: LocalRunPlace = {
      nodePath: process.execPath,
      programPath: join(programFolder, "local-run.mjs"),
      folder: this.#candidates.ownFolder,
    };
    const toolchainOf: AuditTools["toolchainOf"] = async ({ driver, family, environment }) =>
      await toolchainNow(driver, family, environment["PATH"] ?? "", toolchains);
    this.inPlace = { run: (subject, signal) => runInPlace(subject, place, signal), digests, toolchainOf };
    this.#apart = {
      run: (subject, signal) => runApart(subject, place, digests, signal),
      digests,
      toolchainOf,
    };
  }

  /** For a process that lives long enough to be idle. */
  createAuditor(options: Pick<AuditorOptions, "whyBusy" | "timers" | "random">): Auditor {
    const { reporter } = this;
    return new Auditor({
      ...options,
      candidates: this.#candidates,
      tools: this.#apart,
      reporter,
      logger: this.#logger,
    });
  }
}

async function toolchainNow(
  driver: string,
  family: CompilerFamily,
  path: string,
  toolchains: Pick<ToolchainInspector, "inspect">,
): Promise<string> {
  return (await toolchains.inspect(realpathSync.native(driver), { family, path })).digest;
}
