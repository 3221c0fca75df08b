import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { commonNameOf, issuedMsOf, makeCertificate, purposeNames } from "./certificate.ts";
import { makePoolKey, poolName } from "./pool-key.ts";

const nowMs = Date.UTC(2026, 10, 26, 12);
const pool = makePoolKey(nowMs);
const issuer = { name: poolName, privateKey: pool.privateKey };
const { publicKey } = generateKeyPairSync("ed25519");
const dates = { issuedMs: nowMs, notBeforeMs: nowMs, notAfterMs: nowMs + 90_000 };

test("another library reads what is written, and finds the signature right", async () => {
  const made = makeCertificate({ purpose: "client", name: "alice", publicKey, issuer, ...dates });
  const read = new x509.X509Certificate(made.raw);
  assert.equal(read.subject, "CN=alice");
  assert.equal(read.issuer, `CN=${poolName}`);
  assert.equal(read.notBefore.getTime(), nowMs);
  assert.equal(read.notAfter.getTime(), nowMs + 90_000);
  const authority = new x509.X509Certificate(pool.certificate.raw);
  assert.ok(await read.verify({ publicKey: authority.publicKey, signatureOnly: true }));
  const usage = read.getExtension(x509.ExtendedKeyUsageExtension);
  assert.deepEqual([...(usage?.usages ?? [])], [purposeNames.client]);
  assert.equal(read.getExtension(x509.BasicConstraintsExtension)?.ca, false);
  assert.equal(authority.getExtension(x509.BasicConstraintsExtension)?.ca, true);
  assert.equal(authority.getExtension(x509.BasicConstraintsExtension)?.pathLength, 0);
  assert.equal(authority.getExtension(x509.KeyUsagesExtension)?.usages, x509.KeyUsageFlags.keyCertSign);
});

test("dates beyond 2049 and names of any length survive", () => {
  const date = { min: nowMs, max: Date.UTC(2120), noInvalidDate: true } as const;
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 64, unit: "grapheme-ascii" }),
      fc.integer(date),
      (name, ms) => {
        const made = makeCertificate({
          purpose: "server",
          name,
          publicKey,
          issuer,
          issuedMs: ms,
          notBeforeMs: nowMs,
          notAfterMs: ms,
        });
        assert.equal(commonNameOf(made), name);
        assert.equal(issuedMsOf(made), ms);
        assert.equal(made.validToDate.getTime(), Math.floor(ms / 1000) * 1000);
        assert.ok(made.verify(pool.certificate.publicKey));
        assert.ok(made.checkIssued(pool.certificate));
      },
    ),
    { numRuns: 50 },
  );
});

test("no two certificates have one serial number", () => {
  const serials = Array.from(
    { length: 100 },
    () => makeCertificate({ purpose: "client", name: "a", publicKey, issuer, ...dates }).serialNumber,
  );
  assert.equal(new Set(serials).size, serials.length);
});
