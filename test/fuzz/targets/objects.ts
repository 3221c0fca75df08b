import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unpackedSections } from "@homcc/results/debug-sections";
import { type FuzzTarget, must, mustEqual } from "../target.ts";

let example: Buffer | undefined;

/** Objects that a job made, which a server looks into before it gives them to others. */
export const objects: FuzzTarget = {
  name: "objects",
  property: "an object's sections are unpacked, or it is refused, and nothing beside it is read",
  maxBytes: 8192,
  unavailable: () => (spawnSync("gcc", ["--version"]).status === 0 ? undefined : "gcc is not installed"),
  generate(random) {
    example ??= compile();
    const bytes = Buffer.from(example);
    for (let left = random.below(6); left > 0; left--) {
      const at = random.chance(0.5) ? random.below(64) : random.below(bytes.length);
      bytes[at] = random.pick([0, 1, 255, random.below(256)]);
    }
    return bytes;
  },
  async check(input) {
    const alone = await unpacked(Uint8Array.from(input));
    // The same in the middle of other bytes.
    const pool = Buffer.concat([Buffer.alloc(100, 0x78), input, Buffer.alloc(5000, 0x78)]);
    mustEqual("sections", await unpacked(pool.subarray(100, 100 + input.length)), alone);
  },
};

async function unpacked(object: Uint8Array): Promise<string> {
  try {
    const sections = await unpackedSections(object);
    must(sections.reduce((sum, { byteLength }) => sum + byteLength, 0) < 1 << 28, "a bomb");
    return sections.map((bytes) => Buffer.from(bytes).toString("hex")).join(" ");
  } catch (error) {
    if (error instanceof Error) return "refused";
    throw error;
  }
}

function compile(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "homcc-fuzz-"));
  const args = ["-g", "-gz", "-c", "-xc", "-", "-o", join(folder, "a.o")];
  spawnSync("gcc", args, { input: "int x; void f(int a) { x = a; }" });
  const bytes = readFileSync(join(folder, "a.o"));
  rmSync(folder, { recursive: true });
  return bytes;
}
