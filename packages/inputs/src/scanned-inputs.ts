import type { ScannedClosure } from "@homcc/scanner/scanned-closure";
import type { FileRecord } from "./file-digests.ts";
import type { FoundInputs } from "./include-finder.ts";

/** The kernel's clock for file times lags behind by up to one tick. */
const stepMs = 10;

type Structure = Pick<FoundInputs, "directories" | "links" | "absent">;

const structures = new WeakMap<ScannedClosure<FileRecord>, Structure>();

/** What a scan found, as other finders say it. */
export function inputsOf(closure: ScannedClosure<FileRecord>, startedAtMs: number): FoundInputs {
  let structure = structures.get(closure);
  if (structure === undefined) {
    structure = structureOf(closure);
    structures.set(closure, structure);
  }
  const files = closure.files.flatMap(({ record }) => record ?? []);
  // The time of change, unlike that of modification, is the kernel's alone.
  const quietNs = BigInt(Math.trunc(startedAtMs - stepMs)) * 1_000_000n;
  const lasting = files.every(({ ctimeNs }) => ctimeNs < quietNs);
  return { kind: "found", files, ...structure, startedAtMs, lasting };
}

function structureOf({ directories, links, absent }: ScannedClosure<FileRecord>): Structure {
  return {
    directories: directories.map(({ path }) => path),
    links: new Map(links.map(({ path, target }) => [path, target])),
    absent: absent.map(({ folder, nodes }) => ({
      folder: folder.path,
      names: nodes.map(({ name }) => name),
    })),
  };
}
