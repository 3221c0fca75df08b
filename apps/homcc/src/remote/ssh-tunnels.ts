import type { Host } from "@homcc/config/hosts";
import { type HostAddress, type HostId, hostIdOf } from "@homcc/scheduler/host";
import { type SshFolder, SshTunnel } from "@homcc/transport/ssh-tunnel";

/** The tunnels to the servers that are reached through SSH. */
export class SshTunnels {
  readonly #folder: SshFolder;
  readonly #tunnels = new Map<HostId, SshTunnel>();

  constructor(folder: SshFolder) {
    this.#folder = folder;
  }

  /** The tunnel to the server of a job, which is to go by that job's wishes from now on; `undefined` without SSH. */
  to(host: HostAddress): SshTunnel | undefined {
    if (host.ssh === undefined) return undefined;
    const hostId = hostIdOf(host);
    const tunnel = this.#tunnels.get(hostId) ?? this.#make(hostId, host, host.ssh);
    tunnel.wish = host.ssh;
    return tunnel;
  }

  known(hostId: HostId): SshTunnel | undefined {
    return this.#tunnels.get(hostId);
  }

  /** The network may be another one. */
  doubt(): void {
    for (const tunnel of this.#tunnels.values()) tunnel.doubt();
  }

  /** It ends with its last connection. */
  forget(hostId: HostId): void {
    this.#tunnels.get(hostId)?.retire();
    this.#tunnels.delete(hostId);
  }

  close(): void {
    for (const tunnel of this.#tunnels.values()) tunnel.close();
  }

  #make(hostId: HostId, { name, port }: HostAddress, ssh: NonNullable<Host["ssh"]>): SshTunnel {
    const { user, executable, options } = ssh;
    const tunnel = new SshTunnel({ route: { user, name, port, executable, options }, folder: this.#folder });
    this.#tunnels.set(hostId, tunnel);
    return tunnel;
  }
}
