import { sectionsOf } from "./elf-sections.ts";

const maxShown = 60;

/** Where two contents first differ, for people: the section of an object, the line of a text, or the byte. */
export function firstDifference(theirs: Uint8Array, ours: Uint8Array): string {
  const [left, right] = [Buffer.from(theirs), Buffer.from(ours)];
  const at = firstDifferentByte(left, right);
  const sizes = left.length === right.length ? "" : `, ${left.length} bytes there, ${right.length} here`;
  const section = differentSection(left, right);
  if (section !== undefined) return `${section}${sizes}`;
  if (!isText(left) || !isText(right)) return `byte ${at}${sizes}`;
  const line = left.subarray(0, at).filter((byte) => byte === 10).length + 1;
  return `line ${line}: ${lineAt(left, line)} there, ${lineAt(right, line)} here`;
}

function firstDifferentByte(left: Buffer, right: Buffer): number {
  const shorter = Math.min(left.length, right.length);
  let at = 0;
  while (at < shorter && left[at] === right[at]) at++;
  return at;
}

/** By name, because one byte more in one of them moves all that follow. */
function differentSection(left: Buffer, right: Buffer): string | undefined {
  const [theirs, ours] = [sectionsOf(left), sectionsOf(right)];
  if (theirs === undefined || ours === undefined) return undefined;
  for (const [index, section] of theirs.entries()) {
    const other = ours[index];
    if (other?.name !== section.name)
      return `section ${index}: ${section.name} there, ${other?.name ?? "none"} here`;
    const offset = firstDifferentByte(section.bytes, other.bytes);
    if (offset < Math.max(section.bytes.length, other.bytes.length))
      return `section ${section.name}, offset 0x${offset.toString(16)}`;
  }
  return ours.length > theirs.length
    ? `section ${ours[theirs.length]?.name ?? "?"} is missing there`
    : undefined;
}

function isText(bytes: Buffer): boolean {
  return !bytes.includes(0);
}

function lineAt(text: Buffer, line: number): string {
  const shown = text.toString("latin1").split("\n")[line - 1];
  return shown === undefined ? "nothing" : JSON.stringify(shown.slice(0, maxShown));
}
