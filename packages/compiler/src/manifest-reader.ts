import { parseDigest, sizeBytesOf, type Digest } from "@homcc/cas/digest";
import { HomccError } from "@homcc/observability/error";
import { encodeManifest } from "./toolchain-manifest.ts";
import type { ToolchainEntry } from "./toolchain.ts";

export interface ManifestBounds {
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly maxPathLength: number;
}

/** Of a job's root these belong to the machine. */
const machineFolder = /^\/(?:proc|sys|dev)(?:\/|$)/;

/**
 * The entries of a manifest that somebody sent. Throws ERR_HOMCC_PROTOCOL unless they can be laid out below any folder without
 * leaving it: each path once, plain and absolute, every folder before what is in it, nothing below a file or a link, nothing
 * where a job has the machine's own files; and unless the bytes are those of `encodeManifest`, so that a toolchain has one
 * digest. Owners, times and set-user-ID bits cannot be said in it.
 */
export function readManifest(bytes: Uint8Array, bounds: ManifestBounds): readonly ToolchainEntry[] {
  if (bytes.byteLength > bounds.maxBytes) throw wrong(`it has more than ${bounds.maxBytes} bytes`);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  const [title, ...lines] = text.split("\n", bounds.maxEntries + 3);
  if (title !== "homcc toolchain 1") throw wrong("its first line is not that of a manifest");
  if (lines.pop() !== "") throw wrong(`it has more than ${bounds.maxEntries} entries, or no end`);
  if (lines.length > bounds.maxEntries) throw wrong(`it has more than ${bounds.maxEntries} entries`);
  const folders = new Set<string>(["/"]);
  const leaves = new Set<string>();
  let last = "";
  const entries = lines.map((line, index) => {
    const entry = readEntry(line, index + 2, bounds.maxPathLength);
    if (entry.path <= last) throw wrong(`${entry.path} comes too late`);
    last = entry.path;
    enterFolders(entry.path, folders, leaves);
    if (entry.kind === "directory") folders.add(entry.path);
    else if (folders.has(entry.path)) throw wrong(`${entry.path} is a folder, too`);
    else leaves.add(entry.path);
    return entry;
  });
  if (!Buffer.from(encodeManifest(entries)).equals(bytes)) throw wrong("it is not written as it has to be");
  return entries;
}

/** What the files of a toolchain take, each content once. */
export function contentBytes(entries: readonly ToolchainEntry[]): number {
  return contentsOf(entries).reduce((sum, digest) => sum + sizeBytesOf(digest), 0);
}

/** The contents of a toolchain's files, each once. */
export function contentsOf(entries: readonly ToolchainEntry[]): Digest[] {
  return [...new Set(entries.flatMap((entry) => (entry.kind === "file" ? [entry.digest] : [])))];
}

function readEntry(line: string, number: number, maxPathLength: number): ToolchainEntry {
  const fields = parseLine(line, number);
  const [kind, path, third, fourth] = fields;
  if (typeof path !== "string" || !isPlainPath(path, maxPathLength))
    throw wrong(`line ${number} has no plain path`);
  if (machineFolder.test(path)) throw wrong(`${path} is no place for a toolchain`);
  if (kind === "directory" && fields.length === 2) return { kind, path };
  if (kind === "symlink" && fields.length === 3 && typeof third === "string") {
    if (!isTarget(third, maxPathLength)) throw wrong(`the link ${path} leads nowhere`);
    return { kind, path, target: third };
  }
  if (kind === "file" && fields.length === 4 && typeof third === "string" && typeof fourth === "boolean") {
    const digest = parseDigest(third);
    if (digest !== undefined) return { kind, path, digest, executable: fourth };
  }
  throw wrong(`line ${number} is no entry`);
}

function parseLine(line: string, number: number): readonly unknown[] {
  try {
    const fields: unknown = JSON.parse(line);
    if (Array.isArray(fields)) return fields;
  } catch {
    // As any other line that is none.
  }
  throw wrong(`line ${number} is no entry`);
}

/** Nothing may lie below a file or a link: what is laid out there would leave the folder. */
function enterFolders(path: string, folders: Set<string>, leaves: ReadonlySet<string>): void {
  for (let end = path.indexOf("/", 1); end >= 0; end = path.indexOf("/", end + 1)) {
    const folder = path.slice(0, end);
    if (leaves.has(folder)) throw wrong(`${path} lies below a file or a link`);
    folders.add(folder);
  }
}

function isPlainPath(path: string, maxLength: number): boolean {
  return path.length <= maxLength && isText(path) && /^(?:\/(?!\.{1,2}(?:\/|$))[^/]+)+$/.test(path);
}

function isTarget(target: string, maxLength: number): boolean {
  return target !== "" && target.length <= maxLength && isText(target);
}

function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

function wrong(why: string): HomccError {
  return new HomccError("ERR_HOMCC_PROTOCOL", `the list of the toolchain's files cannot be used: ${why}`);
}
