import type { HomccError } from "@homcc/observability/error";
import { answersSurveys, type Welcome } from "@homcc/protocol/hello";
import type { Inventory } from "@homcc/protocol/messages";
import type { ClientChannel } from "@homcc/transport/channel";

/** What a server says it can compile with. */
export type InventoryAnswer =
  | { readonly kind: "told"; readonly inventory: Inventory }
  /** `why`, for people: it is older, or broke off. */
  | { readonly kind: "unknown"; readonly why: string };

/** Asks over a connection that nobody else uses, and waits for as long as a server needs to ask its schroot and docker. */
export async function askInventory(
  channel: ClientChannel,
  welcome: Pick<Welcome, "capabilities" | "server">,
): Promise<InventoryAnswer> {
  if (!answersSurveys(welcome)) {
    const why = `${welcome.server} is too old to tell its toolchains, profiles and containers`;
    return { kind: "unknown", why };
  }
  const { promise, resolve } = Promise.withResolvers<InventoryAnswer>();
  const timer = setTimeout(
    () => resolve({ kind: "unknown", why: `no answer about its toolchains within ${timeLimitMs / 1000} s` }),
    timeLimitMs,
  );
  const stream = channel.openStream({
    onMessage: (message) => {
      if (message.kind !== "inventory") return;
      const { kind: _kind, ...inventory } = message;
      resolve({ kind: "told", inventory });
    },
    onClose: (reason: HomccError) => resolve({ kind: "unknown", why: reason.message }),
  });
  channel.send(stream, { kind: "survey" });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** Compilers that were never asked before on a slow disk; a docker engine that does not answer. */
const timeLimitMs = 30_000;
