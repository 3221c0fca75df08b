import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { v1Compressions } from "./messages.ts";
import { packV1, unpackV1 } from "./payload.ts";

const texts = [Buffer.alloc(0), Buffer.from("int x;\n"), randomBytes(100_000), Buffer.alloc(1_000_000)];

for (const compression of v1Compressions) {
  test(`${compression}: there and back, and never more than is allowed`, async (t) => {
    if (!existsSync("/usr/bin/xz")) return t.skip("needs xz");
    for (const text of texts) {
      const packed = await packV1(compression, text);
      assert.ok(text.equals(await unpackV1(compression, packed, text.length)));
      if (text.length === 0) continue;
      await assert.rejects(unpackV1(compression, packed, text.length - 1), (error) =>
        hasCode(error, "ERR_HOMCC_PROTOCOL"),
      );
    }
    return undefined;
  });
}

test("an empty file in lzo, as 1.x sends it", async () => {
  assert.equal(Buffer.from(await packV1("lzo", Buffer.alloc(0))).toString("hex"), "f000000000110000");
});

test("the frame of the best lzo compressor is understood", async () => {
  const packed = Buffer.from(await packV1("lzo", Buffer.from("text text text text")));
  packed[0] = 0xf1;
  assert.equal(Buffer.from(await unpackV1("lzo", packed, 100)).toString(), "text text text text");
});

for (const [compression, payload] of [
  ["lzo", Buffer.from("f000", "hex")],
  ["lzo", Buffer.from("00000000001100", "hex")],
  ["lzo", Buffer.from("f0ffffffff110000", "hex")],
  ["lzma", Buffer.from("not an xz file")],
  ["lzma", Buffer.alloc(0)],
] as const) {
  test(`damaged ${compression} of ${payload.length} bytes`, async () => {
    if (compression === "lzma" && payload.length === 0 && !existsSync("/usr/bin/xz")) return;
    await assert.rejects(unpackV1(compression, payload, 1000), (error) =>
      hasCode(error, "ERR_HOMCC_PROTOCOL"),
    );
  });
}
