import { generateKeyPairSync } from "node:crypto";
import { makeCertificate } from "./certificate.ts";
import { clockToleranceMs, type PoolKey, poolName } from "./pool-key.ts";

/** What a server shows its clients, in PEM; the key is never written anywhere. */
export interface ServerCertificate {
  readonly key: string;
  /** Its own certificate, then the pool's. */
  readonly chain: string;
}

/** A homccd may run for years, and cannot make another one: it has given up the right to read the pool's key. */
const validMs = 10 * 365 * 24 * 3_600_000;

/** A key of this start's own, signed by the pool's. */
export function makeServerCertificate(pool: PoolKey, nowMs: number): ServerCertificate {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const certificate = makeCertificate({
    purpose: "server",
    name: "homccd",
    publicKey,
    issuedMs: nowMs,
    notBeforeMs: nowMs - clockToleranceMs,
    notAfterMs: nowMs + validMs,
    issuer: { name: poolName, privateKey: pool.privateKey },
  });
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    chain: `${certificate.toString()}${pool.certificate.toString()}`,
  };
}
