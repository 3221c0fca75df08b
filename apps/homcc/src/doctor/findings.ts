import { alarmsOf } from "../audit/alarms.ts";
import type { Finding } from "../audit/findings.ts";
import type { Examination } from "./examination.ts";

/** What audits found, and where everything about it lies. */
export function examineFindings(findings: readonly Finding[], examination: Examination): void {
  if (findings.length === 0) return;
  examination.section("Self-audit");
  const bundle = findings.at(-1)?.bundle ?? "";
  const place = bundle === "" ? "what `homcc audit` prints" : bundle;
  for (const alarm of alarmsOf(findings))
    examination.problem(
      alarm,
      `please report it with ${place}; \`homcc audit --clear\` once the server is repaired or replaced`,
    );
}
