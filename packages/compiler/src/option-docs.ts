import { environmentTable } from "./environment.ts";
import { type MappedVerdict, type OptionRow, spell } from "./option-row.ts";
import { optionTable } from "./option-table.ts";

/** docs/compiler-options.md: what homcc does with each option and variable, and why. */
export function renderOptionTable(): string {
  return [
    "# Compiler options",
    "",
    "What homcc does with each option of gcc and clang. Generated from `packages/compiler/src/option-table.ts` and",
    "`environment.ts` by `renderOptionTable()`; its test compares it, and writes it when HOMCC_UPDATE_DOCS=1 is set.",
    "",
    "**sent**: the command goes to a server as it is · **+ input**, **+ output**: a further file travels with it · **replayed**: the",
    "driver is asked here what it would run, and that is run on the server · **linker**: only linking, at home, reads it · **home**: the",
    "whole command runs here. *mapped* is a server that has no namespaces and gives a job another folder: options",
    "marked *home* there are sent only to servers with namespaces.",
    "",
    "An unknown option that begins with `-f`, `-m`, `-W`, `-O` or `-g` is sent; with any other the command runs at home.",
    "",
    "## Of the driver",
    "",
    ...table(optionTable.filter((row) => row.readers.includes("driver"))),
    "",
    "## Behind `-Wp,` and `-Xpreprocessor`",
    "",
    ...table(optionTable.filter((row) => row.readers.includes("preprocessor"))),
    "",
    "## Behind `-Wa,` and `-Xassembler`",
    "",
    "A word without a dash is a further source of the assembler: an input.",
    "",
    ...table(optionTable.filter((row) => row.readers.includes("assembler"))),
    "",
    "## Behind `-Xclang`",
    "",
    ...table(optionTable.filter((row) => row.readers.includes("cc1"))),
    "",
    "## Behind `-mllvm`",
    "",
    ...table(optionTable.filter((row) => row.readers.includes("llvm"))),
    "",
    "## Environment variables",
    "",
    "All others stay at home and change nothing.",
    "",
    "| variable | verdict | because |",
    "|---|---|---|",
    ...environmentTable.map(
      (row) => `| \`${row.name}\` | ${row.verdict === "sent" ? "sent" : "home"} | ${row.reason} |`,
    ),
    "",
  ].join("\n");
}

function table(rows: readonly OptionRow[]): string[] {
  return [
    "| option | compiler | verdict | mapped | because |",
    "|---|---|---|---|---|",
    ...rows.map(
      (row) =>
        `| \`${spell(row)}\` | ${row.families.join(", ")} | ${verdicts[row.meaning.class]} | ${mapped(row)} | ${row.reason} |`,
    ),
  ];
}

const verdicts: Readonly<Record<OptionRow["meaning"]["class"], string>> = {
  send: "sent",
  report: "sent",
  action: "sent",
  language: "sent",
  output: "sent",
  macro: "sent",
  "include-folder": "sent",
  "include-prefix": "sent",
  "prefixed-include-folder": "sent",
  "system-root": "sent",
  "dependency-detail": "sent",
  "end-of-options": "sent",
  "forced-include": "+ input",
  "extra-input": "+ input",
  "extra-output": "+ output",
  "derived-output": "+ output",
  dependency: "+ output",
  "dependency-file": "+ output",
  replay: "replayed",
  linker: "linker",
  wrapped: "by its words",
  query: "home",
  local: "home",
};

function mapped(row: OptionRow): string {
  const verdicts: Readonly<Record<MappedVerdict, string>> = {
    send: "",
    local: "home",
    "local-with-absolute-output": "home if -o is absolute",
  };
  return row.meaning.class === "local" || row.meaning.class === "query" ? "" : verdicts[row.mapped];
}
