import { RefusedByServer } from "../refusal.ts";
import type { Standing } from "./toolchain-shipments.ts";

/** Why a job does not go to a server that lacks its toolchain. */
export function notThere(standing: Exclude<Standing, { kind: "ready" }>): RefusedByServer {
  return standing.kind === "under-way"
    ? new RefusedByServer({ reason: "toolchain-missing", message: standing.detail })
    : new RefusedByServer({ reason: "toolchain-differs", ...standing.refused });
}

/** The server would take it; who asks is no agent, and ends before it could be sent. */
export function notSent({ refused }: RefusedByServer): RefusedByServer {
  return new RefusedByServer({
    ...refused,
    hint: "the server takes the client's: the first job through the agent begins to send it",
  });
}
