import { createPublicKey, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import * as der from "./der.ts";

/** What a certificate of ours is for; OpenSSL refuses one that is used for something else. */
export type Purpose = "pool" | "server" | "client";

export interface CertificateRequest {
  readonly purpose: Purpose;
  /** Common name. */
  readonly name: string;
  /** Whose certificate it is: an Ed25519 key. */
  readonly publicKey: KeyObject;
  /** In the serial number, so that it cannot be changed: `issuedMsOf`. */
  readonly issuedMs: number;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly issuer: { readonly name: string; readonly privateKey: KeyObject };
}

const algorithm = der.sequence(der.objectIdentifier("1.3.101.112"));
const commonName = der.objectIdentifier("2.5.4.3");
const extensionNames = {
  keyUsage: "2.5.29.15",
  basicConstraints: "2.5.29.19",
  extendedKeyUsage: "2.5.29.37",
} as const;
/** serverAuth and clientAuth of RFC 5280. */
export const purposeNames = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" } as const;

/** Bytes of a serial number: milliseconds, then chance. */
const timeBytes = 6;
const chanceBytes = 10;

/** Makes and signs a certificate of the one form that homcc uses. */
export function makeCertificate(request: CertificateRequest): X509Certificate {
  const { publicKey, issuer } = request;
  const serial = Buffer.alloc(timeBytes);
  serial.writeUIntBE(request.issuedMs, 0, timeBytes);
  const body = der.sequence(
    der.explicit(0, der.integer(Buffer.of(2))),
    der.integer(Buffer.concat([serial, randomBytes(chanceBytes)])),
    algorithm,
    distinguishedName(issuer.name),
    der.sequence(der.time(request.notBeforeMs), der.time(request.notAfterMs)),
    distinguishedName(request.name),
    publicKey.export({ type: "spki", format: "der" }),
    der.explicit(3, der.sequence(...extensions(request.purpose))),
  );
  const signature = sign(null, body, issuer.privateKey);
  return new X509Certificate(der.sequence(body, algorithm, der.bitString(signature)));
}

/** When a certificate of ours was made, by the clock of the machine that made it. */
export function issuedMsOf(certificate: X509Certificate): number {
  return Number(BigInt(`0x${certificate.serialNumber}`) >> BigInt(8 * chanceBytes));
}

/** The common name; `undefined` where there is none, or several. */
export function commonNameOf(certificate: X509Certificate): string | undefined {
  const { CN: name }: { CN?: unknown } = certificate.toLegacyObject().subject;
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** The public key that belongs to a private one. */
export function publicKeyOf(privateKey: KeyObject): KeyObject {
  return createPublicKey(privateKey);
}

function distinguishedName(name: string): Buffer {
  return der.sequence(der.set(der.sequence(commonName, der.utf8String(name))));
}

function extensions(purpose: Purpose): Buffer[] {
  if (purpose !== "pool") {
    const names = der.sequence(der.objectIdentifier(purposeNames[purpose]));
    return [extension("basicConstraints", der.sequence()), extension("extendedKeyUsage", names)];
  }
  // It signs certificates, none of which may sign others. The bit of keyCertSign is the sixth.
  const authority = der.sequence(der.boolean(true), der.integer(Buffer.of(0)));
  return [
    extension("basicConstraints", authority),
    extension("keyUsage", der.bitString(Buffer.of(0b0000_0100), 2)),
  ];
}

/** Critical: who does not understand it must not accept the certificate. */
function extension(name: keyof typeof extensionNames, value: Uint8Array): Buffer {
  return der.sequence(der.objectIdentifier(extensionNames[name]), der.boolean(true), der.octetString(value));
}
