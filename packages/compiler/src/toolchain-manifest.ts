import { digestOf, type Digest } from "@homcc/cas/digest";
import type { ToolchainEntry } from "./toolchain.ts";

/**
 * The bytes whose digest identifies a toolchain:
 *
 *     <manifest>  ::= "homcc toolchain 1" LF <line>*        sorted by path, in the order of UTF-16 code units
 *     <line>      ::= JSON array LF
 *     <array>     ::= ["directory", path] | ["file", path, digest, executable] | ["symlink", path, target]
 */
export function encodeManifest(entries: readonly ToolchainEntry[]): Uint8Array {
  const lines = entries.map((entry) => `${JSON.stringify(fieldsOf(entry))}\n`);
  return Buffer.from(`homcc toolchain 1\n${lines.join("")}`, "utf8");
}

export function manifestDigest(entries: readonly ToolchainEntry[]): Digest {
  return digestOf(encodeManifest(entries));
}

/** Sorted so that every folder comes before what is in it. */
export function sortEntries(entries: Iterable<ToolchainEntry>): ToolchainEntry[] {
  return [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

function fieldsOf(entry: ToolchainEntry): readonly (string | boolean)[] {
  if (entry.kind === "directory") return [entry.kind, entry.path];
  if (entry.kind === "symlink") return [entry.kind, entry.path, entry.target];
  return [entry.kind, entry.path, entry.digest, entry.executable];
}
