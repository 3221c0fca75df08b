import type { Host } from "@homcc/config/hosts";
import { version } from "@homcc/config/version";
import { systemClock } from "@homcc/observability/clock";
import { describeError } from "@homcc/observability/error";
import { hostIdOf } from "@homcc/scheduler/host";
import { connectThroughSsh } from "@homcc/transport/connect-through-ssh";
import { destinationOf } from "@homcc/transport/ssh-command";
import { SshError, type SshStage } from "@homcc/transport/ssh-error";
import type { SshTunnel } from "@homcc/transport/ssh-tunnel";
import { askInventory } from "../ask/inventory.ts";
import { type Greeted, ungreeted } from "./connection.ts";
import type { Examination } from "./examination.ts";

export interface SshExamination {
  readonly timeoutMs: number;
  /** The steps after the connection. */
  readonly afterConnection: string;
}

const stops: Readonly<Record<SshStage, { readonly at: string; readonly unseen: string }>> = {
  ssh: { at: "ssh", unseen: "forward, homccd, " },
  forward: { at: "the forward", unseen: "homccd, " },
  homccd: { at: "homccd", unseen: "" },
};

/** Goes through ssh to homccd. The test compiles use the same ssh. */
export async function examineSsh(
  host: Host,
  tunnel: SshTunnel,
  { timeoutMs, afterConnection }: SshExamination,
  examination: Examination,
): Promise<Greeted | undefined> {
  const destination = destinationOf(tunnel.route);
  const startMs = systemClock.monotonicMs();
  const stop = ({ at, unseen }: (typeof stops)[SshStage]): void =>
    examination.stop(at, `${unseen}${afterConnection}`);
  try {
    const { channel, welcome } = await connectThroughSsh({
      tunnel,
      peer: hostIdOf(host),
      connectTimeoutMs: timeoutMs,
      agent: `homcc ${version}`,
    });
    const tookMs = systemClock.monotonicMs() - startMs;
    const roundTripMs = channel.roundTripMs ?? tookMs;
    const receivedAtMs = systemClock.wallMs();
    const inventory = await askInventory(channel, welcome);
    const greeted = { welcome, roundTripMs, receivedAtMs, inventory };
    void channel.close("homcc doctor has seen enough");
    examination.ok(`ssh logs in to ${destination}, ${Math.round(tookMs - roundTripMs)} ms`);
    examination.ok(
      `${welcome.server} answers at port ${host.port} there, round trip ${roundTripMs.toFixed(1)} ms`,
    );
    return greeted;
  } catch (error) {
    const isLogin = error instanceof SshError && error.stage === "ssh";
    if (!isLogin) examination.ok(`ssh logs in to ${destination}`);
    if (!(error instanceof SshError)) {
      examination.problem(...ungreeted(host, timeoutMs, error));
      stop(stops.homccd);
      return undefined;
    }
    examination.problem(error.message, error.hint ?? describeError(error));
    stop(stops[error.stage]);
    return undefined;
  }
}
