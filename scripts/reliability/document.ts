import { type Figures, type Section, sections } from "../../test/support/reliability.ts";
import type { ReliabilityRow } from "./results.ts";

const begin = "<!-- Made by npm run reliability from docs/reliability.json: do not edit. -->";
const end = "<!-- End of the tables. -->";

interface Table {
  readonly title: string;
  /** Heads of the columns between what was tried and what proves it. */
  readonly columns: readonly string[];
  readonly cells: (figures: Figures) => readonly (string | number | undefined)[];
  /** Whether a last row has the sums. */
  readonly summed: boolean;
}

const tables: Readonly<Record<Section, Table>> = {
  faults: {
    title: "Faults",
    columns: ["tried", "survived", "compiles lost"],
    cells: ({ tried, survived, lostJobs }) => [tried, survived, lostJobs],
    summed: true,
  },
  "malformed inputs": {
    title: "Malformed inputs",
    columns: ["tried", "crashes"],
    cells: ({ tried, crashes }) => [tried, crashes],
    summed: true,
  },
  "hostile requests": {
    title: "Hostile requests",
    columns: ["tried", "refused"],
    cells: ({ tried, refused }) => [tried, refused],
    summed: true,
  },
  load: {
    title: "Load",
    columns: ["held"],
    cells: (figures) => [
      Object.entries(figures)
        .map(([name, figure]) => `${name}: ${group(figure)}`)
        .join(", "),
    ],
    summed: false,
  },
};

/** `document` with the tables of `rows` between its two marks. */
export function renderReliabilityDocument(document: string, rows: readonly ReliabilityRow[]): string {
  const [before, rest] = document.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`no line "${begin}" or "${end}"`);
  const parts = sections.map((section) => {
    const own = rows.filter((row) => row.section === section);
    return own.length === 0 ? "" : renderTable(tables[section], own);
  });
  return `${before}${begin}\n\n${parts.join("")}${end}${after}`;
}

function renderTable(table: Table, rows: readonly ReliabilityRow[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  const head = ["", ...table.columns, "proved by"];
  const body = rows.map(({ name, file, figures }) =>
    line([name, ...table.cells(figures).map((cell) => group(cell ?? "")), `\`${file}\``]),
  );
  const sums = table.columns.map((_, index) =>
    rows.reduce((sum, { figures }) => sum + Number(table.cells(figures)[index]), 0),
  );
  const last = table.summed ? line(["**all**", ...sums.map((sum) => `**${group(sum)}**`), ""]) : "";
  const rule = `|${head.map(() => "---|").join("")}\n`;
  return `### ${table.title}\n\n${line(head).replace("|  |", "| |")}${rule}${body.join("")}${last.replace(/ {2}\|\n$/, " |\n")}\n`;
}

/** `12,345`. */
function group(figure: string | number): string {
  return typeof figure === "string" ? figure : figure.toLocaleString("en-US");
}
