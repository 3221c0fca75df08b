import { hashOf } from "@homcc/cas/digest";
import { HomccError } from "@homcc/observability/error";
import type { OutcomeName } from "@homcc/observability/outcomes";
import type { RefusalReason, RefusedMessage } from "@homcc/protocol/messages";

const outcomeOf: Readonly<Record<RefusalReason, OutcomeName>> = {
  "toolchain-differs": "toolchain-differs",
  "toolchain-missing": "toolchain-under-way",
  refused: "refused",
  "server-full": "server-full",
  "mapped-unsupported": "mapped-unsupported",
  "sandbox-unavailable": "sandbox-unavailable",
  limited: "remote-limit",
  "bad-job": "refused",
  "input-changed": "input-changed",
  "executor-failed": "refused",
  "shutting-down": "no-server",
};

type Refused = Pick<RefusedMessage, "reason" | "message" | "hint" | "identities">;

/** The server does not run this job; another one may. */
export class RefusedByServer extends HomccError {
  readonly outcome: OutcomeName;
  /** It begins no more jobs on this connection: nothing is wrong with this one. */
  readonly isLeaving: boolean;
  readonly refused: Refused;

  constructor(refused: Refused) {
    const { identities } = refused;
    const both =
      identities === undefined
        ? ""
        : `; here ${identityText(identities.client)}, there ${identityText(identities.server)}`;
    super(
      "ERR_HOMCC_REFUSED",
      `${refused.message}${both}`,
      refused.hint === undefined ? {} : { hint: refused.hint },
    );
    this.isLeaving = refused.reason === "shutting-down";
    this.outcome = outcomeOf[refused.reason];
    this.refused = refused;
  }
}

export type Identity = NonNullable<RefusedMessage["identities"]>["client"];

export function identityText({ version, digest }: Identity): string {
  return digest === undefined ? version : `${version} (${hashOf(digest).slice(0, 12)})`;
}
