import { describeError, HomccError } from "@homcc/observability/error";
import type { RefusalReason, RefusedMessage } from "@homcc/protocol/messages";

/** Why this server does not run a job, in the words of the protocol. */
export class Refusal extends Error {
  readonly refused: Omit<RefusedMessage, "kind">;

  constructor(refused: Omit<RefusedMessage, "kind">) {
    super(refused.message);
    this.refused = refused;
  }
}

/** Nothing is wrong with the job: another server has it, or this one when it is back. */
export const shuttingDown: Omit<RefusedMessage, "kind"> = {
  reason: "shutting-down",
  message: "homccd begins no more jobs: it is about to end",
};

export function refusalOf(error: unknown): Omit<RefusedMessage, "kind"> {
  if (error instanceof Refusal) return error.refused;
  return { reason: reasonOf(error), message: describeError(error) };
}

function reasonOf(error: unknown): RefusalReason {
  if (!(error instanceof HomccError)) return "executor-failed";
  switch (error.code) {
    case "ERR_HOMCC_REFUSED":
      return "refused";
    case "ERR_HOMCC_UNAVAILABLE":
      return "limited";
    case "ERR_HOMCC_STORE_FULL":
      return "server-full";
    case "ERR_HOMCC_TOOLCHAIN":
      return "toolchain-differs";
    case "ERR_HOMCC_SANDBOX":
      return "sandbox-unavailable";
    default:
      return "executor-failed";
  }
}
