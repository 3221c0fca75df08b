import type { Finding } from "./findings.ts";

/** What gets no jobs, or goes to no server, because audits found a difference. */
export interface Quarantine {
  /** By `name:port`. */
  readonly servers: ReadonlyMap<string, readonly Finding[]>;
  /** By the id of the flag signature and the toolchain. */
  readonly signatures: ReadonlyMap<string, readonly Finding[]>;
}

/** Where a result came from when it was kept at home: whichever server made it is not known any more. */
export const keptAtHome = "localhost";

export function signatureKey(signatureId: string, toolchain: string): string {
  return `${signatureId} ${toolchain}`;
}

/**
 * What the evidence says. The same flags with a difference on two servers: the flags, since two machines do not fail alike. Anything
 * else is laid to the server, whose other results may be as wrong: jobs go to other servers, and should it be the flags after
 * all, the next audit of one there shows it and gives the server its jobs back. A result that was kept at home accuses the flags.
 */
export function quarantineOf(findings: readonly Finding[]): Quarantine {
  const bySignature = Map.groupBy(findings, ({ signature, toolchain }) =>
    signatureKey(signature.id, toolchain),
  );
  const signatures = new Map(
    [...bySignature].filter(([, same]) => {
      const hosts = new Set(same.map(({ host }) => host));
      return hosts.has(keptAtHome) || hosts.size > 1;
    }),
  );
  const accused = findings.filter(
    ({ signature, toolchain }) => !signatures.has(signatureKey(signature.id, toolchain)),
  );
  return { servers: Map.groupBy(accused, ({ host }) => host), signatures };
}
