import assert from "node:assert/strict";
import { test } from "node:test";
import { makeCertificate } from "@homcc/identity/certificate";
import { makePairing } from "@homcc/identity/pairing";
import { makePoolKey, poolName } from "@homcc/identity/pool-key";
import { Revocations } from "@homcc/identity/revocations";
import { type CertificateRules, judgeCertificate, whyNoLonger } from "./client-certificates.ts";

const nowMs = Date.UTC(2026, 10, 26, 12);
const dayMs = 86_400_000;
const pool = makePoolKey(nowMs);
const other = makePoolKey(nowMs);

function rules(changes: Partial<CertificateRules> = {}): CertificateRules {
  return {
    pool,
    names: { text: "carol", includes: (name) => name === "carol" },
    revocations: () => Revocations.parse("eve 2026-11-27T12:00:00.000Z\nmallory\n"),
    nowMs: () => nowMs,
    ...changes,
  };
}

const certificateOf = (name: string, key = pool, issuedMs = nowMs) =>
  makePairing(key, { name, issuedMs, nowMs, expiresMs: nowMs + dayMs }).certificate;

test("a certificate is worth a name: of the pool's own clients, or of those that the company may send", () => {
  const alice = judgeCertificate(certificateOf("alice"), undefined, rules());
  assert.deepEqual(alice, {
    kind: "known",
    identity: { kind: "paired", name: "alice" },
    credential: { issuedMs: nowMs, expiresMs: nowMs + dayMs },
  });
  const carol = judgeCertificate(certificateOf("carol", other), undefined, rules());
  assert.ok(carol.kind === "known");
  assert.deepEqual(carol.identity, { kind: "certificate", name: "carol" });
  assert.equal(judgeCertificate(certificateOf("alice", other), undefined, rules()).kind, "refused");
});

test("who is revoked is out, by either kind of certificate, until a later one is made", () => {
  for (const [name, key, issuedMs, kind] of [
    ["eve", pool, nowMs, "refused"],
    ["eve", pool, nowMs + dayMs, "refused"],
    ["eve", pool, nowMs + dayMs + 1, "known"],
    ["mallory", pool, nowMs + 1000 * dayMs, "refused"],
    ["bob", pool, nowMs, "known"],
  ] as const)
    assert.equal(judgeCertificate(certificateOf(name, key, issuedMs), undefined, rules()).kind, kind, name);
  const anyName = { text: "any", includes: () => true };
  assert.equal(
    judgeCertificate(certificateOf("eve", other), undefined, rules({ names: anyName })).kind,
    "refused",
  );
});

test("what OpenSSL says against a certificate, and names that nobody gives, are words", () => {
  const strange = makeCertificate({
    purpose: "client",
    name: "a\nb/../c",
    publicKey: pool.certificate.publicKey,
    issuedMs: nowMs,
    notBeforeMs: nowMs,
    notAfterMs: nowMs + dayMs,
    issuer: { name: poolName, privateKey: pool.privateKey },
  });
  for (const [certificate, error, why] of [
    [
      certificateOf("alice"),
      "CERT_HAS_EXPIRED",
      /alice expired on 2026-11-27 12:00 UTC, .*clock says 2026-11-26/,
    ],
    [certificateOf("alice"), "CERT_NOT_YET_VALID", /valid from 2026-11-26 00:00 UTC/],
    [certificateOf("alice"), "INVALID_PURPOSE", /not for clients/],
    [certificateOf("alice"), "CERT_SIGNATURE_FAILURE", /not of this server's pool/],
    [strange, undefined, /^\P{Cc}*none of the names/u],
  ] as const) {
    const judgement = judgeCertificate(certificate, error, rules());
    assert.ok(judgement.kind === "refused");
    assert.match(judgement.why, why);
  }
});

test("a connection that was good ends when its certificate does", () => {
  const credential = { issuedMs: nowMs, expiresMs: nowMs + dayMs };
  const alice = { kind: "paired", name: "alice" } as const;
  assert.equal(whyNoLonger(alice, credential, rules()), undefined);
  assert.match(whyNoLonger(alice, credential, rules({ nowMs: () => nowMs + dayMs + 1 })) ?? "", /expired/);
  assert.match(whyNoLonger({ kind: "paired", name: "mallory" }, credential, rules()) ?? "", /revoked/);
  assert.equal(
    whyNoLonger({ kind: "address", address: "::1" }, { ...credential, expiresMs: 0 }, rules()),
    undefined,
  );
});
