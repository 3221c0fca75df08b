import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Frame, FrameDecoder, frameFlags, frameTypes } from "@homcc/protocol/frame";
import { repository } from "../support/repository.ts";

const folder = join(repository, "test/vectors");
/** Digits end where an explanation may begin. */
const digitColumns = 47;

/** The golden bytes of a protocol, by their names. */
export function vectors(protocol: "protocol" | "launch"): ReadonlyMap<string, Buffer> {
  const names = readdirSync(join(folder, protocol));
  return new Map(names.map((name) => [name.replace(".hex", ""), bytesOf(join(folder, protocol, name))]));
}

/** What both ends of homcc 1.x said in recorded conversations, a message each. */
export function v1Recordings(): Buffer[] {
  return readdirSync(join(folder, "homcc-v1")).flatMap((name) => {
    const { frames }: { frames: { base64: string }[] } = JSON.parse(
      readFileSync(join(folder, "homcc-v1", name), "utf8"),
    );
    return frames.map(({ base64 }) => Buffer.from(base64, "base64"));
  });
}

/** The messages among the golden frames that are sent as they are. */
export function exampleMessages(): unknown[] {
  return [...vectors("protocol")].flatMap(([name, bytes]): unknown[] => {
    if (name === "hello" || name === "history" || /^welcome|^connection/.test(name)) return [];
    return new FrameDecoder().push(bytes).filter(isPlainMessage).map(jsonOf);
  });
}

function isPlainMessage({ type, flags }: Frame): boolean {
  return type === frameTypes.message && (flags & (frameFlags.zstd | frameFlags.history)) === 0;
}

function jsonOf({ payload }: Frame): unknown {
  return JSON.parse(Buffer.from(payload).toString());
}

function bytesOf(path: string): Buffer {
  const digits = readFileSync(path, "utf8")
    .split("\n")
    .map((line) => line.slice(0, digitColumns).replaceAll(" ", ""));
  return Buffer.from(digits.join(""), "hex");
}
