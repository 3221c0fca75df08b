import { type Figures, type ReliabilityRecord, sections } from "../../test/support/reliability.ts";

/** A row of the tables: all records of one name in one test file. */
export type ReliabilityRow = ReliabilityRecord;

/** Counts of the same name add up; of a load the latest figures count. Order: section, file, name. */
export function rowsOf(records: readonly ReliabilityRecord[]): ReliabilityRow[] {
  const rows = new Map<string, ReliabilityRow>();
  for (const record of records) {
    const key = JSON.stringify([record.section, record.file, record.name]);
    const former = rows.get(key);
    const figures =
      former === undefined || record.section === "load"
        ? record.figures
        : sum(former.figures, record.figures);
    rows.set(key, { ...record, figures });
  }
  return [...rows.values()].sort(
    (left, right) =>
      sections.indexOf(left.section) - sections.indexOf(right.section) ||
      order(left.file, right.file) ||
      order(left.name, right.name),
  );
}

/** The rows of `former` whose files were not run now and still exist, and those of the run. */
export function mergeRows(
  former: readonly ReliabilityRow[],
  records: readonly ReliabilityRecord[],
  { ran, exists }: { readonly ran: ReadonlySet<string>; readonly exists: (file: string) => boolean },
): ReliabilityRow[] {
  return rowsOf([...former.filter(({ file }) => !ran.has(file) && exists(file)), ...records]);
}

export function parseRecords(text: string): ReliabilityRecord[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const record: ReliabilityRecord = JSON.parse(line);
      return record;
    });
}

/** One row a line, so that a changed one is a changed line. */
export function formatRows(rows: readonly ReliabilityRow[]): string {
  return `[\n${rows.map((row) => `  ${JSON.stringify(row)}`).join(",\n")}\n]\n`;
}

export function parseRows(text: string): ReliabilityRow[] {
  const rows: ReliabilityRow[] = JSON.parse(text);
  return rows;
}

function sum(left: Figures, right: Figures): Figures {
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  return Object.fromEntries(names.map((name) => [name, Number(left[name] ?? 0) + Number(right[name] ?? 0)]));
}

/** Not by locale: the same order on every machine. */
function order(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
