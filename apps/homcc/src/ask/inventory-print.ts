import type { Inventory } from "@homcc/protocol/messages";
import { columns } from "./columns.ts";
import type { InventoryAnswer } from "./inventory.ts";

/** Lines about what a server can compile with. */
export function inventoryLines(answer: InventoryAnswer): string[] {
  if (answer.kind === "unknown") return [answer.why];
  const { toolchains, profiles, containers, problems, omitted } = answer.inventory;
  const rows = toolchains.map(({ names, version, target }) => [names.join(" "), version, target]);
  return [
    ...(rows.length === 0 ? ["no compilers in homccd's PATH"] : columns(rows)),
    ...sandboxLine("schroot profiles", profiles),
    ...sandboxLine("docker containers", containers),
    ...problems,
    ...(omitted === 0 ? [] : [`and ${omitted} more`]),
  ];
}

function sandboxLine(title: string, sandboxes: Inventory["profiles"]): string[] {
  if (sandboxes.length === 0) return [`${title}: none`];
  const words = sandboxes.map(({ name, problem }) => (problem === undefined ? name : `${name} (${problem})`));
  return [`${title}: ${words.join(", ")}`];
}
