import { lzoCompress, lzoDecompress } from "@homcc/protocol/v1/lzo";
import { unpackV1 } from "@homcc/protocol/v1/payload";
import type { Random } from "../random.ts";
import { orRefusedLater } from "../refusals.ts";
import { type FuzzTarget, must, mustEqual } from "../target.ts";

const maxBytes = 1 << 16;

/** LZO1X streams and the header around them. */
export const lzo: FuzzTarget = {
  name: "lzo",
  property:
    "what was packed comes out again, and anything else is refused without reading or writing beside it",
  generate(random) {
    const text = Buffer.from(
      random.many(1, 40, () => random.pick(["int a;\n", "b".repeat(300), String(random.below(99))])).join(""),
    );
    // What claims a size begins with it; streams come by mutation of those in the corpus.
    return random.chance(0.5) ? text : Buffer.concat([Buffer.from([random.below(256)]), stream(random)]);
  },
  async check(input) {
    mustEqual("the bytes", await lzoDecompress(await lzoCompress(input), input.length), input);
    for (const stream of [input, Buffer.concat([Buffer.from([0xf0, 0, 0, 2, 0]), input])]) {
      const found = await orRefusedLater(() => unpackV1("lzo", stream, maxBytes));
      must((found?.byteLength ?? 0) <= maxBytes, "more comes out than is allowed");
    }
    const claimedBytes = (input[0] ?? 0) * 3;
    const found = await orRefusedLater(() => lzoDecompress(input.subarray(1), claimedBytes));
    must(found === undefined || found.byteLength === claimedBytes, "another length than was claimed");
  },
};

/** Instructions at random, with an end. */
function stream(random: Random): Buffer {
  const literals = random.from(1, 20);
  return Buffer.concat([
    Buffer.from([17 + literals]),
    random.bytes(literals),
    ...random.many(0, 12, () => Buffer.from([random.from(32, 255), random.below(8), random.below(2)])),
    Buffer.from([17, 0, 0]),
  ]);
}
