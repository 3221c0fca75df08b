import { endianness } from "node:os";

/** What distcc's monitors call a job's phases, by the number that a state file has for each. */
const phaseNumbers = {
  startup: 0,
  blocked: 1,
  connect: 2,
  preprocess: 3,
  send: 4,
  compile: 5,
  receive: 6,
  done: 7,
} as const;

export type JobPhase = keyof typeof phaseNumbers;

/** What a state file says. */
export interface JobState {
  /** A process that lives as long as the job. */
  readonly pid: number;
  readonly file: string;
  readonly host: string;
  /** Jobs of one host differ in it, from 0. */
  readonly slot: number;
  readonly phase: JobPhase;
}

/** How the machine's C compilers lay out numbers. */
export interface WordLayout {
  /** Of `size_t`, `unsigned long` and pointers. */
  readonly wordBytes: 4 | 8;
  readonly order: "LE" | "BE";
}

const architecturesOf32Bits: ReadonlySet<string> = new Set(["arm", "ia32", "mips", "mipsel"]);

export const ownLayout: WordLayout = {
  wordBytes: architecturesOf32Bits.has(process.arch) ? 4 : 8,
  order: endianness(),
};

/** "DIH\0", as distcc's monitors expect it. */
const magic = 0x44_49_48_00;

/** The room of a text, with the zero byte that ends it. */
const textBytes = 128;

/**
 * The bytes of a state file: `{ size_t size; unsigned long magic, pid; char file[128], host[128]; int slot, phase;
 * void *next; }` as the machine lays it out, because the monitors read it straight into their own memory. 296 bytes where a
 * word has 64 bits, 280 where it has 32.
 */
export function encodeJobState(state: JobState, layout: WordLayout = ownLayout): Buffer {
  const { wordBytes, order } = layout;
  const bytes = Buffer.alloc(3 * wordBytes + 2 * textBytes + 8 + wordBytes);
  const writeWord = (value: number, offset: number): void => {
    const wide = BigInt(value);
    if (order === "LE" && wordBytes === 8) bytes.writeBigUInt64LE(wide, offset);
    else if (order === "LE") bytes.writeUInt32LE(value, offset);
    else if (wordBytes === 8) bytes.writeBigUInt64BE(wide, offset);
    else bytes.writeUInt32BE(value, offset);
  };
  const writeInt = (value: number, offset: number): void => {
    if (order === "LE") bytes.writeInt32LE(value, offset);
    else bytes.writeInt32BE(value, offset);
  };
  writeWord(bytes.byteLength, 0);
  writeWord(magic, wordBytes);
  writeWord(state.pid, 2 * wordBytes);
  const texts = 3 * wordBytes;
  bytes.write(printable(state.file), texts, textBytes - 1);
  bytes.write(printable(state.host), texts + textBytes, textBytes - 1);
  writeInt(state.slot, texts + 2 * textBytes);
  writeInt(phaseNumbers[state.phase], texts + 2 * textBytes + 4);
  return bytes;
}

/** Monitors print a name as it is: a line feed in it would make two lines of it. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "?");
}
