import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { directiveListVersion } from "@homcc/scanner/directive-codec";

/*
 * file   ::= magic record*                               a later record counts before an earlier one of the same key
 * magic  ::= "homcc directives 1." list-version LF
 * record ::= length crc key-length key list
 * length ::= u32, little endian: bytes after `crc`
 * crc    ::= u32, little endian: CRC-32 of those bytes
 * key-length ::= byte
 *
 * What follows a record that is torn or damaged is lost. Everything here can be made again from the headers.
 */

/** Texts of other versions are not read. */
const magic = Buffer.from(`homcc directives 1.${directiveListVersion}\n`);
const headBytes = 8;
const chunkBytes = 1 << 20;
/** Half of a chunk, so that each chunk has one at least. A header has 1 kB, the largest of the C++ library 40 kB. */
export const maxRecordBytes = chunkBytes / 2;

export interface StoredRecord {
  readonly key: string;
  /** Of the record in the file. */
  readonly offset: number;
  /** All of it, for being copied. */
  readonly bytes: Uint8Array;
}

export function encodeRecord(key: string, list: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(headBytes + 1 + key.length + list.length);
  record.writeUInt32LE(record.length - headBytes, 0);
  record.writeUInt8(key.length, headBytes);
  record.write(key, headBytes + 1, "latin1");
  record.set(list, headBytes + 1 + key.length);
  record.writeUInt32LE(crc32(record.subarray(headBytes)), 4);
  return record;
}

/** `undefined` for bytes that are no whole record. */
export function decodeRecord(bytes: Buffer): { readonly key: string; readonly list: Uint8Array } | undefined {
  if (bytes.length <= headBytes || bytes.readUInt32LE(0) !== bytes.length - headBytes) return undefined;
  const keyEnd = headBytes + 1 + bytes.readUInt8(headBytes);
  if (keyEnd > bytes.length || bytes.readUInt32LE(4) !== crc32(bytes.subarray(headBytes))) return undefined;
  return { key: bytes.toString("latin1", headBytes + 1, keyEnd), list: bytes.subarray(keyEnd) };
}

/** Of a file that it was not yet, an empty one is made. */
export async function beginFile(file: FileHandle): Promise<void> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(magic.length), 0, magic.length, 0);
  if (bytesRead === magic.length && buffer.equals(magic)) return;
  await file.truncate(0);
  await file.write(magic);
}

/** All whole records, in batches of 1 MB that take 1 ms each. */
export async function* readRecords(file: FileHandle): AsyncGenerator<StoredRecord[], void> {
  const chunk = Buffer.allocUnsafeSlow(chunkBytes);
  let offset = magic.length;
  for (;;) {
    const { bytesRead } = await file.read(chunk, 0, chunkBytes, offset);
    const records = [...recordsIn(chunk.subarray(0, bytesRead), offset)];
    const last = records.at(-1);
    if (last === undefined) return;
    yield records;
    offset = last.offset + last.bytes.length;
  }
}

export const firstRecordOffset = magic.length;

function* recordsIn(chunk: Buffer, offset: number): Generator<StoredRecord, void> {
  for (let at = 0; at + headBytes < chunk.length;) {
    const end = at + headBytes + chunk.readUInt32LE(at);
    if (end > chunk.length || end - at > maxRecordBytes) return;
    const bytes = chunk.subarray(at, end);
    const record = decodeRecord(bytes);
    if (record === undefined) return;
    yield { key: record.key, offset: offset + at, bytes };
    at = end;
  }
}
