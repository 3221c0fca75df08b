import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "@homcc/observability/error";
import { recordMalformedInput } from "../../../test/support/reliability.ts";
import { makePairing } from "./pairing.ts";
import { decodePairingLine, encodePairingLine } from "./pairing-line.ts";
import { makePoolKey } from "./pool-key.ts";

const nowMs = Date.UTC(2026, 10, 26, 12);
const pool = makePoolKey(nowMs);
const pairing = makePairing(pool, {
  name: "alice@laptop-2",
  issuedMs: nowMs,
  nowMs,
  expiresMs: nowMs + 90 * 86_400_000,
});
const hosts = ["build1.example.com:3126/10", "[fc00::1]:3127/4"];
const line = encodePairingLine({ hosts, pairing });

function refusalOf(text: string): string {
  try {
    decodePairingLine(text);
  } catch (error) {
    assert.ok(hasCode(error, "ERR_HOMCC_USAGE"), String(error));
    return error.message;
  }
  return "accepted";
}

test("a line says the same to both ends", () => {
  const offer = decodePairingLine(line);
  assert.deepEqual(offer.hosts, hosts);
  assert.equal(offer.pairing.name, "alice@laptop-2");
  assert.equal(offer.pairing.fingerprint, pool.fingerprint);
  assert.equal(offer.pairing.expiresMs, pairing.expiresMs);
  assert.ok(offer.pairing.privateKey.equals(pairing.privateKey));
  assert.deepEqual(offer.pairing.certificate.raw, pairing.certificate.raw);
});

test("it is one word that no shell takes apart, and as short as it can be", () => {
  assert.match(line, /^homcc:\/\/[\w.:~,[\]/@-]+$/);
  assert.ok(line.length < 700, `${line.length}`);
  assert.match(line, /\/pair\/1\/alice@laptop-2\/2027-02-24\//);
});

test("line ends and blanks of a mail program within it mean nothing", () => {
  const folded = ` ${line.replaceAll(/.{60}/g, "$&\r\n  ")}\n`;
  assert.deepEqual(decodePairingLine(folded).hosts, hosts);
});

test("a paste that was cut off anywhere is told", () => {
  for (let length = line.indexOf("/pair/1/") + 8; length < line.length; length++) {
    assert.match(refusalOf(line.slice(0, length)), /not complete/);
  }
  recordMalformedInput("pairing lines", { tried: line.length - line.indexOf("/pair/1/") - 8, crashes: 0 });
});

test("a changed character anywhere is told", () => {
  fc.assert(
    fc.property(fc.nat(line.length - 1), fc.constantFrom("x", "-", "/", "0"), (index, character) => {
      fc.pre(line[index] !== character);
      assert.notEqual(refusalOf(line.slice(0, index) + character + line.slice(index + 1)), "accepted");
    }),
  );
  recordMalformedInput("pairing lines", { tried: 100, crashes: 0 });
});

test("noise is refused, and never quoted: it may be half a secret", () => {
  fc.assert(
    fc.property(fc.string(), (noise) => {
      for (const text of [noise, `homcc://${noise}`, `homcc://h/pair/1/${noise}`]) {
        assert.match(refusalOf(text), /^(this is no line|the line )/);
      }
    }),
  );
  recordMalformedInput("pairing lines", { tried: 300, crashes: 0 });
  assert.match(refusalOf(line.replace("/pair/1/", "/pair/2/")), /has version 2/);
  assert.match(refusalOf("x".repeat(1 << 20)), /no line/);
});
