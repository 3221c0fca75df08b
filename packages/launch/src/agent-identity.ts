import { readlinkSync, statSync } from "node:fs";

/**
 * `device:inode:size:mtimeNs` of the agent's program. A launcher sends the identity of the program it would start, and
 * an agent with another one retires: so an upgrade reaches the next compile. Throws when there is no such file.
 */
export function agentIdentityOf(agentPath: string): string {
  const { dev, ino, size, mtimeNs } = statSync(agentPath, { bigint: true });
  return `${dev}:${ino}:${size}:${mtimeNs}`;
}

/**
 * `device:inode` of `/` and the mount namespace, `device:inode:mnt:[number]`. A call from a chroot, a container or
 * another mount namespace has another one: the same path may be another file there.
 */
export function ownRootIdentity(): string {
  const { dev, ino } = statSync("/", { bigint: true });
  return `${dev}:${ino}:${mountNamespace()}`;
}

/** Empty without /proc. */
function mountNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/mnt");
  } catch {
    return "";
  }
}
