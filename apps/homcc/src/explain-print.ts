/** The texts of `--explain` and `--scan-includes`; the agent finds out what they say. */
import type { InputEntry } from "@homcc/cas/action";
import type { Analysis, Compilation } from "@homcc/compiler/compilation";
import type { Toolchain } from "@homcc/compiler/toolchain";
import { type Outcome, outcomes, type OutcomeName } from "@homcc/observability/outcomes";
import { join, normalize } from "node:path";

/** What is known about a command besides its analysis. */
export interface Findings {
  /** Absolute path of the compiler that would run. */
  readonly compilerPath: string;
  readonly toolchain?: Pick<Toolchain, "family" | "version" | "driver" | "digest">;
  /** One per compilation, in the order of the analysis; a missing one was not looked for. */
  readonly discoveries?: readonly (Discovery | undefined)[];
  /** Hosts that could take it, as configured. */
  readonly hosts?: readonly string[];
}

/** Inputs of one compilation, or why they are not known. */
export type Discovery =
  | { readonly kind: "found"; readonly inputs: readonly InputEntry[]; readonly absent: readonly string[] }
  | { readonly kind: "unknown"; readonly outcome: OutcomeName; readonly detail: string };

/** Text of `--explain`: verdict, reason, inputs, outputs. */
export function renderExplanation(analysis: Analysis, findings: Findings): string {
  return [
    row("compiler", findings.compilerPath),
    ...toolchainRows(findings.toolchain),
    ...(analysis.verdict === "local" ? localRows(analysis) : remoteRows(analysis, findings)),
  ]
    .map((line) => `${line}\n`)
    .join("");
}

function toolchainRows(toolchain: Findings["toolchain"]): string[] {
  if (toolchain === undefined) return [];
  return [row("version", `${toolchain.version} (${toolchain.family})`), row("toolchain", toolchain.digest)];
}

export function localRows(analysis: Extract<Analysis, { verdict: "local" }>): string[] {
  const rows = [row("verdict", "local"), reasonRow(analysis.outcome, analysis.detail)];
  if (analysis.linkOutput !== undefined) rows.push(row("links", analysis.linkOutput));
  return rows;
}

function remoteRows(analysis: Extract<Analysis, { verdict: "distribute" }>, findings: Findings): string[] {
  const discoveries = findings.discoveries ?? [];
  const unknown = discoveries.find((discovery) => discovery?.kind === "unknown");
  const rows =
    unknown?.kind === "unknown"
      ? [row("verdict", "local"), reasonRow(unknown.outcome, unknown.detail)]
      : [row("verdict", "remote"), row("hosts", findings.hosts?.join(" ") ?? "")];
  analysis.compilations.forEach((compilation, index) => {
    rows.push(...compilationRows(compilation, discoveries[index]));
  });
  if (analysis.link !== undefined) rows.push("", row("links", `${analysis.link.output}, at home`));
  return rows.filter((line, index) => line !== "" || index > 0);
}

function compilationRows(compilation: Compilation, discovery: Discovery | undefined): string[] {
  const rows = ["", row("source", `${compilation.source} (${compilation.language})`)];
  if (compilation.replay)
    rows.push(row("runs", "the programs that the compiler's -### names, in place of the compiler"));
  if (compilation.mappedVeto !== undefined)
    rows.push(row("needs", `a server with namespaces: ${compilation.mappedVeto}`));
  if (discovery?.kind === "found") {
    rows.push(
      ...listRows("inputs", discovery.inputs.map(describeInput)),
      ...listRows("absent", discovery.absent),
    );
  }
  return [...rows, ...listRows("outputs", compilation.outputs)];
}

function describeInput(entry: InputEntry): string {
  if (entry.kind === "symlink") return `${entry.path} -> ${entry.target}`;
  return entry.kind === "directory" ? `${entry.path}/` : entry.path;
}

function reasonRow(outcome: OutcomeName, detail: string): string {
  const { number, label }: Outcome = outcomes[outcome];
  return row("reason", `${label}${detail === "" ? "" : `: ${detail}`} (outcome ${number})`);
}

export function listRows(title: string, entries: readonly string[]): string[] {
  if (entries.length === 0) return [row(title, "none")];
  return entries.map((entry, index) => row(index === 0 ? title : "", entry));
}

export function row(title: string, text: string): string {
  return `${title.padEnd(10)} ${text}`;
}

/** Folders that `--scan-includes` leaves out, as in homcc 1.x, which never sent what lies there. */
const systemFolders = ["/usr/include/", "/usr/lib/"];

/** Text of `--scan-includes`: the files besides the sources, sorted, one absolute path a line, each once. */
export function renderScannedIncludes(
  cwd: string,
  sources: readonly string[],
  inputs: readonly InputEntry[],
): string {
  const sourcePaths = new Set(
    sources.map((source) => (source.startsWith("/") ? normalize(source) : join(cwd, source))),
  );
  const paths = inputs
    .filter(({ kind, path }) => kind === "file" && !sourcePaths.has(path))
    .map(({ path }) => path)
    .filter((path) => !systemFolders.some((folder) => path.startsWith(folder)));
  return [...new Set(paths)]
    .sort()
    .map((path) => `${path}\n`)
    .join("");
}
