import type { Measurement } from "./check.ts";

const columns = ["project", "server", "compiles", "remote", "identical", "plain", "homcc"] as const;

/** A short table, and below it every call that ran at home and every object that differs. */
export function renderReport(measurements: readonly Measurement[]): string {
  const rows = measurements.map(({ project, server, calls, objects, plainSeconds, homccSeconds }) => [
    project,
    server,
    String(calls.compiles),
    String(calls.remote),
    `${objects.identical} of ${objects.total}`,
    `${plainSeconds.toFixed(1)} s`,
    `${homccSeconds.toFixed(1)} s`,
  ]);
  return [...renderTable([[...columns], ...rows]), ...measurements.flatMap(renderDetails), ""].join("\n");
}

function renderTable(rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function renderDetails({ server, calls, objects }: Measurement): string[] {
  const counted = (counts: ReadonlyMap<string, number>): string[] =>
    [...counts].map(([text, count]) => `${count} ${text}`);
  const others = counted(calls.others);
  return [
    ...(others.length === 0 ? [] : [`  ${server}: besides: ${others.join(", ")}`]),
    ...counted(calls.local).map((text) => `  ${server}: local: ${text}`),
    ...objects.undetermined.map((name) => `  ${server}: differs between plain builds too: ${name}`),
    ...objects.different.map((name) => `  ${server}: DIFFERS: ${name}`),
  ];
}
