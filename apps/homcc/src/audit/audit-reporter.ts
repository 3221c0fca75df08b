import { join, resolve } from "node:path";
import { type Clock, systemClock } from "@homcc/observability/clock";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { writeBundle } from "./bundle.ts";
import type { AuditVerdict } from "./audit.ts";
import type { Difference } from "./comparison.ts";
import type { Finding, Findings } from "./findings.ts";
import { flagSignature } from "./flag-signature.ts";
import type { Answer, AuditSubject } from "./subject.ts";

/** Remembers what audits found: counts, findings, bundles. */
export class AuditReporter {
  readonly #folder: string;
  readonly #findings: Findings;
  readonly #count: (kind: AuditVerdict["kind"]) => void;
  readonly #logger: Logger;
  readonly #clock: Clock;

  /** `folder` gets the bundles. */
  constructor(
    folder: string,
    findings: Findings,
    count: (kind: AuditVerdict["kind"]) => void,
    logger: Logger,
    clock: Clock = systemClock,
  ) {
    this.#folder = folder;
    this.#findings = findings;
    this.#count = count;
    this.#logger = logger;
    this.#clock = clock;
  }

  count({ kind }: AuditVerdict): void {
    this.#count(kind);
  }

  /** A full disk costs the bundle, not the quarantine. */
  async different(subject: AuditSubject, ours: Answer, differences: readonly Difference[]): Promise<Finding> {
    const { compilation, family, from, action, driver } = subject;
    const bundle = await writeBundle(
      join(this.#folder, "bundles"),
      subject,
      ours,
      differences,
      this.#clock.wallMs(),
    ).catch((error: unknown) => {
      this.#logger.error(`no bundle of the audit of ${compilation.source}: ${describeError(error)}`);
      return "";
    });
    const finding: Finding = {
      atMs: this.#clock.wallMs(),
      host: from.host,
      serverVersion: from.serverVersion,
      signature: flagSignature(compilation, family),
      driver,
      toolchain: action.toolchain,
      source: resolve(action.cwd, compilation.source),
      what: differences[0]?.detail ?? "",
      bundle,
    };
    this.#findings.add(finding);
    return finding;
  }
}
