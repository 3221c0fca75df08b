import { promisify } from "node:util";
import { inflate, zstdDecompress } from "node:zlib";

const unpackers = { zlib: promisify(inflate), zstd: promisify(zstdDecompress) };

interface PackedSection {
  readonly kind: keyof typeof unpackers;
  readonly bytes: Uint8Array;
  readonly sizeBytes: number;
}

const elfMagic = 0x7f454c46;
const compressedFlag = 0x800n;
/** Debug information of one translation unit; more is no object that anybody shares. */
const maxUnpackedBytes = 512 << 20;

/**
 * The compressed sections of an ELF object (`-gz`), unpacked; none for other files. Rejects when they cannot be read:
 * what they hold is unknown then.
 */
export async function unpackedSections(object: Uint8Array): Promise<Uint8Array[]> {
  const sections = packedSections(object);
  const sizeBytes = sections.reduce((sum, section) => sum + section.sizeBytes, 0);
  if (sizeBytes > maxUnpackedBytes) throw new Error(`${sizeBytes} bytes of compressed sections`);
  return await Promise.all(
    sections.map((section) =>
      unpackers[section.kind](section.bytes, { maxOutputLength: Math.max(1, section.sizeBytes) }),
    ),
  );
}

function packedSections(object: Uint8Array): PackedSection[] {
  const view = new DataView(object.buffer, object.byteOffset, object.byteLength);
  if (object.byteLength < 52 || view.getUint32(0) !== elfMagic) return [];
  const elf = new ElfReader(view);
  const sections: PackedSection[] = [];
  for (const { flags, at, sizeBytes } of elf.sections()) {
    if ((flags & compressedFlag) !== 0n) sections.push(elf.compressed(at, sizeBytes));
    else if (isOldStyle(object, at, sizeBytes)) {
      const bytes = object.subarray(at + 12, at + sizeBytes);
      sections.push({ kind: "zlib", bytes, sizeBytes: Number(view.getBigUint64(at + 4)) });
    }
  }
  return sections;
}

/** `.zdebug_*` of older tools: "ZLIB" and the size. */
function isOldStyle(object: Uint8Array, at: number, sizeBytes: number): boolean {
  return (
    sizeBytes > 12 &&
    at + sizeBytes <= object.byteLength &&
    Buffer.from(object.subarray(at, at + 4)).toString("latin1") === "ZLIB"
  );
}

/** Reads out of range reject the object, as a RangeError. */
class ElfReader {
  readonly #view: DataView;
  readonly #isWide: boolean;
  readonly #little: boolean;

  constructor(view: DataView) {
    this.#view = view;
    this.#isWide = view.getUint8(4) === 2;
    this.#little = view.getUint8(5) === 1;
  }

  *sections(): Generator<{ readonly flags: bigint; readonly at: number; readonly sizeBytes: number }> {
    const tableAt = this.#word(this.#isWide ? 40 : 32);
    const entryBytes = this.#half(this.#isWide ? 58 : 46);
    let count = this.#half(this.#isWide ? 60 : 48);
    if (tableAt === 0) return;
    // More than 65,279 sections: the first one's size has the number.
    if (count === 0) count = this.#word(tableAt + (this.#isWide ? 32 : 20));
    // Else a table of nothing could have 2^53 of them.
    if (entryBytes < (this.#isWide ? 64 : 40) || tableAt + count * entryBytes > this.#view.byteLength)
      throw new RangeError("a table of sections that does not fit");
    for (let index = 0; index < count; index += 1) {
      const at = tableAt + index * entryBytes;
      const type = this.#view.getUint32(at + 4, this.#little);
      if (type === noBits) continue;
      const [flags, offset, size] = this.#isWide
        ? [this.#word(at + 8), this.#word(at + 24), this.#word(at + 32)]
        : [this.#word(at + 8), this.#word(at + 16), this.#word(at + 20)];
      yield { flags: BigInt(flags), at: offset, sizeBytes: size };
    }
  }

  compressed(at: number, sizeBytes: number): PackedSection {
    const type = this.#view.getUint32(at, this.#little);
    const headerBytes = this.#isWide ? 24 : 12;
    const kind = type === 1 ? "zlib" : type === 2 ? "zstd" : undefined;
    if (kind === undefined || sizeBytes < headerBytes) throw new Error(`a section compressed in way ${type}`);
    const { buffer, byteOffset, byteLength } = this.#view;
    // An object may lie in a buffer with others.
    if (at + sizeBytes > byteLength) throw new RangeError("a section that does not fit");
    const bytes = new Uint8Array(buffer, byteOffset + at + headerBytes, sizeBytes - headerBytes);
    return { kind, bytes, sizeBytes: this.#word(at + (this.#isWide ? 8 : 4)) };
  }

  #half(at: number): number {
    return this.#view.getUint16(at, this.#little);
  }

  /** An address-sized number. */
  #word(at: number): number {
    return this.#isWide
      ? Number(this.#view.getBigUint64(at, this.#little))
      : this.#view.getUint32(at, this.#little);
  }
}

/** SHT_NOBITS: takes no room in the file. */
const noBits = 8;
