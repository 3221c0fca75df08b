import { setImmediate as turn } from "node:timers/promises";
import { type ConnectOptions, greetServer, type ServerConnection } from "./connect.ts";
import { ConnectError } from "./connect-error.ts";
import { handshakeSignal } from "./preface-reader.ts";
import { channelRefused, timedOut } from "./ssh-error.ts";
import type { SshTunnel, Tunnelled } from "./ssh-tunnel.ts";

export interface TunnelledConnection extends ServerConnection {
  /** The connection is silent: its successor needs an ssh of its own. */
  doubtTunnel(): void;
  /** It has spoken again. */
  trustTunnel(): void;
}

export interface ThroughSshOptions extends Omit<ConnectOptions, "host" | "port"> {
  readonly tunnel: SshTunnel;
  /** The server's name in messages. */
  readonly peer: string;
}

/** As `connectToServer`, through ssh: from the start of ssh, if that is needed, to the welcome. */
export async function connectThroughSsh(options: ThroughSshOptions): Promise<TunnelledConnection> {
  const { tunnel, peer, connectTimeoutMs } = options;
  options.signal?.throwIfAborted();
  let opened: Tunnelled | undefined;
  using deadline = handshakeSignal(
    connectTimeoutMs,
    () => timedOut(tunnel.route, opened !== undefined, connectTimeoutMs),
    options.signal,
  );
  const { signal } = deadline;
  try {
    opened = await tunnel.open(signal, options.onProgress);
    const { socket, master } = opened;
    const connection = await greetServer(socket, { ...options, peer, deadline: signal, isCarried: true });
    return {
      ...connection,
      doubtTunnel: () => tunnel.doubt(master),
      trustTunnel: () => tunnel.trust(master),
    };
  } catch (error) {
    if (opened === undefined) throw error;
    opened.socket.destroy();
    const isSilent = signal.aborted && options.signal?.aborted !== true;
    // The next attempt brings an ssh of its own.
    if (opened.isOld && isSilent) tunnel.doubt(opened.master);
    throw await whyFailed(error, tunnel, opened);
  }
}

/** sshd closes a connection that homccd does not take, and ssh says why: on a pipe that is read in this turn or the next. */
async function whyFailed(error: unknown, tunnel: SshTunnel, { master }: Tunnelled): Promise<unknown> {
  if (!(error instanceof ConnectError) || error.failure !== "v1") return error;
  await turn();
  const refusal = master.words.takeRefusal();
  return refusal === undefined ? error : channelRefused(tunnel.route, refusal);
}
