import { columns } from "./columns.ts";
import type { ServerAnswer } from "./servers.ts";

const unknown = "-";
const heading = ["HOST", "VERSION", "SLOTS", "ROUND TRIP", "EXECUTORS"];

/** A table of the servers that answered; those that did not have the reason in a line below theirs. */
export function renderServers(answers: readonly ServerAnswer[]): string {
  const [titles = "", ...lines] = columns([heading, ...answers.map(rowOf)]);
  const rows = answers.map((answer, index) => {
    const line = lines[index] ?? "";
    return answer.kind === "failed" ? `${line}\n    ${answer.why}` : line;
  });
  return `${[titles, ...rows].join("\n")}\n`;
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
