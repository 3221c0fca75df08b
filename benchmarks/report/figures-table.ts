import { type Goal, goals } from "../figures/goals.ts";
import type { Results } from "../results.ts";

/** What homcc promised, what it must be and what was measured; a row that this run has not measured has a dash. */
export function renderFigures(results: Results): string {
  return [
    "| | measured | must | aim | |",
    "|---|---|---|---|---|",
    ...goals.map((goal) => {
      const value = goal.measured(results);
      const cells = [goal.what, value === undefined ? "–" : shown(value, goal), shown(goal.must, goal)];
      return `| ${[...cells, shown(goal.aim, goal), value === undefined ? "" : verdict(value, goal)].join(" | ")} |`;
    }),
  ].join("\n");
}

function verdict(value: number, { must, aim }: Goal): string {
  if (value <= aim) return "aim";
  return value <= must ? "must" : "missed";
}

function shown(value: number, { unit }: Goal): string {
  return `${Number(value >= 100 ? value.toFixed(0) : value.toPrecision(3))} ${unit}`;
}
