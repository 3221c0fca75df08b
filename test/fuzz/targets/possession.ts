import { createHash } from "node:crypto";
import { PossessionProof } from "@homcc/protocol/possession-proof";
import { cutAsOnTheWire } from "../chunks.ts";
import { type FuzzTarget, mustEqual } from "../target.ts";

const nonceBytes = 32;

/** `nonce, content`: the content in pieces, with some that are taken back. */
export const possession: FuzzTarget = {
  name: "possession",
  property:
    "a proof is the hash of nonce and contents, in whatever pieces they come and whatever was taken back",
  generate: (random) => random.bytes(random.from(nonceBytes, 600)),
  check(input) {
    const nonce = input.subarray(0, nonceBytes).toString("hex");
    const content = input.subarray(nonceBytes);
    const proof = new PossessionProof(nonce);
    for (const piece of cutAsOnTheWire(content)) {
      const undo = proof.mark();
      proof.update(content);
      undo();
      proof.update(piece);
    }
    const expected = createHash("sha256").update(input.subarray(0, nonceBytes)).update(content).digest("hex");
    mustEqual("the proof", proof.finish(), expected);
  },
};
