/** A server behind `USER@HOST[:PORT]`. Equal routes are one server. */
export interface SshRoute {
  /** Empty: whom ssh chooses. */
  readonly user: string;
  /** As ssh understands it: a name of its configuration, a host name or an address. */
  readonly name: string;
  /** Of homccd, on the loopback interface of that machine. */
  readonly port: number;
  readonly executable: string;
  /** The user's own. */
  readonly options: readonly string[];
}

/** Names of the sockets of one ssh process, in the folder in which it is started. */
export interface SshSockets {
  /** Takes orders of other ssh processes. */
  readonly control: string;
  /** Whoever connects to it is connected to homccd. */
  readonly forward: string;
}

/** What ssh prints once it has logged in and takes orders. */
export const readyWord = "homcc-ssh-is-ready";

/** `USER@HOST`, as on ssh's command line. */
export function destinationOf({ user, name }: SshRoute): string {
  return user === "" ? name : `${user}@${name}`;
}

/** Of two settings ssh takes the first, so that neither the user's options nor ssh_config can change these. */
const masterSettings = [
  // Nobody is there to be asked for a password or about an unknown host.
  "BatchMode=yes",
  "ControlMaster=yes",
  // With another value it would leave for the background, out of our reach.
  "ControlPersist=no",
  // Those of ssh_config are meant for the user's own sessions: their ports are not ours to take.
  "ClearAllForwardings=yes",
  "StreamLocalBindMask=0177",
  "PermitLocalCommand=yes",
  `LocalCommand=echo ${readyWord}`,
  // A dead line is noticed after 20 s, as by the heartbeat of a connection.
  "ServerAliveInterval=10",
  "ServerAliveCountMax=2",
] as const;

/**
 * The ssh process that logs in, and then carries all connections to that server. `-v` makes it print what it does, which
 * is how a slow login is told from a dead network.
 */
export function masterCommand(route: SshRoute, { control }: SshSockets): string[] {
  const settings = masterSettings.flatMap((setting) => ["-o", setting]);
  const own = ["-N", "-T", "-v", "-S", `./${control}`, ...settings];
  return [route.executable, ...own, ...route.options, "--", destinationOf(route)];
}

/**
 * Has that process listen for connections to homccd. Without ssh_config (`-F none`), whose forwards it would order too;
 * the name of the host is never looked up. `localhost` and no address: homccd may listen on either family, and that is
 * what `permitopen` lines written for homcc 1.x allow.
 */
export function forwardCommand(route: SshRoute, { control, forward }: SshSockets): string[] {
  const spec = `./${forward}:localhost:${route.port}`;
  return [route.executable, "-F", "none", "-S", `./${control}`, "-O", "forward", "-L", spec, "homccd"];
}
