import type { X509Certificate } from "node:crypto";
import type { NameList } from "@homcc/config/values";
import { commonNameOf, issuedMsOf } from "@homcc/identity/certificate";
import { isClientName } from "@homcc/identity/client-name";
import { timeText } from "@homcc/identity/lifetime";
import type { PoolKey } from "@homcc/identity/pool-key";
import type { Revocations } from "@homcc/identity/revocations";
import { maxTextLength } from "@homcc/protocol/limits";
import { printable } from "@homcc/protocol/printable";
import type { CertificateJudgement, Credential } from "@homcc/transport/accept";
import type { ClientIdentity } from "@homcc/transport/client-identity";

export interface CertificateRules {
  readonly pool: Pick<PoolKey, "certificate"> | undefined;
  /** Of certificates that the company's authority has signed. */
  readonly names: NameList;
  readonly revocations: () => Revocations;
  readonly nowMs: () => number;
}

const askAgain = "ask the administrator for a new line of homccd pair";

/** What a client's certificate is worth, whose signature and purpose OpenSSL has looked at: `error` is what it says against it. */
export function judgeCertificate(
  certificate: X509Certificate,
  error: string | undefined,
  rules: CertificateRules,
): CertificateJudgement {
  const name = commonNameOf(certificate);
  const shown =
    name === undefined
      ? "a certificate without a common name"
      : printable(name, maxTextLength).replaceAll(/\s/g, " ");
  if (error !== undefined) return refused(whyWrong(certificate, error, shown, rules.nowMs()));
  if (name === undefined) return refused(`${shown} says not whose it is`);
  const credential = credentialOf(certificate, isPools(certificate, rules));
  const identity: ClientIdentity = { kind: isPools(certificate, rules) ? "paired" : "certificate", name };
  const isNamed = identity.kind === "paired" ? isClientName(name) : rules.names.includes(name);
  // It is written into logs and shown in tables.
  if (!isNamed || !/^\P{Cc}{1,256}$/u.test(name)) {
    return refused(
      `${shown} is none of the names that this server lets in (option 'tls_client_names' of homccd)`,
    );
  }
  const why = whyNoLonger(identity, credential, rules);
  return why === undefined ? { kind: "known", identity, credential } : refused(why);
}

/** Why a client whose certificate was good is not to be served any more; `undefined` while it is. */
export function whyNoLonger(
  identity: ClientIdentity,
  { issuedMs = 0, expiresMs }: Credential,
  { revocations, nowMs }: Pick<CertificateRules, "revocations" | "nowMs">,
): string | undefined {
  if (identity.kind === "address") return undefined;
  const revoked = revocations();
  if (!revoked.areKnown) return "this server cannot read who is revoked; its log says why";
  if (revoked.includes(identity.name, issuedMs)) return `${identity.name} was revoked (${askAgain})`;
  return nowMs() > expiresMs ? expired(identity.name, expiresMs, nowMs()) : undefined;
}

function isPools(certificate: X509Certificate, { pool }: CertificateRules): boolean {
  return pool !== undefined && certificate.verify(pool.certificate.publicKey);
}

function credentialOf(certificate: X509Certificate, isPaired: boolean): Credential {
  return {
    issuedMs: isPaired ? issuedMsOf(certificate) : certificate.validFromDate.getTime(),
    expiresMs: certificate.validToDate.getTime(),
  };
}

function whyWrong(certificate: X509Certificate, error: string, name: string, nowMs: number): string {
  switch (error) {
    case "CERT_HAS_EXPIRED":
      return expired(name, certificate.validToDate.getTime(), nowMs);
    case "CERT_NOT_YET_VALID":
      return `the certificate of ${name} is valid from ${timeText(certificate.validFromDate.getTime())}, and this server's clock says ${timeText(nowMs)} (one of the clocks is wrong)`;
    case "INVALID_PURPOSE":
      return `the certificate of ${name} is not for clients`;
    default:
      return `the certificate of ${name} is not of this server's pool, nor of an authority that it knows: ${error} (is it another pool's pairing? ${askAgain})`;
  }
}

function expired(name: string, expiresMs: number, nowMs: number): string {
  return `the certificate of ${name} expired on ${timeText(expiresMs)}, and this server's clock says ${timeText(nowMs)} (${askAgain})`;
}

function refused(why: string): CertificateJudgement {
  return { kind: "refused", why };
}
