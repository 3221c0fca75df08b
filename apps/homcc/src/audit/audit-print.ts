import { relative } from "node:path";
import { listRows, row } from "../explain-print.ts";
import type { AuditVerdict } from "./audit.ts";
import type { AuditSubject } from "./subject.ts";

/** Text of `--audit` for one source. `bundle`: where everything about a difference lies. */
export function renderAudit(subject: AuditSubject, verdict: AuditVerdict, bundle: string): string {
  const { compilation, from, action, answer } = subject;
  const rows = [
    row("source", `${compilation.source} (${compilation.language})`),
    row("server", `${from.host}${from.serverVersion === undefined ? "" : `, ${from.serverVersion}`}`),
  ];
  switch (verdict.kind) {
    case "identical": {
      const files = answer.produced.map(({ path }) => shown(path, action.cwd));
      const what = [...files, "messages", `exit status ${answer.status ?? "?"}`].join(", ");
      rows.push(row("verdict", `identical: ${what}`));
      if (verdict.varying.length > 0)
        rows.push(...listRows("but for", verdict.varying), row("", "(two compiles here differ in that)"));
      break;
    }
    case "different":
      rows.push(row("verdict", "DIFFERENT"));
      rows.push(
        ...listRows(
          "differs",
          verdict.differences.map(({ detail }) => detail),
        ),
      );
      rows.push(row("bundle", bundle === "" ? "none could be written" : bundle));
      break;
    case "void":
      rows.push(row("verdict", `not compared: ${verdict.why}`));
      break;
    case "impossible":
      rows.push(row("verdict", `not compared: ${verdict.why}`));
      break;
  }
  return rows.map((line) => `${line}\n`).join("");
}

function shown(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short.startsWith("..") ? path : short;
}

export function renderNothingToAudit(why: string): string {
  return `${row("verdict", `not compared: ${why}`)}\n`;
}
