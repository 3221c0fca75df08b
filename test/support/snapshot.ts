import { lstat, readdir, readFile, readlink } from "node:fs/promises";

export type SnapshotEntry =
  | { readonly kind: "file"; readonly mode: number; readonly mtimeMs: number; readonly bytes: Buffer }
  | { readonly kind: "directory"; readonly mode: number }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "other" };

/** Everything below `folder`, by relative path; names byte for byte (latin1). */
export type Snapshot = ReadonlyMap<string, SnapshotEntry>;

export async function takeSnapshot(folder: string): Promise<Snapshot> {
  const entries = new Map<string, SnapshotEntry>();
  await collect(Buffer.from(folder), "", entries);
  return entries;
}

/** Names travel as buffers: Node's own recursion fails on those that are not UTF-8. */
async function collect(folder: Buffer, prefix: string, entries: Map<string, SnapshotEntry>): Promise<void> {
  for (const name of await readdir(folder, { encoding: "buffer" })) {
    const path = Buffer.concat([folder, Buffer.from("/"), name]);
    const relativePath = `${prefix}${name.toString("latin1")}`;
    const entry = await describe(path);
    entries.set(relativePath, entry);
    if (entry.kind === "directory") await collect(path, `${relativePath}/`, entries);
  }
}

async function describe(path: Buffer): Promise<SnapshotEntry> {
  const status = await lstat(path);
  const mode = status.mode & 0o7777;
  if (status.isSymbolicLink())
    return { kind: "symlink", target: (await readlink(path, "buffer")).toString("latin1") };
  if (status.isDirectory()) return { kind: "directory", mode };
  if (!status.isFile()) return { kind: "other" };
  return { kind: "file", mode, mtimeMs: status.mtimeMs, bytes: await readFile(path) };
}

/** The differences in words, one each; empty when equal. Times are not compared. */
export function compareSnapshots(
  expected: Snapshot,
  actual: Snapshot,
  ignoreContent: readonly string[] = [],
): string[] {
  const differences: string[] = [];
  for (const name of [...new Set([...expected.keys(), ...actual.keys()])].sort()) {
    const difference = compareEntries(expected.get(name), actual.get(name), ignoreContent.includes(name));
    if (difference !== undefined) differences.push(`${name}: ${difference}`);
  }
  return differences;
}

function compareEntries(
  expected: SnapshotEntry | undefined,
  actual: SnapshotEntry | undefined,
  ignoreContent: boolean,
): string | undefined {
  if (expected === undefined) return "only made through homcc";
  if (actual === undefined) return "missing";
  if (expected.kind !== actual.kind) return `is a ${actual.kind} instead of a ${expected.kind}`;
  if (expected.kind === "symlink" && actual.kind === "symlink" && expected.target !== actual.target) {
    return `points to ${actual.target} instead of ${expected.target}`;
  }
  if ("mode" in expected && "mode" in actual && expected.mode !== actual.mode) {
    return `mode ${actual.mode.toString(8)} instead of ${expected.mode.toString(8)}`;
  }
  if (expected.kind === "file" && actual.kind === "file" && !ignoreContent) {
    return compareBytes(expected.bytes, actual.bytes);
  }
  return undefined;
}

function compareBytes(expected: Buffer, actual: Buffer): string | undefined {
  if (expected.equals(actual)) return undefined;
  let offset = 0;
  while (expected[offset] === actual[offset]) offset++;
  const around = (bytes: Buffer): string =>
    JSON.stringify(bytes.subarray(Math.max(0, offset - 30), offset + 50).toString("latin1"));
  return `${actual.length} bytes instead of ${expected.length}, differ at ${offset}: ${around(actual)} instead of ${around(expected)}`;
}
