export interface ElfSection {
  readonly name: string;
  readonly bytes: Buffer;
}

/** More than any object has; an object's own number may be anything. */
const maxSections = 100_000;
/** SHT_NOBITS: it takes no room in the file. */
const noBits = 8;

/** The sections of an ELF file in its order; `undefined` for anything else, and for one that is damaged. */
export function sectionsOf(file: Buffer): readonly ElfSection[] | undefined {
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const [is64, isLittle] = [file[4] === 2, file[5] === 1];
  const u16 = (at: number): number => (isLittle ? file.readUInt16LE(at) : file.readUInt16BE(at));
  const u32 = (at: number): number => (isLittle ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const word = (at: number): number =>
    is64 ? Number(isLittle ? file.readBigUInt64LE(at) : file.readBigUInt64BE(at)) : u32(at);
  try {
    const table = word(is64 ? 0x28 : 0x20);
    const entryBytes = u16(is64 ? 0x3a : 0x2e);
    // With more than 65,279 sections both numbers stand in the first one.
    const count = u16(is64 ? 0x3c : 0x30) || word(table + (is64 ? 0x20 : 0x14));
    const listed = u16(is64 ? 0x3e : 0x32);
    const namesIndex = listed === 0xffff ? u32(table + (is64 ? 0x28 : 0x18)) : listed;
    if (count > maxSections) return undefined;
    const bytesOf = (index: number): Buffer => {
      const at = table + index * entryBytes;
      const start = word(at + (is64 ? 0x18 : 0x10));
      return u32(at + 4) === noBits
        ? Buffer.alloc(0)
        : file.subarray(start, start + word(at + (is64 ? 0x20 : 0x14)));
    };
    const names = bytesOf(namesIndex);
    return Array.from({ length: count }, (_, index) => {
      const start = u32(table + index * entryBytes);
      const end = names.indexOf(0, start);
      return { name: names.toString("latin1", start, end < 0 ? start : end), bytes: bytesOf(index) };
    });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
