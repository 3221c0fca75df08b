import { generateKeyPairSync, type KeyObject, type X509Certificate } from "node:crypto";
import { makeCertificate } from "./certificate.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { clockToleranceMs, type PoolKey, poolName } from "./pool-key.ts";

/** What a client has of its pool: the servers know it by the signature, and keep nothing of it. */
export interface Pairing {
  readonly name: string;
  readonly fingerprint: Fingerprint;
  readonly privateKey: KeyObject;
  readonly certificate: X509Certificate;
  readonly expiresMs: number;
}

export interface PairingRequest {
  readonly name: string;
  readonly issuedMs: number;
  readonly nowMs: number;
  readonly expiresMs: number;
}

/** Good for every server that has the pool's key, also for those to come. */
export function makePairing(pool: PoolKey, { name, issuedMs, nowMs, expiresMs }: PairingRequest): Pairing {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const certificate = makeCertificate({
    purpose: "client",
    name,
    publicKey,
    issuedMs,
    notBeforeMs: nowMs - clockToleranceMs,
    notAfterMs: expiresMs,
    issuer: { name: poolName, privateKey: pool.privateKey },
  });
  return {
    name,
    fingerprint: pool.fingerprint,
    privateKey,
    certificate,
    expiresMs: certificate.validToDate.getTime(),
  };
}
