import type { InputEntry } from "@homcc/cas/action";
import type { FileNode } from "@homcc/scanner/file-tree";
import type { ScannedClosure } from "@homcc/scanner/scanned-closure";
import type { FileRecord } from "./file-digests.ts";
import type { FoundInputs } from "./include-finder.ts";
import type { AbsentNames } from "./path-walk.ts";
import type { ScanTrust } from "./scan-trust.ts";

/** The kernel's clock for file times lags behind by up to one tick. */
const stepMs = 10;

type Structure = Pick<FoundInputs, "directories" | "links" | "absent" | "structure">;

interface Known {
  readonly structure: Structure;
  inputs: FoundInputs | undefined;
}

const known = new WeakMap<ScannedClosure<FileRecord>, Known>();
/** Units of one project have most folders in common: 100 of them would take 5 kB for each unit. */
const entries = new WeakMap<FileNode<FileRecord>, InputEntry>();

/** What a scan found, as other finders say it: the same object as last time while all of it is the same. */
export function inputsOf(
  closure: ScannedClosure<FileRecord>,
  startedAtMs: number,
  trust: ScanTrust | undefined,
): FoundInputs {
  let unit = known.get(closure);
  if (unit === undefined) {
    unit = { structure: structureOf(closure), inputs: undefined };
    known.set(closure, unit);
  }
  const before = unit.inputs;
  // The time of change, unlike that of modification, is the kernel's alone.
  const quietNs = BigInt(Math.trunc(startedAtMs - stepMs)) * 1_000_000n;
  const lasting = closure.files.every(({ record }) => record === undefined || record.ctimeNs < quietNs);
  if (before?.trust === trust && before?.lasting === lasting && hasSameRecords(closure, before))
    return before;
  const files = closure.files.flatMap(({ record }) => record ?? []);
  const inputs: FoundInputs = {
    kind: "found",
    files,
    ...unit.structure,
    startedAtMs,
    lasting,
    ...(trust === undefined ? {} : { trust }),
  };
  unit.inputs = inputs;
  return inputs;
}

function hasSameRecords({ files }: ScannedClosure<FileRecord>, before: FoundInputs): boolean {
  return (
    files.length === before.files.length && files.every(({ record }, index) => record === before.files[index])
  );
}

function structureOf({ directories, links, absent }: ScannedClosure<FileRecord>): Structure {
  return {
    directories: directories.map(({ path }) => path),
    links: new Map(links.map(({ path, target }) => [path, target])),
    absent: () => absentNames(absent),
    structure: [...directories, ...links].map(entryOf),
  };
}

function absentNames(absent: readonly FileNode<FileRecord>[]): AbsentNames[] {
  const folders: { folder: string; names: string[]; paths: string[] }[] = [];
  for (const [index, { parent, name, path }] of absent.entries()) {
    if (index === 0 || parent !== absent[index - 1]?.parent)
      folders.push({ folder: parent?.path ?? "/", names: [], paths: [] });
    const last = folders.at(-1);
    last?.names.push(name);
    last?.paths.push(path);
  }
  return folders;
}

function entryOf(node: FileNode<FileRecord>): InputEntry {
  const { kind, path, target } = node;
  const before = entries.get(node);
  if (before?.kind === "directory" && kind === "directory") return before;
  if (before?.kind === "symlink" && before.target === target && kind === "link") return before;
  const entry: InputEntry = kind === "link" ? { kind: "symlink", path, target } : { kind: "directory", path };
  entries.set(node, entry);
  return entry;
}
