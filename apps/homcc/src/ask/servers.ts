import type { Host } from "@homcc/config/hosts";
import type { LoadedSettings } from "@homcc/config/load";
import { version } from "@homcc/config/version";
import { describeError } from "@homcc/observability/error";
import type { Welcome } from "@homcc/protocol/hello";
import { hostIdOf } from "@homcc/scheduler/host";
import { connectToServer } from "@homcc/transport/connect";
import { ConnectError } from "@homcc/transport/connect-error";
import { connectThroughSsh } from "@homcc/transport/connect-through-ssh";
import { askInventory, type InventoryAnswer } from "./inventory.ts";
import { trustIn } from "../remote/server-trust.ts";
import type { SshTunnels } from "../remote/ssh-tunnels.ts";

/** What became of asking one server what it is. */
export type ServerAnswer = {
  /** As configured. */
  readonly text: string;
} & (
  | {
      readonly kind: "welcome";
      readonly welcome: Welcome;
      readonly roundTripMs: number | undefined;
      readonly inventory: InventoryAnswer;
    }
  /** It says no more about itself than that. */
  | { readonly kind: "v1" }
  | { readonly kind: "failed"; readonly why: string }
);

/** Connects to all servers at once, each for as long as a job would wait for the connection. Never rejects. */
export async function askServers(
  { hosts, settings }: Pick<LoadedSettings, "hosts" | "settings">,
  tunnels: Pick<SshTunnels, "to">,
): Promise<ServerAnswer[]> {
  const { establishConnectionTimeoutMs: connectTimeoutMs } = settings;
  return await Promise.all(hosts.map((host) => askServer(host, connectTimeoutMs, tunnels)));
}

async function askServer(
  host: Host,
  connectTimeoutMs: number,
  tunnels: Pick<SshTunnels, "to">,
): Promise<ServerAnswer> {
  const { text, name, port } = host;
  const options = { agent: `homcc ${version}`, connectTimeoutMs };
  const tunnel = tunnels.to(host);
  try {
    const trust = await trustIn(host.tls);
    const { channel, welcome } = await (tunnel === undefined
      ? connectToServer({ ...options, host: name, port, ...(trust === undefined ? {} : { trust }) })
      : connectThroughSsh({ ...options, tunnel, peer: hostIdOf(host) }));
    const { roundTripMs } = channel;
    const inventory = await askInventory(channel, welcome);
    void channel.close("homcc --show-hosts has seen enough");
    return { text, kind: "welcome", welcome, roundTripMs, inventory };
  } catch (error) {
    if (error instanceof ConnectError && error.failure === "v1") return { text, kind: "v1" };
    return { text, kind: "failed", why: describeError(error) };
  }
}
