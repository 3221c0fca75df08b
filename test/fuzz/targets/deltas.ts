import { decodeDelta, encodeDelta } from "@homcc/protocol/delta";
import { orRefusedLater } from "../refusals.ts";
import { type FuzzTarget, must, mustEqual } from "../target.ts";

/** Bytes that stand before two texts: how long the first is, and which size a peer claims. */
const headBytes = 4;

/** `u16 length of the base, u16 claimed size, base, the rest`: the rest is told by the base, and read as a delta itself. */
export const deltas: FuzzTarget = {
  name: "deltas",
  property:
    "a delta gives the bytes again, and what is none gives an error or at most the size that was claimed",
  generate(random) {
    const base = Buffer.from(
      random.many(1, 40, () => random.pick(["int a;\n", "void f();\n", "{}"])).join(""),
    );
    const head = Buffer.alloc(headBytes);
    head.writeUInt16LE(base.length);
    head.writeUInt16LE(random.below(2000), 2);
    return Buffer.concat([
      head,
      base,
      base.subarray(random.below(base.length)),
      random.bytes(random.below(9)),
    ]);
  },
  async check(input) {
    if (input.length <= headBytes + 1) return;
    const baseBytes = 1 + (input.readUInt16LE() % (input.length - headBytes - 1));
    const claimedBytes = Math.max(1, input.readUInt16LE(2));
    const base = input.subarray(headBytes, headBytes + baseBytes);
    const bytes = input.subarray(headBytes + baseBytes);
    const delta = await encodeDelta(bytes, base, bytes.length % 2 === 0);
    mustEqual("the bytes", await decodeDelta(delta, base, bytes.length), bytes);
    const damaged = Buffer.from(delta);
    const at = claimedBytes % damaged.length;
    damaged[at] = (damaged[at] ?? 0) ^ 0x55;
    for (const peers of [bytes, damaged]) {
      const found = await orRefusedLater(() => decodeDelta(peers, base, claimedBytes));
      must((found?.byteLength ?? 0) <= claimedBytes, "more comes out than was claimed");
    }
  },
};
