import { silentLogger } from "@homcc/observability/log";
import { agentFolder } from "../agent-folder.ts";
import { findingsOf } from "../audit/audits.ts";
import type { Finding } from "../audit/findings.ts";
import { type Quarantine, quarantineOf } from "../audit/quarantine.ts";
import type { Shown } from "../show.ts";
import { columns } from "./columns.ts";

/** `homcc audit`: what audits found and what gets no jobs for it; with `clear` all of it is forgotten. Needs no agent: both have one file. */
export function showAudits(
  { json, clear }: { readonly json: boolean; readonly clear: boolean },
  environment: Readonly<Record<string, string>>,
): Shown {
  const findings = findingsOf(agentFolder(environment), silentLogger);
  const found = findings.all;
  if (clear) findings.clear();
  const stdout = json ? `${JSON.stringify(found, undefined, 2)}\n` : renderFindings(found, clear);
  return { status: !clear && found.length > 0 ? 1 : 0, stdout, stderr: "" };
}

function renderFindings(found: readonly Finding[], clear: boolean): string {
  if (found.length === 0) return "No audit found a difference.\n";
  const lines = [...found.flatMap(findingLines), ...quarantineLines(quarantineOf(found))];
  lines.push(
    clear
      ? "All of this is forgotten; the bundles stay."
      : "What to do: compile anew what came from there, and report it with the bundle. 'homcc audit --clear' ends the quarantine.",
  );
  return `${lines.join("\n")}\n`;
}

function findingLines({ atMs, source, host, serverVersion, signature, what, bundle }: Finding): string[] {
  return [
    ...columns([
      ["Source", source],
      ["Found", new Date(atMs).toISOString()],
      ["Server", serverVersion === undefined ? host : `${host}, ${serverVersion}`],
      ["Flags", signature.text],
      ["Differs", what],
      ["Bundle", bundle === "" ? "-" : bundle],
    ]),
    "",
  ];
}

/** What gets no jobs, one line each. */
export function quarantineLines({ servers, signatures }: Quarantine): string[] {
  return [
    ...[...servers.keys()].map((host) => `Quarantined: server ${host}`),
    ...[...signatures.values()].map((found) => `Quarantined: flags '${found[0]?.signature.text ?? ""}'`),
  ];
}
