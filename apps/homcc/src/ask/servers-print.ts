import { columns } from "./columns.ts";
import { inventoryLines } from "./inventory-print.ts";
import type { ServerAnswer } from "./servers.ts";

const unknown = "-";
const heading = ["HOST", "VERSION", "SLOTS", "ROUND TRIP", "EXECUTORS"];

/** A table of the servers; below each what it can compile with, or why that is not known. */
export function renderServers(answers: readonly ServerAnswer[]): string {
  const [titles = "", ...lines] = columns([heading, ...answers.map(rowOf)]);
  const rows = answers.map((answer, index) => {
    const below = linesBelow(answer).map((text) => `\n    ${text}`);
    return `${lines[index] ?? ""}${below.join("")}`;
  });
  return `${[titles, ...rows].join("\n")}\n`;
}

function linesBelow(answer: ServerAnswer): readonly string[] {
  switch (answer.kind) {
    case "welcome":
      return inventoryLines(answer.inventory);
    case "v1":
      return [
        "homcc 1.x tells no slots, toolchains, profiles or containers: only a compile shows what it has",
      ];
    case "failed":
      return [answer.why];
  }
}

function rowOf(answer: ServerAnswer): string[] {
  switch (answer.kind) {
    case "welcome": {
      const { welcome, roundTripMs } = answer;
      const roundTrip = roundTripMs === undefined ? unknown : `${roundTripMs.toFixed(1)} ms`;
      return [
        answer.text,
        welcome.server,
        String(welcome.slots),
        roundTrip,
        welcome.executors.join(" ") || unknown,
      ];
    }
    case "v1":
      return [answer.text, "homcc 1.x", unknown, unknown, unknown];
    case "failed":
      return [answer.text, "no answer", unknown, unknown, unknown];
  }
}
