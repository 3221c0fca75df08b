import type { PoolLine } from "@homcc/config/hosts";
import type { Services } from "../services.ts";
import type { Examination } from "./examination.ts";

/** What DNS says of each pool that is configured. */
export function examinePools(
  lines: readonly PoolLine[],
  pools: Pick<Services["pools"], "status">,
  examination: Examination,
): void {
  for (const line of lines) {
    examination.section(`Pool srv:${line.name} (${line.source})`);
    const [status] = pools.status([line.name]);
    if (status === undefined) continue;
    const { members, problem, answeredAt } = status;
    if (problem !== undefined) {
      const last = members.length === 0 ? "" : `; the answer of ${answeredAt ?? "?"} still counts`;
      examination.problem(
        `${line.name}: ${problem}${last}`,
        `\`dig SRV ${line.name}\` asks the same; a name of a VPN is known while the VPN is up; check the spelling at ${line.source}`,
      );
    } else if (members.length === 0) {
      examination.problem(
        `${line.name}: DNS says that there is no such service`,
        "whoever runs the servers has taken all of them out of DNS",
      );
    }
    if (members.length > 0) examination.ok(`${members.length} servers: ${members.join(", ")}`);
  }
}
