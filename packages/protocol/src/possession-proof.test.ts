import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { PossessionProof } from "./possession-proof.ts";

const nonce = "5a".repeat(32);

function proofOf(pieces: readonly string[], otherNonce = nonce): string {
  const proof = new PossessionProof(otherNonce);
  for (const piece of pieces) proof.update(Buffer.from(piece));
  return proof.finish();
}

test("the proof is over the nonce's bytes and the contents, however they are cut", () => {
  const expected = createHash("sha256").update(Buffer.alloc(32, 0x5a)).update("one two").digest("hex");
  assert.equal(proofOf(["one two"]), expected);
  assert.equal(proofOf(["one", " ", "two"]), expected);
});

test("another order, another content, another nonce: another proof", () => {
  const proofs = [
    proofOf(["a", "b"]),
    proofOf(["b", "a"]),
    proofOf(["a"]),
    proofOf([]),
    proofOf(["a", "b"], "5b".repeat(32)),
  ];
  assert.equal(new Set(proofs).size, proofs.length);
});

test("what turns out not to belong to it is taken back", () => {
  const proof = new PossessionProof(nonce);
  proof.update(Buffer.from("a"));
  const takeBack = proof.mark();
  proof.update(Buffer.from("half of what was"));
  takeBack();
  proof.update(Buffer.from("b"));
  assert.equal(proof.finish(), proofOf(["a", "b"]));
});
