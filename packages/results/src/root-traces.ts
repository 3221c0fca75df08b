import { setImmediate } from "node:timers/promises";
import { unpackedSections } from "./debug-sections.ts";

/** 1 ms at 1 GB/s for one pattern. */
const stepBytes = 1 << 20;

/**
 * Finds a source root in what came of a compile, in every form in which compilers write names: bytes, wide characters of
 * both byte orders (`L"" __FILE__`), and symbols made of a file's name (gcc's initialisers), where all but letters and
 * digits is an underscore. Also inside compressed debug sections.
 */
export class RootTraces {
  readonly #patterns: readonly Buffer[];
  readonly #longestBytes: number;

  constructor(root: string) {
    // Without the first slash: `../../home/me/project` names it too.
    const name = root.slice(1);
    this.#patterns = [
      Buffer.from(name),
      Buffer.from(name.replaceAll(/[^A-Za-z0-9]/g, "_")),
      ...[2, 4].flatMap((width) => [wide(name, width, 0), wide(name, width, width - 1)]),
    ];
    this.#longestBytes = Math.max(...this.#patterns.map(({ byteLength }) => byteLength));
  }

  /** Rejects when the file has parts that cannot be read. */
  async isIn(bytes: Uint8Array): Promise<boolean> {
    if (await this.#isInBytes(bytes)) return true;
    for (const section of await unpackedSections(bytes)) if (await this.#isInBytes(section)) return true;
    return false;
  }

  async #isInBytes(bytes: Uint8Array): Promise<boolean> {
    for (let at = 0; at < bytes.byteLength; at += stepBytes) {
      if (at > 0) await setImmediate();
      const end = Math.min(bytes.byteLength, at + stepBytes + this.#longestBytes);
      const step = Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at);
      if (this.#patterns.some((pattern) => step.includes(pattern))) return true;
    }
    return false;
  }
}

function wide(text: string, width: number, at: number): Buffer {
  const bytes = Buffer.alloc(text.length * width);
  for (const [index, character] of Buffer.from(text).entries()) bytes[index * width + at] = character;
  return bytes;
}
