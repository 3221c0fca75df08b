import { open, type FileHandle } from "node:fs/promises";
import { LinkWalk } from "./link-walk.ts";
import type { ToolchainPlace } from "./toolchain-place.ts";

/** What the loader maps for a program. */
export interface LoadedFiles {
  /** Loader and libraries, by the paths the loader uses. */
  readonly paths: readonly string[];
  /** Where it looked before it found them, and folders that it did not find: a library there would be loaded instead. */
  readonly tried: readonly string[];
  /** The first that it did not find at all: the program does not start. */
  readonly missing?: string;
  /** The loader finds the same files only with its cache: libraries outside its default folders. */
  readonly needsCache: boolean;
}

/** Program headers lie behind the ELF header; loaders' names are short, and lie anywhere. */
const headBytes = 4096;
const interpreterType = 3;

/** What decides, beside the program, what its loader maps; neither is an entry of the place it is looked up in. */
export const loaderFiles = { cache: "/etc/ld.so.cache", preload: "/etc/ld.so.preload" };

/**
 * The libraries of a dynamically linked ELF program, as its own loader finds them; `libraryPath`: LD_LIBRARY_PATH, absolute.
 * `undefined` for what is no ELF program; one that is statically linked has none.
 */
export async function loadedFilesOf(
  program: string,
  place: ToolchainPlace,
  libraryPath?: string,
): Promise<LoadedFiles | undefined> {
  await using file = await open(place.root + new LinkWalk(place.root).resolve(program).path, "r");
  const head = await read(file, 0, headBytes);
  if (!isElf(head)) return undefined;
  const segment = interpreterSegment(head);
  const interpreter = segment && (await read(file, segment.offset, segment.sizeBytes - 1)).toString("utf8");
  if (interpreter === undefined) return { paths: [], tried: [], needsCache: false };
  const variables = libraryPath === undefined ? {} : { LD_LIBRARY_PATH: libraryPath };
  const cached = await ask(place, interpreter, ["--list", program], { ...variables, LD_DEBUG: "libs" });
  const plain = await ask(place, interpreter, ["--inhibit-cache", "--list", program], variables);
  const needsCache = realPathsOf(cached.paths, place.root) !== realPathsOf(plain.paths, place.root);
  return { ...cached, paths: [interpreter, ...cached.paths], needsCache };
}

async function read(file: FileHandle, offset: number, sizeBytes: number): Promise<Buffer> {
  const limited = Math.min(Math.max(sizeBytes, 0), headBytes);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(limited), 0, limited, offset);
  return buffer.subarray(0, bytesRead);
}

function isElf(head: Buffer): boolean {
  return head.length >= 64 && head.readUInt32BE(0) === 0x7f454c46;
}

interface Segment {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** PT_INTERP of a little-endian ELF file of 32 or 64 bits; big-endian machines are not supported. */
function interpreterSegment(head: Buffer): Segment | undefined {
  const wide = head[4] === 2;
  const tableOffset = wide ? Number(head.readBigUInt64LE(32)) : head.readUInt32LE(28);
  const entryBytes = head.readUInt16LE(wide ? 54 : 42);
  const entries = head.readUInt16LE(wide ? 56 : 44);
  for (let index = 0; index < entries; index += 1) {
    const at = tableOffset + index * entryBytes;
    if (at + 40 > head.length) return undefined;
    if (head.readUInt32LE(at) !== interpreterType) continue;
    const offset = wide ? Number(head.readBigUInt64LE(at + 8)) : head.readUInt32LE(at + 4);
    const sizeBytes = wide ? Number(head.readBigUInt64LE(at + 32)) : head.readUInt32LE(at + 16);
    return { offset, sizeBytes };
  }
  return undefined;
}

/** Lines like `\tlibm.so.6 => /lib/libm.so.6 (0x…)` or `\t/lib64/ld-linux-x86-64.so.2 (0x…)`; none when a library is missing. */
async function ask(
  place: ToolchainPlace,
  interpreter: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<Omit<LoadedFiles, "needsCache">> {
  const { stdout, stderr } = await place.run(interpreter, args, { LC_ALL: "C", ...variables });
  const answer = stdout.toString("utf8");
  const searches = stderr.toString("utf8");
  const paths = firstGroups(answer, /^\t(?:.* => )?(\/.*) \(0x[0-9a-f]+\)$/gm);
  // A loader that lists nothing, not even itself, did not answer.
  const unlisted = paths.length === 0 ? "something" : undefined;
  const missing = /error while loading shared libraries: ([^:\s]+)/.exec(searches)?.[1] ?? unlisted;
  const inFolders = [...searches.matchAll(/^.*?\bsearch path=(\S*)/gm)].flatMap(([, list = ""]) =>
    list.split(":"),
  );
  return {
    paths,
    ...(missing === undefined ? {} : { missing }),
    tried: [
      ...firstGroups(searches, /^.*?\btrying file=(\/.*)$/gm),
      // Those that exist change with every library that is installed there.
      ...inFolders.filter((folder) => folder.startsWith("/") && !isThere(folder, place.root)),
    ],
  };
}

function firstGroups(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? "");
}

function isThere(path: string, root: string): boolean {
  return "stats" in new LinkWalk(root).resolve(path);
}

/** Different spellings of the same files are the same. */
export function realPathsOf(paths: readonly string[], root: string): string {
  const walk = new LinkWalk(root);
  return [...new Set(paths.map((path) => walk.resolve(path).path))].sort().join("\n");
}
