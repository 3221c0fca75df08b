import { createHash, type KeyObject } from "node:crypto";

/** SHA-256 over a public key, in 43 letters of base64url: what a hosts line says of a pool. */
export type Fingerprint = string & { readonly __brand: "Fingerprint" };

export function isFingerprint(text: string): text is Fingerprint {
  return /^[A-Za-z0-9_-]{43}$/.test(text);
}

export function fingerprintOf(publicKey: KeyObject): Fingerprint {
  const hash = createHash("sha256").update(publicKey.export({ type: "spki", format: "der" }));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the only place that makes one
  return hash.digest("base64url") as Fingerprint;
}

/** For tables and logs: nobody finds a second key with the same beginning. */
export function shortFingerprint(fingerprint: string): string {
  return fingerprint.slice(0, 12);
}
