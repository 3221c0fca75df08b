import { packNow, unpack, unpackNow } from "@homcc/protocol/compression";
import { orRefused, orRefusedLater } from "../refusals.ts";
import { type FuzzTarget, must, mustEqual } from "../target.ts";

const maxBytes = 1 << 16;

/** Compressed payloads of frames. */
export const zstd: FuzzTarget = {
  name: "zstd",
  property: "what was packed comes out again, and of anything else no more than is allowed",
  generate(random) {
    const text = Buffer.from(
      random.many(1, 60, () => random.pick(["include", " ", "\n", "x".repeat(200)])).join(""),
    );
    return random.chance(0.7) ? packNow(text).payload : text;
  },
  async check(input) {
    const found = orRefused(() => unpackNow(input, maxBytes));
    must((found?.byteLength ?? 0) <= maxBytes, "more comes out than is allowed");
    mustEqual("in the thread pool", await orRefusedLater(() => unpack(input, maxBytes)), found);
    const { payload, zstd: isPacked } = packNow(input);
    must(payload.byteLength <= input.byteLength, "packed it is longer");
    mustEqual("the bytes again", isPacked ? unpackNow(payload, input.byteLength) : payload, input);
  },
};
