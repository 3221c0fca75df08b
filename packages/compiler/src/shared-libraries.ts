import { open } from "node:fs/promises";
import { LinkWalk } from "./link-walk.ts";
import type { ToolchainPlace } from "./toolchain-place.ts";

/** What the loader maps for a program. */
export interface LoadedFiles {
  /** Loader and libraries, by the paths the loader uses. */
  readonly paths: readonly string[];
  /** The loader finds the same files only with its cache: libraries outside its default folders. */
  readonly needsCache: boolean;
}

/** Program headers lie behind the ELF header; loaders' names are short. */
const headBytes = 4096;
const interpreterType = 3;

/**
 * The libraries of a dynamically linked ELF program, as its own loader finds them without LD_LIBRARY_PATH. `undefined`
 * for what is no ELF program; one that is statically linked has none.
 */
export async function loadedFilesOf(
  program: string,
  place: ToolchainPlace,
): Promise<LoadedFiles | undefined> {
  const head = await readHead(place.root + new LinkWalk(place.root).resolve(program).path);
  if (!isElf(head)) return undefined;
  const interpreter = interpreterOf(head);
  if (interpreter === undefined) return { paths: [], needsCache: false };
  const cached = await ask(place, interpreter, ["--list", program]);
  const plain = await ask(place, interpreter, ["--inhibit-cache", "--list", program]);
  const needsCache = realPaths(cached, place.root) !== realPaths(plain, place.root);
  return { paths: [interpreter, ...cached], needsCache };
}

async function readHead(program: string): Promise<Buffer> {
  await using file = await open(program, "r");
  const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0);
  return buffer.subarray(0, bytesRead);
}

function isElf(head: Buffer): boolean {
  return head.length >= 64 && head.readUInt32BE(0) === 0x7f454c46;
}

/** PT_INTERP of a little-endian ELF file of 32 or 64 bits; big-endian machines are not supported. */
function interpreterOf(head: Buffer): string | undefined {
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
    return head.toString("utf8", offset, offset + sizeBytes - 1);
  }
  return undefined;
}

/** Lines like `\tlibm.so.6 => /lib/libm.so.6 (0x…)` or `\t/lib64/ld-linux-x86-64.so.2 (0x…)`. */
async function ask(place: ToolchainPlace, interpreter: string, args: readonly string[]): Promise<string[]> {
  const { stdout } = await place.run(interpreter, args, { LC_ALL: "C" });
  const paths = stdout.toString("utf8").matchAll(/^\t(?:.* => )?(\/.*) \(0x[0-9a-f]+\)$/gm);
  return [...paths].map((match) => match[1] ?? "");
}

function realPaths(paths: readonly string[], root: string): string {
  const walk = new LinkWalk(root);
  return [...new Set(paths.map((path) => walk.resolve(path).path))].sort().join("\n");
}
